"""Why a test failed: one cause a failure, printed last on the status line as ``[cause]``.

A cause is ``phase.what``. Recovery decides by it, people search by it, so the names are an interface:
they are not changed, only added to. The table is the one place that knows them: what a person is told, and
which actions of ``imap4-recovery`` may mend it.
"""

from __future__ import annotations

from typing import NamedTuple

RESTART = "restart-service"
REBOOT = "reboot-server"
PROGRAM = "external-process"

ANY_ACTION = (RESTART, REBOOT, PROGRAM)
"""A server that is gone or hangs: a restart may mend that, and where it did not, a reboot of its machine."""

NO_REBOOT = (RESTART, PROGRAM)
"""A server that answers and then hangs up or halts: its machine lives, and a reboot ends what still works."""

NO_ACTION: tuple[str, ...] = ()
"""Names, networks, certificates, refused logins and sessions, another service on the port, and a check that
could not be run."""


class Cause(NamedTuple):
    """One row of the table."""

    name: str
    """``phase.what``."""
    actions: tuple[str, ...]
    """The actions of ``imap4-recovery`` that act on it unless ``--causes`` says otherwise; () is none."""
    hint: str
    """What it means and what to do about it, for ``-v`` and docs/causes.md."""


_NOT_IMAP4 = "the service, or what stands before it, does not behave as an IMAP4 server"
_HUNG = "the session began but came to a halt: the service is overloaded or hung"
_HUNG_UP = "the service hung up in the middle of the session; see its log"

