"""Definition files: what is read, and that every mistake is told at once, with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap4.monitor.definition.checks import Mistake
from imap4.monitor.definition.form import example
from imap4.monitor.definition.line_numbers import lines_of
from imap4.monitor.definition.reader import DefinitionError, parse
from imap4.monitor.model import Action, AlertRange, Contact, Monitor, Recovery, Tls
from imap4.monitor.states import Delays, Rules
from tests.unit.imap4.monitor.conftest import Run

MISTAKES = """\
colour = 1
[defaults]
port = 99999
name = "x"
[defaults.delays]
up = 30
down = 60
lots = 4
[[monitor]]
name = "Mail"
adress = "mail.example.org"
enabled = "yes"
contacts = ["admins", { name = "boss", alerts = "5-" }]
[monitor.delays]
warn = 0
[monitor.recovery]
machine = "mail 1"
port = 65536
[[monitor.recovery.action]]
do = "restart-server"
alerts = "3-1"
[[monitor.recovery.action]]
do = "external-process"
[[monitor]]
name = "Mail"
address = "192.0.2.1"
tls = { mode = "none", ca_file = "ca.pem" }
[[monitor]]
address = "192.0.2.1; reboot"
options = ["--name", "two\\nlines"]
failures_per_alert = true
"""
TOLD = """\
monitors.toml:1: colour: is unknown
monitors.toml:3: [defaults]: port: 99999 is not between 1 and 65535
monitors.toml:4: [defaults]: name: belongs to one monitor; it cannot be a default
monitors.toml:8: [defaults]: delays.lots: is unknown; did you mean "lost"?
monitors.toml:9: monitor "Mail": address: is missing
monitors.toml:11: monitor "Mail": adress: is unknown; did you mean "address"?
monitors.toml:12: monitor "Mail": enabled: "yes" is neither true nor false
monitors.toml:13: monitor "Mail": contacts: boss: alert 5 is never sent, maximum_alerts is 3
monitors.toml:15: monitor "Mail": delays.warn: 0 is not between 1 and 86400 (seconds)
monitors.toml:16: monitor "Mail": recovery.credential: is missing: actions need to log in to the machine
monitors.toml:17: monitor "Mail": recovery.machine: "mail 1" is not an FQDN, a NetBIOS name or an IP address
monitors.toml:18: monitor "Mail": recovery.port: 65536 is not between 1 and 65535
monitors.toml:20: monitor "Mail": recovery.action[1].do: "restart-server" is none of restart-service, \
reboot-server, external-process
monitors.toml:21: monitor "Mail": recovery.action[1].alerts: "3-1" ends before it begins
monitors.toml:22: monitor "Mail": recovery.action[2].command: goes with external-process, \
and with nothing else
monitors.toml:25: monitor "Mail": name: "Mail" is there twice
monitors.toml:27: monitor "Mail": tls.ca_file: "ca.pem" is not an absolute path
monitors.toml:27: monitor "Mail": tls.ca_file: has no effect without TLS; set mode = "tls" or "starttls"
monitors.toml:28: monitor 3: name: is missing
monitors.toml:29: monitor 3: address: "192.0.2.1; reboot" is not a name, an IP address or the absolute path \
of a socket
monitors.toml:30: monitor 3: options: a line break or control character cannot be used here
monitors.toml:31: monitor 3: failures_per_alert: true is not a whole number
"""


def one(text: str) -> Monitor:
    """The only monitor in ``text``, which has what every monitor needs put before it."""
    (monitor,) = parse(f'[[monitor]]\nname = "Mail"\naddress = "192.0.2.1"\n{text}', "file").monitors
    return monitor


def mistakes_in(text: str) -> tuple[Mistake, ...] | None:
    """The mistakes in ``text``; None where it is a definition."""
    try:
        parse(text, "file")
    except DefinitionError as error:
        return error.mistakes
    return None


def test_every_mistake_is_told_at_once_with_line_monitor_and_field(
    imap4_monitor: Run, write: Callable[[str], str]
) -> None:
    ended = imap4_monitor("validate", write(MISTAKES))
    assert (ended.stdout, ended.stderr, ended.returncode) == (TOLD, "", 1)


def test_a_good_file_is_said_to_be_good(imap4_monitor: Run, write: Callable[[str], str]) -> None:
    ended = imap4_monitor("validate", write(example("anna")))
    assert (ended.stdout, ended.stderr, ended.returncode) == (
        "monitors.toml: 1 monitor, no mistakes\n",
        "",
        0,
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[monitor]]\nname = "a\n', "monitors.toml:2: not valid TOML: Illegal character '\\n'\n"),
        ("", "monitors.toml: no [[monitor]] in the file\n"),
        ("monitor = 3\n", "monitors.toml:1: monitor: is not a list of tables; write [[monitor]]\n"),
    ],
)
def test_what_is_no_definition_is_one_clear_line(
    imap4_monitor: Run, write: Callable[[str], str], text: str, told: str
) -> None:
    ended = imap4_monitor("validate", write(text))
    assert (ended.stdout, ended.stderr, ended.returncode) == (told, "", 1)


def test_a_file_that_is_not_there_is_one_clear_line(imap4_monitor: Run) -> None:
    ended = imap4_monitor("validate", "nowhere.toml")
    assert ended.stdout == "nowhere.toml: cannot be read: No such file or directory\n"
    assert ended.returncode == 1


def test_what_the_file_leaves_out_is_ipmonitors_default() -> None:
    assert one("") == Monitor(
        name="Mail",
        address="192.0.2.1",
        host="192.0.2.1",
        port=143,
        rules=Rules(Delays(300, 300, 300, 300), 3, 3),
    )


def test_warn_is_tested_like_down_where_it_says_nothing() -> None:
    assert one("delays = { down = 20 }").rules.delays == Delays(300, 20, 20, 300)


def test_implicit_tls_has_its_own_port() -> None:
    assert one('tls = { mode = "tls" }').port == 993
    assert one('port = 143\ntls = { mode = "tls" }').port == 143


def test_defaults_are_merged_key_by_key() -> None:
    (monitor,) = parse(
        """
        [defaults]
        test_duration = 5
        contacts = ["admins"]
        delays = { up = 30, down = 40 }
        tls = { mode = "starttls", ca_file = "/ca.pem" }
        recovery = { credential = "root", port = 2222, action = [{ do = "reboot-server", alerts = "2-" }] }
        [[monitor]]
        name = "Mail"
        address = "mail.example.org"
        contacts = [{ group = "night", alerts = 2 }]
        delays = { down = 50 }
        tls.minimum = "1.3"
        recovery = { machine = "mail1" }
        """,
        "file",
    ).monitors
    assert monitor.rules.delays == Delays(30, 50, 50, 300)
    assert monitor.tls == Tls("starttls", ca_file="/ca.pem", minimum="1.3")
    assert monitor.contacts == (Contact("night", AlertRange(2, 2), group=True),)
    reboot = Action("reboot-server", AlertRange(2))
    assert monitor.recovery == Recovery("mail1", "root", (), True, (reboot,), 2222)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("0", "0 is not between 1 and 65535"),
        ('"22"', '"22" is not a whole number'),
        ("22.0", "22.0 is not a whole number"),
        ("true", "true is not a whole number"),
    ],
)
def test_what_is_no_port_of_a_repair_is_a_mistake(said: str, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        one(f"recovery = {{ port = {said} }}")
    assert str(caught.value) == f'file:4: monitor "Mail": recovery.port: {told}'


def test_a_repair_goes_to_any_port_there_is() -> None:
    assert [one(f"recovery = {{ port = {port} }}").recovery.port for port in (1, 65535)] == [1, 65535]


def test_names_that_engines_cannot_tell_apart_are_a_mistake() -> None:
    text = "".join(f'[[monitor]]\nname = "Mail {c}"\naddress = "192.0.2.1"\n' for c in "<>")
    with pytest.raises(DefinitionError) as caught:
        parse(text, "file")
    said = 'file:5: monitor "Mail >": name: engines cannot tell it from "Mail <": both are "Mail _"'
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ('"1-2"', AlertRange(1, 2)),
        ('"3"', AlertRange(3, 3)),
        ("3", AlertRange(3, 3)),
        ('"2-"', AlertRange(2)),
    ],
)
def test_alert_ranges_are_written_as_in_ipmonitor(said: str, meant: AlertRange) -> None:
    action = f'{{ do = "reboot-server", alerts = {said} }}'
    recovery = f'recovery = {{ machine = "m", credential = "c", action = [{action}] }}'
    assert one(recovery).recovery.actions[0].alerts == meant


@given(st.text(max_size=40))
def test_any_text_is_a_definition_or_a_list_of_mistakes(text: str) -> None:
    assert mistakes_in(text) is None or mistakes_in(text)
    lines_of(text)


KEYS = st.sampled_from(
    ["name", "address", "port", "delays", "tls", "recovery", "contacts", "up", "action", "x"]
)
VALUES: Any = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(max_size=8), st.floats(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def _toml(value: Any) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return (
            '"'
            + "".join(f"\\U{ord(c):08X}" if ord(c) < 0xD800 or ord(c) > 0xDFFF else "?" for c in value)
            + '"'
        )
    return "1979-05-27" if value is None else str(value)


@given(st.dictionaries(KEYS, VALUES, max_size=6), st.dictionaries(KEYS, VALUES, max_size=6))
def test_values_of_any_type_anywhere_are_mistakes_and_never_a_traceback(
    defaults: dict[str, Any], monitor: dict[str, Any]
) -> None:
    text = f"defaults = {_toml(defaults)}\nmonitor = [{_toml(monitor)}]\n"
    assert all(mistake.line for mistake in mistakes_in(text) or ())


def test_the_id_is_the_name_where_it_is_left_out() -> None:
    assert (one("").id, one("").service) == ("Mail", "Mail")
    renamed = one('id = "Old (1)"')
    assert (renamed.name, renamed.id, renamed.service) == ("Mail", "Old (1)", "Old _1_")


def test_no_two_monitors_have_one_id() -> None:
    text = (
        '[[monitor]]\nname = "New"\nid = "Mail"\naddress = "a"\n'
        '[[monitor]]\nname = "Mail"\naddress = "b"\n'
        '[[monitor]]\nname = "Third"\nid = "Mail"\naddress = "c"\n'
    )
    found = mistakes_in(text)
    assert found is not None
    assert [(each.line, each.field, each.text) for each in found] == [
        (6, "name", '"Mail" is the id of "New" already'),
        (10, "id", '"Mail" is the id of "New" already'),
    ]


def test_an_id_is_no_default() -> None:
    found = mistakes_in('[defaults]\nid = "x"\n[[monitor]]\nname = "Mail"\naddress = "a"\n')
    assert found is not None
    assert [each.text for each in found] == ["belongs to one monitor; it cannot be a default"]
