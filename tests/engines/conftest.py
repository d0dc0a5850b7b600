"""Real engines with private configurations, all of them running at the same time.

Every outage is one service of an engine. They are independent of one another, so one wait is enough for
all of them: the longest outage, about a minute and a half.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.icinga2.doctor import PERMISSIONS
from imap4.monitor.engines.icinga2.running import PERMISSION
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.nagios.command_file import send
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Definition
from tests.engines import acting, icinga, icinga_eyes, nagios_core
from tests.engines.recorder import Recorder
from tests.engines.scenarios import Scenario, rules
from tests.engines.servers import SILENT
from tests.engines.situation_runs import ENGINES, situations
from tests.machines.debian import DEBIAN13_PYTHON, program_of_debian13, why_no_debian13

__all__ = ["situations"]  # a fixture

DEBIAN13 = "icinga2 of Debian 13"
ODD = "Odd \u00e9 $HOME$ 'x';y"


@dataclass
class Run:
    """One engine with some outages, and what is done to it at certain tests."""

    engine: nagios_core.Nagios | icinga.Icinga
    recorder: Recorder
    scenarios: dict[str, Scenario]
    programs: Programs
    api: icinga.Api | None = None
    pending: list[tuple[str, int, Callable[[Run], None]]] = field(default_factory=list)
    """A scenario, the number of its tests at which something is done, and what."""

    @property
    def is_nagios(self) -> bool:
        """Whether this is Nagios Core."""
        return isinstance(self.engine, nagios_core.Nagios)

    def make(self, what: str, service: str) -> None:
        """Make something so: a word of ``situations``."""
        if isinstance(self.engine, nagios_core.Nagios):
            send(str(self.engine.command_file), acting.commands(what, "mail", service), Deadline(10))
        else:
            assert self.api is not None
            icinga_eyes.IcingaEyes(self.api, "eyes").make(what, "mail", service)

    def step(self) -> bool:
        """Do what is due; whether all is over."""
        for each in list(self.pending):
            name, count, action = each
            # Only what was told can be acknowledged; a test ends before its engine tells of it.
            told = action is not _acknowledge or self.recorder.notices(name)
            if told and len(self.recorder.tests(self.scenarios[name].server.port)) >= count:
                self.pending.remove(each)
                action(self)
        return not self.pending and all(each.done(self.recorder) for each in self.scenarios.values())


def _few() -> list[Scenario]:
    """Enough to show that another version of an engine behaves in the same way."""
    options = ("-e", "ready|$HOME$ 'a  b'\\!", "--name", "~ *;# #")
    return [
        Scenario("Plain", rules(3, 2), 8),
        Scenario(ODD, rules(2, 1), 2, options=options),
        Scenario("Downtime", rules(2, 2), 5),
    ]


def _plain() -> list[Scenario]:
    return [
        *_few(),
        Scenario("Every failure is an alert", rules(1, 3), 5, repair_port=2222),
        Scenario("One alert", rules(2, 1), 4),
        Scenario("One failure, one alert", rules(1, 1), 3),
        Scenario("Slow", rules(2, 2), 5, kind=SILENT, test_duration=3),
        Scenario("Blip", rules(3, 2), 2),
        Scenario("No limit", rules(2, 0), 7),
        Scenario("Acknowledged", rules(2, 3), 5),
    ]


def _downtime(run: Run) -> None:
    run.make("downtime", run.scenarios["Downtime"].monitor.service)


def _acknowledge(run: Run) -> None:
    run.make("acknowledge", run.scenarios["Acknowledged"].monitor.service)


def _restart(run: Run) -> None:
    run.engine.stop()
    run.engine.start()


def _make(engine: str, folder: Path, scenarios: Sequence[Scenario], length: int = 60) -> Run:
    # Debian 13's engine has its own Python, and a copy of the code, where it can see it.
    elsewhere = engine == DEBIAN13
    recorder = Recorder(folder / "recorder", DEBIAN13_PYTHON if elsewhere else None)
    api = None
    definition = Definition("engines.toml", tuple(each.monitor for each in scenarios))
    programs = Programs(
        check=recorder.check,
        monitor=recorder.program("imap4-monitor", "imap4.monitor.cli"),
        recovery=recorder.recovery,
        command_file=str(folder / "rw" / "nagios.cmd"),
        interval_length=length,
    )
    running: nagios_core.Nagios | icinga.Icinga
    if engine == "nagios":
        nagios_core.make(folder, length)
        for name in ("admins", "boss"):
            line = f"{recorder.notify} {name} '$SERVICEDESC$' '$NOTIFICATIONTYPE$'"
            nagios_core.contact(folder, name, line)
        write(folder / "objects", nagios.render(definition, programs))
        running = nagios_core.Nagios(folder)
    else:
        icinga.make(folder)
        program = program_of_debian13(folder, "/usr/sbin/icinga2") if elsewhere else icinga.PROGRAM
        # Debian 13's makes its certificates itself, as "icinga2 api setup" does.
        own = program if elsewhere else None
        users: dict[str, Sequence[str] | str] = {
            "imap4-recovery": PERMISSIONS,
            "nobody": ["status/query"],
            "eyes": icinga_eyes.PERMISSIONS,
            "doctor": PERMISSION,
        }
        api = icinga.api(folder, users, own)
        programs = replace(programs, icinga_api=f"https://localhost:{api.port}")
        macros = '"$user.name$", "$service.name$", "$notification.type$"'
        icinga.user(folder, "admins", f'command = [ "{recorder.notify}", {macros} ]')
        (folder / "objects" / "b-boss.conf").write_text('object User "boss" { }\n')
        write(folder / "objects", icinga2.render(definition, programs))
        running = icinga.Icinga(folder, program=program)
    return Run(running, recorder, {each.monitor.name: each for each in scenarios}, programs, api)


def stall() -> float:
    """How late a nap of half a second and some programs are: a test and its handler are as many."""
    begin = time.monotonic()
    time.sleep(0.5)
    for program in (["/bin/true"], ["/bin/true"], [sys.executable, "-IS", "-c", "import argparse"]):
        subprocess.run(program, check=True)
    return max(0.0, time.monotonic() - begin - 0.65)


@pytest.fixture(scope="session")
def runs() -> Iterator[dict[str, Run]]:
    """Every engine, once through all outages, and once with a restart in the middle of one."""
    top = Path(tempfile.mkdtemp(prefix="imap4-engines-"))
    found = {}
    if not why_no_debian13():
        newer = _make(DEBIAN13, top / "debian13", _few())
        newer.pending = [("Downtime", 1, _downtime)]
        found[DEBIAN13] = newer
    for engine in ENGINES:
        run = _make(engine, top / engine, _plain())
        run.pending = [("Downtime", 1, _downtime), ("Acknowledged", 3, _acknowledge)]
        found[engine] = run
        restarted = _make(engine, top / f"{engine}-restarted", [Scenario("Plain", rules(3, 2), 7)], length=1)
        # The first test passed; the fourth that failed is one after the first alert.
        restarted.pending = [("Plain", 5, _restart)]
        found[f"{engine} restarted"] = restarted
    try:
        for run in found.values():
            run.engine.start()
        deadline = Deadline(240)
        over = False
        while not over and not deadline.expired:
            late = stall()
            for run in found.values():
                run.recorder.stall = max(run.recorder.stall, late)
            steps = [run.step() for run in found.values()]
            over = all(steps)
        # The last notifications are sent after the last tests.
        time.sleep(1)
        yield found
    finally:
        for run in found.values():
            with suppress(OSError):
                run.engine.stop()
            for scenario in run.scenarios.values():
                scenario.server.close()
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(scope="session", params=ENGINES)
def run(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    """One engine after all outages."""
    return runs[request.param]


@pytest.fixture(scope="session", params=ENGINES)
def restarted(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    """One engine that was restarted in the middle of an outage."""
    return runs[f"{request.param} restarted"]


@pytest.fixture(scope="session")
def newer(runs: dict[str, Run]) -> Run:
    """Debian 13's Icinga 2 after some outages."""
    if DEBIAN13 not in runs:
        pytest.skip(why_no_debian13())
    return runs[DEBIAN13]
