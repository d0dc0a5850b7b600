"""Monitor definitions: a TOML file -> frozen data, with every mistake told at once.

``docs/monitor.md`` describes the keys. Everything that a monitor may say, ``[defaults]`` may say for
all of them, except ``name``, ``address`` and ``host``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from imap4.monitor import jumps
from imap4.monitor.definition import checks, values
from imap4.monitor.definition.check_options import wrong as wrong_options
from imap4.monitor.definition.checks import Mistake
from imap4.monitor.definition.file_text import Wrong, decoded, explained
from imap4.monitor.definition.line_numbers import Path as Keys
from imap4.monitor.definition.line_numbers import line_at, lines_of
from imap4.monitor.definition.section import Section
from imap4.monitor.model import ACTIONS, Action, AlertRange, Definition, Monitor, Recovery, Tls, object_name
from imap4.monitor.states import Delays, Rules
from imap4.tokens import ParsedToken, refuse_parsed

DAY = 86_400
MOST_ALERTS = 1000


class DefinitionError(Exception):
    """The file cannot be used; ``mistakes`` has everything that is wrong in it, in the file's order."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        lines = (f"{source}:{m.line}: {m}" if m.line else f"{source}: {m}" for m in self.mistakes)
        super().__init__("\n".join(lines))


def _delays(section: Section) -> Delays:
    seconds = checks.integer(1, DAY, " (seconds)")
    down = section.value("down", seconds, 300)
    return Delays(
        up=section.value("up", seconds, 300),
        warn=section.value("warn", seconds, down),
        down=down,
        lost=section.value("lost", seconds, 300),
    )


def _tls(section: Section) -> Tls:
    tls = Tls(
        mode=section.value("mode", checks.choice("none", "tls", "starttls"), "none"),
        verify=section.value("verify", checks.boolean, True),
        ca_file=section.value("ca_file", checks.path, None),
        server_name=section.value("server_name", values.address, None),
        minimum=section.value("minimum", checks.choice("1.0", "1.1", "1.2", "1.3"), None),
        client_cert=section.value("client_cert", checks.path, None),
        client_key=section.value("client_key", checks.path, None),
    )
    if tls.mode == "none":
        for key in section.own:
            if key not in ("mode", "verify") and key in Tls.__dataclass_fields__:
                section.mistake(key, 'has no effect without TLS; set mode = "tls" or "starttls"')
    if tls.ca_file and not tls.verify:
        section.mistake("ca_file", "has no effect with verify = false")
    if tls.client_key and not tls.client_cert:
        section.mistake("client_key", "a key without its client_cert")
    return tls


def _action(section: Section) -> Action:
    action = Action(
        name=section.value("do", checks.choice(*ACTIONS), "", required=True),
        alerts=section.value("alerts", values.alert_range, AlertRange()),
        command=section.value("command", checks.listed(checks.argument, least=1, unique=False), ()),
        timeout=section.value("timeout", checks.integer(1, DAY, " (seconds)"), None),
    )
    if action.name and (action.name == "external-process") != bool("command" in section.own):
        section.mistake("command", "goes with external-process, and with nothing else")
    try:
        refuse_parsed(action.command)
    except ParsedToken as error:
        section.mistake("command", str(error))
    return action


def _recovery(section: Section) -> Recovery:
    # Windows' service names have spaces, brackets and dollar signs.
    service = checks.matching(r"[^\s/\"'-][^/\"']*", "a service's name")
    recovery = Recovery(
        machine=section.value("machine", values.machine, ""),
        credential=section.value("credential", values.NAME, ""),
        services=section.value("services", checks.listed(service), ()),
        verify=section.value("verify", checks.boolean, True),
        actions=tuple(_action(each) for each in section.tables("action")),
        port=section.value("port", checks.integer(1, 65535), None),
        jump=section.value("jump", checks.listed(values.jump), ()),
    )
    if len(recovery.jump) > jumps.MOST:
        section.mistake("jump", f"more than {jumps.MOST} jump hosts")
    if not section.partial and recovery.actions:
        names = {action.name for action in recovery.actions}
        if not section.given("machine"):
            section.mistake("machine", "is missing: actions need the machine to repair")
        if not section.given("credential"):
            section.mistake("credential", "is missing: actions need to log in to the machine")
        if "restart-service" in names and not section.given("services"):
            section.mistake("services", "is missing: restart-service needs the services to restart")
    return recovery


def _in_reach(section: Section, monitor: Monitor) -> None:
    """Ranges of alerts that begin after the last alert would never come true."""
    most = monitor.rules.maximum_alerts
    things = [("contacts", contact.name, contact.alerts) for contact in monitor.contacts]
    things += [("recovery.action", action.name, action.alerts) for action in monitor.recovery.actions]
    for key, name, alerts in things:
        if most and alerts.first > most:
            section.mistake(key, f"{name}: alert {alerts.first} is never sent, maximum_alerts is {most}")


