"""What is known of the engines: where each packaging has its files, and in what versions differ.

``render`` and ``doctor`` read these tables; ``make docs`` writes ``docs/engine-facts.md`` from them.
A path was seen on a machine where ``seen`` says so; otherwise it was read in the package's own sources.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NAGIOS, NAEMON, ICINGA2 = "nagios", "naemon", "icinga2"
ICINGA2_DUMPS_ON_DEMAND = (2, 14)
"""From this version on, ``daemon -C`` writes its objects only where ``--dump-objects`` asks for them."""
ICINGA2_ENVIRONMENTS = ("/etc/default/icinga2", "/etc/sysconfig/icinga2", "/usr/lib/icinga2/icinga2")
"""Where packages say as whom the daemon runs (ICINGA2_USER)."""


@dataclass(frozen=True)
class Packaging:
    """Where one packaging of an engine has its files; ``$OMD_ROOT`` stands for an OMD site's folder."""

    engine: str
    who: str
    main_file: str
    command_file: str = ""
    """What this build takes without the setting; empty for Icinga 2, where nothing of ours needs it."""
    status_file: str = ""
    object_cache_file: str = ""
    query_socket: str = ""
    user: str = ""
    """Empty: the owner of the OMD site."""
    seen: str = ""
    program: str = ""
    """The engine itself, which verifies a configuration too."""
    unit: str = ""
    """systemd's unit; empty where something else starts it."""
    contact: str = ""
    """Whom the package's own example configuration knows; empty where it knows nobody."""