_ROWS = (
    Cause("dns.not_found", NO_ACTION, "the name has no address here; compare: getent ahosts NAME"),
    Cause("dns.timeout", NO_ACTION, "the name servers in /etc/resolv.conf do not answer"),
    Cause(
        "dns.failure",
        NO_ACTION,
        "the name servers in /etc/resolv.conf cannot be reached, or answer with an error; try again later",
    ),
    Cause("connect.refused", ANY_ACTION, "nothing listens on that port; is the IMAP service running?"),
    Cause(
        "connect.timeout",
        ANY_ACTION,
        "no answer at all: the machine is down, or a firewall drops the packets",
    ),
    Cause(
        "connect.unreachable", NO_ACTION, "no route to the machine, or a firewall rejects it: see who says so"
    ),
    Cause(
        "connect.reset",
        ANY_ACTION,
        "something accepted the connection and dropped it: a proxy without a server behind it?",
    ),
    Cause(
        "tls.handshake",
        NO_ACTION,
        "is it the right port for --tls? plain IMAP4 ports want --starttls or neither",
    ),
    Cause(
        "tls.client_certificate",
        NO_ACTION,
        "give a certificate that the server trusts with --client-cert; it may have expired",
    ),
    Cause(
        "tls.untrusted", NO_ACTION, "name the issuing certificates with --ca-file, or renew the certificate"
    ),
    Cause(
        "tls.expired",
        NO_ACTION,
        "renew the certificate; then restart the service, since many read it only at start",
    ),
    Cause(
        "tls.not_yet_valid",
        NO_ACTION,
        "compare this machine's clock with the certificate's first day; its authority's clock may be wrong",
    ),
    Cause(
        "tls.name",
        NO_ACTION,
        "test by a name that is in the certificate, or give that name with --server-name",
    ),
    Cause(
        "tls.timeout",
        ANY_ACTION,
        "the server accepts connections but does not get on with TLS; is it overloaded?",
    ),
    Cause(
        "greeting.timeout",
        ANY_ACTION,
        "the port is open but the service is silent: overloaded, hung, a TLS port (--tls), or one that waits"
        " for a proxy's header (--proxy-protocol)",
    ),
    Cause(
        "greeting.closed",
        NO_REBOOT,
        "the service hangs up on new connections; see its log. Does it want a proxy's header"
        " (--proxy-protocol)?",
    ),
    # It speaks, and says no: maintenance, a limit, a backend that is away. That is no outage to repair.
    Cause("greeting.bye", NO_ACTION, "the service refuses sessions; the reason is in its text or its log"),
    Cause("greeting.protocol", NO_ACTION, "another service listens on this port"),
    Cause("greeting.too_long", NO_ACTION, "another service listens on this port"),
    Cause(
        "starttls.refused",
        NO_ACTION,
        "does the server allow STARTTLS on this port, and has it a certificate?",
    ),
    Cause(
        "starttls.injection",
        NO_ACTION,
        "someone on the way adds text to the connection, or the server is broken",
    ),
    Cause("starttls.timeout", NO_REBOOT, _HUNG),
    Cause("starttls.closed", NO_REBOOT, _HUNG_UP),
    Cause("starttls.protocol", NO_ACTION, _NOT_IMAP4),
    Cause("starttls.too_long", NO_ACTION, _NOT_IMAP4),
    Cause(
        "capability.missing",
        NO_ACTION,
        "many servers offer more after a login (--login); else the configuration has changed, or another"
        " server answers",
    ),
    Cause("capability.timeout", NO_REBOOT, _HUNG),
    Cause("capability.closed", NO_REBOOT, _HUNG_UP),
    Cause("capability.protocol", NO_ACTION, _NOT_IMAP4),
    Cause("capability.too_long", NO_ACTION, _NOT_IMAP4),
    Cause(
        "login.refused",
        NO_ACTION,
        "the server does not let the user in: a wrong user or password, a closed account, or what its code or"
        " its log says",
    ),
    Cause(
        "login.unavailable",
        NO_REBOOT,
        "what stands behind the service (user database, mail store, backend) is away; the password is not"
        " to blame",
    ),
    Cause(
        "login.limit",
        NO_ACTION,
        "too many sessions of this user or of all, or the mailbox is in use; the password is not to blame",
    ),
    Cause("login.privacy", NO_ACTION, "the server takes no password without TLS: use --tls or --starttls"),
    Cause("login.expired", NO_ACTION, "the user's password has expired: set a new one"),
    Cause("login.timeout", NO_REBOOT, _HUNG),
    Cause("login.closed", NO_REBOOT, _HUNG_UP),
    Cause("login.protocol", NO_ACTION, _NOT_IMAP4),
    Cause("login.too_long", NO_ACTION, _NOT_IMAP4),
    Cause("logout.timeout", NO_REBOOT, _HUNG),
    Cause("logout.closed", NO_REBOOT, _HUNG_UP),
    Cause("logout.protocol", NO_REBOOT, _NOT_IMAP4),
    Cause("logout.too_long", NO_REBOOT, _NOT_IMAP4),
    # The last three are never raised: recovery finds them in what an engine wrote itself, and in other
    # plugins' lines.
    Cause(
        "engine.timeout",
        NO_ACTION,
        "the engine ended the check, or its agent is gone; raise the engine's time-out",
    ),
    Cause("engine.plugin", NO_ACTION, "the engine could not run the check; run its command line by hand"),
    # Another plugin's line: it has no causes, and whoever gave it a repair wants that. What is wrong is not
    # known, and a reboot needs to know more.
    Cause("none", NO_REBOOT, "the status line names no cause: it is another plugin's"),
)

CAUSES = {row.name: row for row in _ROWS}
"""Every cause there is, by its name, in the order of a session."""


class Failed(Exception):
    """A phase of the test failed. It never leaves the probe, which returns it as a value.

    ``cause`` is the cause, ``text`` one line about it for people, already cleaned.
    """

    def __init__(self, cause: str, text: str, out_of_time: bool = False, hint: str = "") -> None:
        super().__init__(cause, text)
        self.cause = cause
        self.text = text
        self.out_of_time = out_of_time
        """Whether it failed only because the maximum test duration was over."""
        self.hint = hint
        """What to do about it, where more is known than the cause's own hint says."""