def _monitor(section: Section) -> Monitor:
    tls = _tls(section.table("tls"))
    address = section.value("address", values.address, "", required=True)
    monitor = Monitor(
        name=section.value("name", values.NAME, "", required=True),
        address=address,
        host=section.value("host", values.known_object, object_name(address)),
        id=section.value("id", values.NAME, ""),
        enabled=section.value("enabled", checks.boolean, True),
        statistics=section.value("statistics", checks.boolean, True),
        port=section.value("port", checks.integer(1, 65535), 993 if tls.mode == "tls" else 143),
        test_duration=section.value("test_duration", checks.integer(1, 3600, " (seconds)"), 10),
        logout=section.value("logout", checks.choice("critical", "ignore"), "critical"),
        options=section.value("options", values.options, ()),
        tls=tls,
        rules=Rules(
            delays=_delays(section.table("delays")),
            failures_per_alert=section.value("failures_per_alert", checks.integer(1, 1000), 3),
            maximum_alerts=section.value("maximum_alerts", checks.integer(0, MOST_ALERTS), 3),
        ),
        contacts=section.value("contacts", checks.listed(values.contact), ()),
        period=section.value("period", values.known_object, ""),
        recovery=_recovery(section.table("recovery")),
    )
    if not section.partial:
        _in_reach(section, monitor)
    section.finish()
    return monitor


def _options(section: Section, defaults: Section, monitor: Monitor) -> None:
    """Let the plugin look at its options; a mistake is told where they stand."""
    said = wrong_options(monitor)
    if said:
        (section if "options" in section.own else defaults).mistake("options", said)


def _unique(monitors: Sequence[tuple[Section, Monitor]]) -> None:
    """Two monitors may share neither their name nor their id nor, on one host, the engines' form of it."""
    names: set[str] = set()
    ids: dict[str, str] = {}
    services: dict[tuple[str, str], str] = {}
    for section, monitor in monitors:
        if not monitor.name:
            continue
        other = services.get((monitor.host, monitor.service))
        if monitor.name in names:
            section.mistake("name", f"{checks.shown(monitor.name)} is there twice")
        elif monitor.id in ids:
            key = "id" if section.given("id") else "name"
            section.mistake(key, f'{checks.shown(monitor.id)} is the id of "{ids[monitor.id]}" already')
        elif other:
            section.mistake("name", f'engines cannot tell it from "{other}": both are "{monitor.service}"')
        names.add(monitor.name)
        ids.setdefault(monitor.id, monitor.name)
        services.setdefault((monitor.host, monitor.service), monitor.name)


def parse(text: str, source: str) -> Definition:
    """The definition that ``text`` is; ``source`` is its name in messages.

    Raises:
        DefinitionError: with every mistake in the file.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        wrong = explained(error, text)
        raise DefinitionError(source, [Mistake(wrong.line, "", "", wrong.text)]) from None
    lines = lines_of(text)
    mistakes: list[Mistake] = []

    def tell(keys: Keys, monitor: str, field: str, said: str) -> None:
        mistakes.append(Mistake(line_at(lines, keys), monitor, field, said))

    root = Section(document, {}, (), "", tell)
    defaults = root.table("defaults").renamed("[defaults]", partial=True)
    for key in ("name", "address", "host", "id"):
        if defaults.own.pop(key, None) is not None:
            defaults.mistake(key, "belongs to one monitor; it cannot be a default")
    _monitor(defaults)
    found = []
    mistakes_in_defaults = bool(mistakes)
    for number, table in enumerate(root.tables("monitor"), 1):
        named = table.own.get("name")
        label = f"monitor {checks.shown(named)}" if isinstance(named, str) and named else f"monitor {number}"
        section = table.renamed(label, inherited=defaults.own)
        before = len(mistakes)
        monitor = _monitor(section)
        found.append((section, monitor))
        # The plugin can tell only where everything else is right.
        if len(mistakes) == before and not mistakes_in_defaults:
            _options(section, defaults, monitor)
    root.finish()
    if not found and not mistakes:
        tell((), "", "", "no [[monitor]] in the file")
    _unique(found)
    if mistakes:
        unique = dict.fromkeys(mistakes)  # what is wrong in defaults may be wrong for every monitor
        raise DefinitionError(source, sorted(unique, key=lambda each: each.line or 0))
    placed = tuple(line_at(lines, ("monitor", number)) for number in range(len(found)))
    return Definition(source, tuple(monitor for _, monitor in found), placed)


def load(path: Path | str) -> Definition:
    """The definition in a file.

    Raises:
        DefinitionError: with every mistake in the file; also where it cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        said = f"cannot be read: {error.strerror}"
        raise DefinitionError(str(path), [Mistake(None, "", "", said)]) from None
    text = decoded(data)
    if isinstance(text, Wrong):
        raise DefinitionError(str(path), [Mistake(text.line, "", "", text.text)])
    return parse(text, str(path))
