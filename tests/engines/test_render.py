"""Rendered configuration before the engines' own verifiers: it is accepted, and says what was meant."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from imap4.monitor.definition import checks
from imap4.monitor.engines.command_lines import (
    NODE_NAME,
    Programs,
    recorded_arguments,
    recovery_arguments,
    slugs,
)
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Action, AlertRange, Contact, Definition, Monitor, Recovery
from imap4.monitor.states import Delays, Rules
from tests.engines import icinga, nagios_core

PROGRAMS = Programs()
HOSTILE = ";#!$\\\"'`{}()[]<>|&*?~%,= \u00a0\u00e9\u6f22\U0001f4ecab$$$\\;\\"


def fits(check: checks.Check, text: str) -> bool:
    """Whether a definition may have this text."""
    try:
        check(text)
    except checks.Bad:
        return False
    return True


def texts(most: int) -> st.SearchStrategy[str]:
    """Texts that definitions may have, most of them made of what means something to some engine."""
    letters = st.one_of(st.sampled_from(HOSTILE), st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")))
    return st.text(letters, min_size=1, max_size=most)


ARGUMENTS = st.lists(texts(20) | st.just(""), max_size=4).map(tuple)
RANGES = st.builds(lambda first, more: AlertRange(first, first + more), st.integers(1, 3), st.integers(0, 2))
ACTIONS = st.one_of(
    st.builds(Action, st.sampled_from(["restart-service", "reboot-server"]), RANGES),
    st.builds(Action, st.just("external-process"), RANGES, st.tuples(texts(20), texts(20))),
)
MONITORS = st.builds(
    Monitor,
    name=texts(64).filter(lambda text: fits(checks.text(64), text)),
    address=st.just("192.0.2.1"),
    host=st.sampled_from(["mail", "mail 2", "m\u00e4il"]),
    enabled=st.booleans(),
    statistics=st.booleans(),
    options=ARGUMENTS,
    rules=st.builds(
        Rules, st.builds(Delays, *[st.integers(1, 900)] * 4), st.integers(1, 5), st.integers(0, 5)
    ),
    contacts=st.sampled_from([(), (Contact("admins"), Contact("night", AlertRange(2), group=True))]),
    recovery=st.builds(
        Recovery,
        st.just("mail1"),
        texts(20),
        st.lists(texts(20), min_size=1, max_size=2).map(tuple),
        actions=st.lists(ACTIONS, max_size=2).map(tuple),
        port=st.none() | st.integers(1, 65535),
    ),
)
DEFINITIONS = st.lists(
    MONITORS, min_size=6, max_size=14, unique_by=(lambda each: each.service, lambda each: each.name)
).map(lambda monitors: Definition("hostile.toml", tuple(monitors)))
# Each example is a run of the verifier over many monitors; making them smaller would take minutes.
FEW = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, for each of an example's runs."""
    path = Path(tempfile.mkdtemp(prefix="imap4-render-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def arguments_of(command_line: str) -> list[str]:
    """What the shell makes of a command line, after the engine has made ``$`` of ``$$``."""
    return shlex.split(command_line.replace("$$", "$"))


def named(word: str) -> str:
    """What Icinga makes of an argument: its own name is "localhost" here."""
    return "localhost" if word is NODE_NAME else word


def nagios_accepts(path: Path, definition: Definition) -> None:
    """Render into ``path`` and let Nagios verify it."""
    main = nagios_core.make(path)
    nagios_core.contact(path, "admins", "/bin/true")
    (path / "objects" / "groups.cfg").write_text(
        "define contactgroup {\n    contactgroup_name night\n    members admins\n}\n"
    )
    write(path / "objects", nagios.render(definition, PROGRAMS))
    ended = nagios_core.verify(main, "-p")
    assert ended.returncode == 0, ended.stdout


# Found by the property: additive inheritance and its end.
WORDS = Definition(
    "words.toml",
    tuple(
        Monitor(name, "192.0.2.1", "mail", contacts=(Contact("admins"),))
        for name in ("+a", "null", "a+", "}")
    ),
)


@FEW
@given(DEFINITIONS)
@example(WORDS)
def test_no_value_breaks_out_of_its_field_in_nagios(definition: Definition) -> None:
    with folder() as path:
        nagios_accepts(path, definition)
        cache = path / "objects.precache"
        commands = {
            each["command_name"]: each["command_line"] for each in nagios_core.directives(cache, "command")
        }
        services = {
            (each["host_name"], each["service_description"]): each
            for each in nagios_core.directives(cache, "service")
        }
    assert len(services) == len(definition.monitors)
    repairs = sum(len(monitor.recovery.actions) for monitor in definition.monitors)
    assert len(commands) == len(definition.monitors) + repairs + len(
        ("imap4-pace", "imap4-silence", "admins")
    )
    for monitor, slug in slugs(definition.monitors).items():
        meant = recorded_arguments(monitor, PROGRAMS)
        if monitor.statistics:
            meant += ["--downtime", "$SERVICEDOWNTIME$", "--downtime", "$HOSTDOWNTIME$"]
        assert arguments_of(commands[f"imap4-check-{slug}"]) == meant
        for number, action in enumerate(monitor.recovery.actions, 1):
            meant = recovery_arguments(monitor, action, PROGRAMS, "nagios")
            line = commands[f"imap4-recovery-{slug}-{number}"].split(" exec ", 1)[1]
            assert arguments_of(line) == meant
        service = services[(monitor.host, monitor.service.strip())]
        assert service["active_checks_enabled"] == str(int(monitor.enabled))
        assert service["process_perf_data"] == str(int(monitor.statistics))
        shown = monitor.name.rstrip("\\").strip(" ") or monitor.service
        assert monitor.name == "null" or service.get("display_name", monitor.service) == shown


@FEW
@given(DEFINITIONS)
@example(WORDS)
def test_no_value_breaks_out_of_its_field_in_icinga2(definition: Definition) -> None:
    with folder() as path:
        main = icinga.make(path)
        icinga.user(path, "admins", 'command = [ "/bin/true" ]')
        (path / "objects" / "b-group.conf").write_text('object UserGroup "night" { }\n')
        write(path / "objects", icinga2.render(definition, PROGRAMS))
        ended = icinga.verify(main)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        services = icinga.objects(path, "Service")
        notifications = icinga.objects(path, "Notification")
    assert len(services) == len(definition.monitors)
    found = {(each["host_name"], each["name"]): each for each in services.values()}
    for monitor in definition.monitors:
        service = found[(monitor.host, monitor.service)]
        variables = service["vars"]
        assert isinstance(variables, dict)
        arguments = [each.replace("$$", "$") for each in variables["imap4_arguments"]]
        wanted = recorded_arguments(monitor, PROGRAMS)[1:]
        if monitor.statistics:
            wanted += ["--downtime", "$service.downtime_depth$", "--downtime", "$host.downtime_depth$"]
        assert arguments == wanted
        assert service["display_name"] == monitor.name
        assert service["enable_perfdata"] == monitor.statistics
        assert service.get("enable_active_checks", True) == monitor.enabled
    repairs = [each for each in notifications.values() if each["command"] == "imap4-recovery"]
    meant = [
        [named(word) for word in recovery_arguments(monitor, action, PROGRAMS, "icinga")[1:]]
        for monitor in definition.monitors
        for action in monitor.recovery.actions
    ]
    told = [[text.replace("$$", "$") for text in each["vars"]["imap4_arguments"]] for each in repairs]  # type: ignore[index]
    assert sorted(told) == sorted(meant)