PACKAGINGS = (
    Packaging(
        NAGIOS, "Debian, Ubuntu (nagios4)", "/etc/nagios4/nagios.cfg",
        "/var/lib/nagios4/rw/nagios.cmd", "/var/lib/nagios4/status.dat",
        "/var/lib/nagios4/objects.cache", "/var/lib/nagios4/rw/nagios.qh",
        "nagios", "Debian 12 and 13", "/usr/sbin/nagios4", "nagios4", "nagiosadmin",
    ),
    Packaging(
        NAGIOS, "RHEL and its kin (EPEL)", "/etc/nagios/nagios.cfg",
        "/var/spool/nagios/cmd/nagios.cmd", "/var/spool/nagios/status.dat",
        "/var/spool/nagios/objects.cache", "/var/spool/nagios/cmd/nagios.qh",
        "nagios", "", "/usr/sbin/nagios", "nagios", "nagiosadmin",
    ),
    Packaging(
        NAGIOS, "built from source", "/usr/local/nagios/etc/nagios.cfg",
        "/usr/local/nagios/var/rw/nagios.cmd", "/usr/local/nagios/var/status.dat",
        "/usr/local/nagios/var/objects.cache", "/usr/local/nagios/var/rw/nagios.qh",
        "nagios", "", "/usr/local/nagios/bin/nagios", "nagios", "nagiosadmin",
    ),
    Packaging(
        NAEMON, "Naemon's own and Consol Labs' packages", "/etc/naemon/naemon.cfg",
        "/var/lib/naemon/naemon.cmd", "/var/lib/naemon/status.dat",
        "/var/lib/naemon/objects.cache", "/var/lib/naemon/naemon.qh",
        "naemon", "", "/usr/bin/naemon", "naemon", "naemonadmin",
    ),
    Packaging(
        NAEMON, "OMD", "$OMD_ROOT/tmp/naemon/naemon.cfg",
        "$OMD_ROOT/tmp/run/naemon.cmd", "$OMD_ROOT/tmp/naemon/status.dat",
        "$OMD_ROOT/tmp/naemon/objects.cache", "$OMD_ROOT/tmp/run/naemon.qh",
        program="$OMD_ROOT/bin/naemon",
    ),
    Packaging(
        ICINGA2, "Debian, Ubuntu", "/etc/icinga2/icinga2.conf", user="nagios", seen="Debian 12 and 13",
        program="/usr/sbin/icinga2", unit="icinga2", contact="icingaadmin",
    ),
    Packaging(
        ICINGA2, "RHEL and its kin", "/etc/icinga2/icinga2.conf", user="icinga",
        program="/usr/sbin/icinga2", unit="icinga2", contact="icingaadmin",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """Something that engines or their versions do differently, and that matters here."""

    engine: str
    versions: str
    behaviour: str
    consequence: str
    """What the project does about it."""
    seen: str


FACTS = (
    Fact(
        "Nagios, Naemon", "all", "check_interval and retry_interval may be fractions of interval_length",
        "render writes fractions", "Nagios 4.4.6; read in 4.5 and Naemon 1.5",
    ),
    Fact(
        "Nagios, Naemon", "all",
        "CHANGE_NORMAL_SVC_CHECK_INTERVAL takes whole units only, and is kept over a restart",
        "it is sent only where a Down or Lost delay is longer than Up's; render says where it rounds up",
        "Nagios 4.4.6; read in 4.5 and Naemon 1.5",
    ),
    Fact(
        "Naemon", "all", "cached_service_check_horizon (15 s) answers a test that comes sooner from a cache",
        "doctor naemon wants it to be 0", "read in Naemon 1.5",
    ),
    Fact(
        "Naemon", "all", "a service whose checks are switched on again is tested a whole interval later",
        "in an outage that is an Up delay; Nagios tests at once", "Naemon 1.5.2",
    ),
    Fact(
        "Naemon", "all", "include_dir and include_file are part of the main file",
        "doctor and render read them", "read in Naemon 1.5",
    ),
    Fact(
        "Naemon", "all", "enable_environment_macros does nothing",
        "what a repair is told stands on its command line", "read in Naemon 1.5",
    ),
    Fact(
        "Naemon", "all",
        "a reload forgets the workers that registered without closing their connections, and makes the "
        "query socket anew",
        "imap4-worker watches the socket and registers again", "Naemon 1.5",
    ),
    Fact(
        "Naemon", "all", "passive results from the command file are one line, and nothing in them is escaped",
        "imap4-worker sweep sends the first line only where the command file's path has naemon in it",
        "Naemon 1.5",
    ),
    Fact(
        "Nagios", "4.5", "a space follows every value in the cache of objects",
        "doctor takes it off", "Nagios 4.5.12",
    ),
    Fact(
        "Nagios", "4", "a reload closes the workers' connections",
        "imap4-worker registers again", "Nagios 4.4.6",
    ),
    Fact(
        "Nagios, Naemon", "Nagios up to 4.5.6, Naemon",
        "a recovery counts as one more notification, and is forgotten where it may not be sent",
        "the number rests where both ways of matching find the same people; the handler sends a custom one",
        "Nagios 4.4.6, Naemon 1.5.2",
    ),
    Fact(
        "Naemon", "all", "a recovery is sent in a downtime and while the host is down",
        "nothing has to make up for it", "Naemon 1.5.2",
    ),
    Fact(
        "Nagios", "4.5.7 and later",
        "a recovery has the number of the last problem, is matched with one less, and is sent at the first "
        "test that passes at which somebody gets it",
        "the handler leaves the number to the core until then", "Nagios 4.5.12",
    ),
    Fact(
        "Nagios, Naemon", "all",
        "a service that fails while its host is down is hard at attempt 1, and stays there",
        "max_check_attempts is 1, and the handler counts", "Nagios 4.4.6 and 4.5.12, Naemon 1.5.2",
    ),
    Fact(
        "Icinga 2", "all",
        "what was kept back (downtime, acknowledgement, host, dependency, period) keeps back all that "
        "follows, until no test is near by the Up delay",
        "the event command clears it at every failing test and at the recovery", "2.13.6, 2.14.6",
    ),
    Fact(
        "Nagios, Naemon", "all",
        "what is retained is saved once in retention_update_interval (an hour by default), and at an orderly "
        "end",
        "the handler has it saved after failing tests, by SAVE_STATE_INFORMATION", "Nagios 4.4.6 and 4.5.12",
    ),
    Fact(
        "Icinga 2", "all", "what it knows is saved every 5 minutes, and at an orderly end",
        "an outage that began since then is a new one after kill -9", "2.13.6",
    ),
    Fact(
        "Icinga 2", "all",
        "every change of a volatile service is a hard one to Icinga DB and to the history, while the API "
        "says soft; without volatile, the event command does not run at every failing test",
        "Warn shows as HARD there", "2.16",
    ),
    Fact(
        "Icinga 2", "2.18 and later", "there is no ExternalCommandListener",
        "nothing of ours uses it: reports and the sweep go through the API", "announced, not run",
    ),
    Fact(
        "Icinga 2", "all", "a recovery while notifications are off is dropped",
        "it is told with the next outage's, if there is one", "2.13.6, 2.14.6",
    ),
    Fact(
        "Icinga 2", "up to 2.13",
        "daemon -C always writes the objects to icinga2.debug; --dump-objects is unknown",
        "doctor does without it", "2.13.6",
    ),
    Fact(
        "Icinga 2", "2.14 and later", "daemon -C writes the objects only with --dump-objects",
        "doctor asks for it", "2.14.6",
    ),
    Fact(
        "Icinga 2", "up to 2.14",
        "its CA's certificates have no Authority Key Identifier, which Python 3.13 refuses where it is "
        "strict (VERIFY_X509_STRICT)",
        "a CA file that a person named is taken without strictness", "2.14.6 with Python 3.13",
    ),
)  # fmt: skip


def packagings(engine: str) -> Iterator[Packaging]:
    """The packagings of an engine, with an OMD site's folder filled in; without a site, not OMD's."""
    root = os.environ.get("OMD_ROOT", "")
    for each in PACKAGINGS:
        if each.engine == engine and (root or "$OMD_ROOT" not in each.main_file):
            yield _filled(each, {"$OMD_ROOT": root})


def _filled(packaging: Packaging, values: Mapping[str, str]) -> Packaging:
    filled = dict(vars(packaging))
    for name, value in filled.items():
        for variable, meant in values.items():
            filled[name] = filled[name].replace(variable, meant) if isinstance(value, str) else value
    return Packaging(**filled)


def here() -> tuple[Packaging, ...]:
    """The packagings whose main file is on this machine; two that differ in the user alone are both told."""
    engines = (NAGIOS, NAEMON, ICINGA2)
    return tuple(each for name in engines for each in packagings(name) if os.path.exists(each.main_file))


def contact_of(engine: str | None) -> str:
    """Somebody whom the example configuration of an engine knows.

    Args:
        engine: None is the first that is on this machine, else Nagios.
    """
    found = tuple(packagings(engine)) if engine else here() or tuple(packagings(NAGIOS))
    return next((each.contact for each in found if each.contact), "nagiosadmin")


def packaging_of(engine: str, main_file: str | None) -> Packaging:
    """The packaging that has this main file; for any other, that which is here, else the first."""
    known = list(packagings(engine))
    for each in known:
        if main_file is not None and each.main_file == str(main_file):
            return each
    # os.path's, for which what we may not see is not there; pathlib's raise PermissionError (Icinga's folder
    # is closed to all but its user and group).
    return next((each for each in known if os.path.exists(each.main_file)), known[0])
