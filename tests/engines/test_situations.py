"""Who is told what in situations of real life: every engine against the state machine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.nagios.command_file import send
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Definition
from tests.engines import acting, core, icinga, nagios_core
from tests.engines.conftest import ENGINES
from tests.engines.recorder import Recorder
from tests.engines.situations import (
    FORGETS,
    GROUP,
    KEEPS,
    SITUATIONS,
    Situation,
    found,
    mistakes,
    monitor,
    write_check,
)


class Run:
    """One engine with all situations, each at its own test."""

    def __init__(self, engine: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.recorder = Recorder(folder / "recorder")
        self.monitors = {each.name: monitor(each, number) for number, each in enumerate(SITUATIONS)}
        ports = {self.monitors[each.name].port: each for each in SITUATIONS}
        programs = Programs(
            check=write_check(folder, ports),
            monitor=self.recorder.program("imap4-monitor", "imap4.monitor.cli"),
            recovery=self.recorder.recovery,
            command_file=str(folder / "rw" / "nagios.cmd"),
        )
        definition = Definition("situations.toml", tuple(self.monitors.values()))
        self.is_nagios = engine == "nagios"
        self.engine: nagios_core.Nagios | icinga.Icinga
        services = {each.host: each.service for each in self.monitors.values()}
        if self.is_nagios:
            nagios_core.make(folder)
            for name in (*GROUP, "boss"):
                line = f"{self.recorder.notify} {name} '$SERVICEDESC$' '$NOTIFICATIONTYPE$'"
                nagios_core.contact(folder, name, line)
            (folder / "objects" / "group.cfg").write_text(
                f"define contactgroup {{\n    contactgroup_name admins\n    members {','.join(GROUP)}\n}}\n"
            )
            write(folder / "objects", nagios.render(definition, programs, existing_hosts=True))
            self.engine = nagios_core.Nagios(folder)
        else:
            icinga.make(folder)
            api = icinga.api(
                folder, {"eyes": ["objects/query/*", "objects/modify/*", "actions/remove-downtime"]}
            )
            self.eyes = acting.IcingaEyes(api, "eyes")
            macros = '"$user.name$", "$service.name$", "$notification.type$"'
            icinga.user(folder, "boss", f'command = [ "{self.recorder.notify}", {macros} ]')
            members = "".join(f'object User "{name}" {{ groups = [ "admins" ] }}\n' for name in GROUP)
            (folder / "objects" / "b-group.conf").write_text('object UserGroup "admins" { }\n' + members)
            write(folder / "objects", icinga2.render(definition, programs, existing_hosts=True))
            self.engine = icinga.Icinga(folder)
        acting.write_hosts(folder, services, self.is_nagios)
        self._sent: dict[tuple[str, int], float] = {}

    def tests(self, situation: Situation) -> int:
        """How many of its tests have ended."""
        return len(self.recorder.tests(self.monitors[situation.name].port))

    def step(self) -> bool:
        """Do what is due; whether all is over."""
        for each in SITUATIONS:
            self._step(each)
        return all(self.tests(each) >= len(each.results) for each in SITUATIONS)

    def _step(self, situation: Situation) -> None:
        its = self.monitors[situation.name]
        number = self.tests(situation)
        gate = self.folder / f"gate-{its.port}-{number}"
        if number >= len(situation.results):
            return
        if not (self.folder / f"begun-{its.port}-{number}").exists():
            if not number and self.is_nagios:
                # It makes its first test by itself. Two at once could be told in the wrong order.
                return
            if situation.waits_long(number) and (not number or self._quiet(situation, number)):
                now = int(time.time())
                forced = ("SCHEDULE_FORCED_SVC_CHECK", its.host, its.service, now)
                self._send((its.name, -number), forced, patience=30)
        elif gate.exists():
            happens = situation.happens[number]
            seen = self._seen(its.host, its.service)
            missing = [what for what in happens if not acting.is_so(what, seen)]
            if missing and missing[0] == "downtime ends" and not self.is_nagios:
                self.eyes.end_downtimes(its.host, its.service)
                return
            if missing and missing[0].endswith("the period") and not self.is_nagios:
                self.eyes.set_period(
                    its.host, its.service, "never" if missing[0].startswith("outside") else "imap4-always"
                )
                return
            for what in missing[:1]:
                self._send((its.name, number), *acting.commands(what, its.host, its.service))
            if not missing:
                gate.unlink()

    def _quiet(self, situation: Situation, number: int) -> bool:
        """Whether all that the test before caused is done."""
        its = self.monitors[situation.name]
        if time.time() - self.recorder.tests(its.port)[-1].end < 2.5:
            return False
        if situation.results[number - 1] == "-" or situation.unhandled(number - 1):
            return True
        return bool(self._seen(its.host, its.service)["settled"])

    def _seen(self, host: str, service: str) -> dict[str, object]:
        if isinstance(self.engine, nagios_core.Nagios):
            return acting.of_nagios(self.engine, host, service)
        return self.eyes.see(host, service)

    def _send(self, key: tuple[str, int], *commands: tuple[str | int, ...], patience: float = 5) -> None:
        """Send commands; again after some seconds, where nothing came of them."""
        now = time.monotonic()
        if now - self._sent.get(key, -patience) >= patience:
            send(str(self.engine.command_file), commands, Deadline(10))
            self._sent[key] = now


@pytest.fixture(scope="session")
def situations() -> Iterator[dict[str, Run]]:
    """Every engine after all situations; they run at the same time."""
    top = Path(tempfile.mkdtemp(prefix="imap4-situations-"))
    top.chmod(0o755)
    runs = {engine: Run(engine, top / engine) for engine in ENGINES}
    try:
        for run in runs.values():
            run.engine.start()
        deadline = Deadline(600)
        over = False
        while not over and not deadline.expired:
            time.sleep(0.3)
            over = all([run.step() for run in runs.values()])  # noqa: C419
        # The last notifications are sent after the last tests.
        time.sleep(2)
        yield runs
    finally:
        for run in runs.values():
            with suppress(OSError):
                run.engine.stop()
        shutil.rmtree(top, ignore_errors=True)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
@pytest.mark.parametrize("engine", ENGINES)
def test_who_is_told_what(situations: dict[str, Run], engine: str, situation: Situation) -> None:
    run = situations[engine]
    its = run.monitors[situation.name]
    assert run.tests(situation) >= len(situation.results), run.engine.log()[-3000:]
    seen = found(situation, its.port, run.recorder)
    kind = engine if not run.is_nagios else KEEPS if core.keeps_recoveries() else FORGETS
    if kind in situation.differs:
        wrong = mistakes(situation.expected(early=False), seen)
        assert [each for each in wrong if "RECOVERY" not in each and "handlers" not in situation.name] == []
        return
    meant = situation.expected(early=run.is_nagios and not core.keeps_recoveries())
    assert mistakes(meant, seen) == []
