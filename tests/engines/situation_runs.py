"""Every engine with the situations, all at the same time, and what becomes of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.nagios.command_file import send
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Definition, Monitor
from tests.engines import acting, icinga, icinga_eyes, nagios_core
from tests.engines.faked_clock import FakedClock
from tests.engines.recorder import Recorder
from tests.engines.situations import DISTURBED, DRAWN, GROUP, SITUATIONS, Situation, monitor, write_check
from tests.engines.two_nodes import Zone

ENGINES = ("nagios", "icinga2")
ALL = (*SITUATIONS, *DRAWN)

NOT_RUN = {("icinga2", "clock")}
"""Where it would take too long to see that nothing happens."""


class Run:
    """One engine with situations, each at its own test; all at the same one where the engine is disturbed."""

    def __init__(self, engine: str, folder: Path, situations: Mapping[int, Situation]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.recorder = Recorder(folder / "recorder")
        self.situations = tuple(situations.values())
        self.monitors = {each.name: monitor(each, number) for number, each in situations.items()}
        ports = {self.monitors[each.name].port: each for each in self.situations}
        self._programs = Programs(
            check=write_check(folder, ports),
            monitor=self.recorder.program("imap4-monitor", "imap4.monitor.cli"),
            recovery=self.recorder.recovery,
            command_file=str(folder / "rw" / "nagios.cmd"),
        )
        self.is_nagios = engine == "nagios"
        self.started = False
        self._clock: FakedClock | None = None
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
            if any(each.engine == "clock" for each in self.situations):
                self._clock = FakedClock(folder)
            self.engine = nagios_core.Nagios(folder, self._clock.environment if self._clock else None)
        else:
            icinga.make(folder)
            api = icinga.api(folder, {"eyes": icinga_eyes.PERMISSIONS})
            self.eyes = icinga_eyes.IcingaEyes(api, "eyes")
            macros = '"$user.name$", "$service.name$", "$notification.type$"'
            icinga.user(folder, "boss", f'command = [ "{self.recorder.notify}", {macros} ]')
            members = "".join(f'object User "{name}" {{ groups = [ "admins" ] }}\n' for name in GROUP)
            (folder / "objects" / "b-group.conf").write_text('object UserGroup "admins" { }\n' + members)
            self.engine = icinga.Icinga(folder)
        self._write(self.monitors.values())
        acting.write_hosts(folder, services, self.is_nagios)
        self._sent: dict[tuple[str, int], float] = {}
        self._status: acting.Blocks = {}
        self._all: icinga_eyes.Seen = {}
        self.checked_again: dict[str, float] = {}
        """When checks that were off were on again, by situation."""
        self.late = False
        """Whether a test came before the engine was disturbed: the machine was too slow."""
        self.disturbed = not any(each.engine for each in self.situations)

    def _write(self, monitors: Iterable[Monitor]) -> None:
        render = nagios.render if self.is_nagios else icinga2.render
        definition = Definition("situations.toml", tuple(monitors))
        write(self.folder / "objects", render(definition, self._programs, existing_hosts=True))

    def start(self) -> None:
        """Start the engine."""
        self.engine.start()
        self.started = True

    def stop(self) -> None:
        """Stop the engine."""
        clocked = self.engine.pid if self._clock and self.started else 0
        with suppress(OSError):
            self.engine.stop()
        if clocked:
            FakedClock.clean(clocked)

    def tests(self, situation: Situation) -> int:
        """How many of its tests have ended."""
        return len(self.recorder.tests(self.monitors[situation.name].port))

    def step(self) -> bool:
        """Do what is due; whether all is over."""
        self._status, self._all = {}, {}
        if not self.disturbed:
            self._disturb()
        for each in self.situations:
            self._step(each)
        return all(self.tests(each) >= len(each.results) for each in self.situations)

    def _disturb(self) -> None:
        """What happens to the whole engine, when all of its situations are between the same two tests."""
        (word,) = {each.engine for each in self.situations}
        (number,) = {at for each in self.situations for at, what in each.happens.items() if word in what}
        ends = [self.recorder.tests(each.port)[number:] for each in self.monitors.values()]
        if not all(ends) or time.time() - max(each[0].end for each in ends) < 4:
            return
        if not all(self._counted(each, number) for each in self.situations):
            return
        ends = [self.recorder.tests(each.port)[number:] for each in self.monitors.values()]
        self.disturbed = True
        self.late = any(len(each) > 1 for each in ends)
        if self.late:
            return
        if word == "restart":
            self.engine.stop()
            self.engine.start()
        elif self._clock:
            self._clock.set(-300)
        elif word == "kill":
            self.engine.kill()
            self.engine.start()
        else:
            if word == "change":
                last = len(self.situations[0].results)
                rules = {each.name: each.rules_at(max(last, number + 1)) for each in self.situations}
                self._write(replace(each, rules=rules[each.name]) for each in self.monitors.values())
            self.engine.reload()

    def _counted(self, situation: Situation, number: int) -> bool:
        """Whether the handler has done what it does after a test: a killed core would not run it again."""
        if not self.is_nagios:
            return True
        its = self.monitors[situation.name]
        failed = number - situation.results.rfind("+", 0, number + 1)
        return str(self._seen(its.host, its.service)["count"]).split(":")[1:2] == [str(failed)]

    def _gated(self, situation: Situation, number: int) -> bool:
        """Whether a test has to wait until all the others have come to theirs."""
        words = situation.happens.get(number, ())
        others = ((self.monitors[each.name].port, self.tests(each)) for each in self.situations)
        return any(word in DISTURBED for word in words) and not all(
            ended > number or (self.folder / f"begun-{port}-{number}").exists() for port, ended in others
        )

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
            if "checks off" in situation.happens.get(number - 1, ()):
                self._check_again(its)
            if situation.waits_long(number) and (not number or self._quiet(situation, number)):
                self._force((its.name, -number), its)
        elif gate.exists():
            words = [word for word in situation.happens[number] if word not in DISTURBED]
            seen = self._seen(its.host, its.service) if words else {}
            missing = [what for what in words if not acting.is_so(what, seen)]
            if missing:
                self._make((its.name, number), missing[0], its)
            elif not self._gated(situation, number):
                gate.unlink()

    def _check_again(self, its: Monitor) -> None:
        """Switch checks on that are off, when the test that was due by now was not made."""
        last = self.recorder.tests(its.port)[-1].end
        if time.time() - last < 3 * its.rules.delays.down:
            return
        if not self._seen(its.host, its.service)["checks"]:
            self._make((its.name, 1000), "checks on", its)
            self.checked_again[its.name] = time.time()

    def _quiet(self, situation: Situation, number: int) -> bool:
        """Whether all that the test before caused is done."""
        its = self.monitors[situation.name]
        if time.time() - self.recorder.tests(its.port)[-1].end < 2.5:
            return False
        if situation.results[number - 1] == "-" or situation.unhandled(number - 1):
            return True
        return bool(self._seen(its.host, its.service)["settled"])

    def _seen(self, host: str, service: str) -> dict[str, object]:
        """What the engine has of a service; it is asked for all of them once a step, for that takes long."""
        if isinstance(self.engine, nagios_core.Nagios):
            self._status = self._status or acting.status_of(self.engine)
            return acting.of_nagios(self._status, host, service)
        self._all = self._all or self.eyes.all()
        return icinga_eyes.see(self._all, host, service)

    def _make(self, key: tuple[str, int], what: str, its: Monitor) -> None:
        """Make it so; again after some seconds, where nothing came of it."""
        if self._may(key, 5):
            if isinstance(self.engine, nagios_core.Nagios):
                made = acting.commands(what, its.host, its.service)
                send(str(self.engine.command_file), made, Deadline(10))
            else:
                self.eyes.make(what, its.host, its.service)

    def _force(self, key: tuple[str, int], its: Monitor) -> None:
        if self._may(key, 30):
            if isinstance(self.engine, nagios_core.Nagios):
                forced = ("SCHEDULE_FORCED_SVC_CHECK", its.host, its.service, int(time.time()))
                send(str(self.engine.command_file), [forced], Deadline(10))
            else:
                self.eyes.force(its.host, its.service)

    def _may(self, key: tuple[str, int], patience: float) -> bool:
        now = time.monotonic()
        may = now - self._sent.get(key, -patience) >= patience
        if may:
            self._sent[key] = now
        return may


class Runs(dict[tuple[str, str], Run]):
    """The engines by name and what happens to them; and two nodes of a zone."""

    zone: Zone


@pytest.fixture(scope="session")
def situations() -> Iterator[Runs]:
    """Every engine after all situations, by its name and what happens to it; they run at the same time."""
    top = Path(tempfile.mkdtemp(prefix="imap4-situations-"))
    top.chmod(0o755)
    runs = Runs()
    runs.zone = Zone(top / "zone")
    for word in ("", *DISTURBED):
        its = {number: each for number, each in enumerate(ALL) if each.engine == word}
        for engine in ENGINES:
            if (engine, word) in NOT_RUN:
                continue
            runs[engine, word] = Run(engine, top / f"{engine}-{word}", its)
    try:
        for run in runs.values():
            run.start()
        runs.zone.start()
        deadline = Deadline(600)
        over = False
        while not over and not deadline.expired:
            time.sleep(0.3)
            steps = [runs.zone.step(), *(run.step() for run in runs.values())]
            over = all(steps)
        # The last notifications are sent after the last tests.
        time.sleep(2)
        yield runs
    finally:
        runs.zone.stop()
        for run in runs.values():
            run.stop()
        shutil.rmtree(top, ignore_errors=True)
