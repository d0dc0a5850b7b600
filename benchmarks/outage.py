"""What a mass outage costs in a real engine, beside a quiet day: every monitor fails, or none.

    python benchmarks/outage.py [--engine nagios|icinga2] [--monitors N] [--delay S] [--json FILE] PLUGIN

Counted is the CPU time of the engine, of all that it starts and of imap4-worker. How well the delays are kept
is read from the records that the tests leave. The figures of one run can be compared with each other.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.in_nagios import Server  # noqa: E402
from benchmarks.processes import HERTZ  # noqa: E402
from imap4.deadline import Deadline  # noqa: E402
from imap4.monitor.engines.command_lines import Programs  # noqa: E402
from imap4.monitor.engines.icinga2 import objects as icinga2  # noqa: E402
from imap4.monitor.engines.nagios import objects as nagios  # noqa: E402
from imap4.monitor.engines.nagios.command_file import Command, send  # noqa: E402
from imap4.monitor.engines.rendered_files import write  # noqa: E402
from imap4.monitor.model import Contact, Definition, Monitor  # noqa: E402
from imap4.monitor.states import Delays, Rules  # noqa: E402
from tests.engines import icinga, nagios_core  # noqa: E402
from tests.engines.nagios import Worker, wait_until  # noqa: E402

_SEEN = 2
"""Tests of each monitor before it is measured: the first ones come from the engine's start."""


_FORKED = 10
"""Failing tests a second that are measured with forks, at most."""


class Result(NamedTuple):
    """One measurement."""

    mode: str
    tests: int
    cpu: float
    """CPU milliseconds of one test, all that follows from it included."""
    core: float
    """Share of one core."""
    parts: dict[str, float]
    """The CPU milliseconds of each process that took part."""
    late: float
    """The longest that a test began off its delay, in seconds; the middle one is ``usual``."""
    usual: float


class Site(NamedTuple):
    """A running engine."""

    leaders: list[int]
    """Whose sessions are counted."""
    records: Path

    def cpu(self) -> dict[str, float]:
        """CPU seconds by process; what ended meanwhile is its parent's."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                head, _, tail = path.read_text().rpartition(")")
                fields = tail.split()
                if int(fields[3]) in self.leaders:
                    found[head.replace("(", "")] = sum(map(int, fields[11:15])) / HERTZ
        return found

    def tests(self) -> dict[str, list[tuple[float, float]]]:
        """Begin and end of each test, by the monitor's id."""
        found: dict[str, list[tuple[float, float]]] = {}
        for path in sorted(self.records.glob("*.tsv")):
            for line in path.read_text().split("\n"):
                fields = line.split("\t")
                if len(fields) > 5:
                    end = float(fields[1])
                    found.setdefault(fields[3], []).append((end - float(fields[2] or 0), end))
        return found


def _definition(count: int, delay: int, port: int) -> Definition:
    # Nobody is told while it is measured: what a mail costs is not ours, and alerts are few.
    rules = Rules(Delays(delay, delay, delay, delay), failures_per_alert=1000, maximum_alerts=3)
    monitors = [
        Monitor(
            f"Mail {n}",
            "127.0.0.1",
            "mail",
            f"Mail {n}",
            port=port,
            rules=rules,
            contacts=(Contact("admins"),),
        )
        for n in range(count)
    ]
    return Definition("outage.toml", tuple(monitors))


def _begin(engine: nagios_core.Nagios, definition: Definition) -> None:
    """Let the first tests begin one after another, over one interval."""
    start, count = time.time() + 3, len(definition.monitors)
    told: list[Command] = [("START_EXECUTING_SVC_CHECKS",)]
    for number, monitor in enumerate(definition.monitors):
        moment = start + number * monitor.rules.delays.up / count
        told.append(("SCHEDULE_FORCED_SVC_CHECK", "mail", monitor.service, int(moment)))
    send(str(engine.command_file), told, Deadline(60))


@contextmanager
def site(engine: str, plugin: str, definition: Definition, worker: list[str] | None) -> Iterator[Site]:
    """An engine with these monitors; ``worker``: the options of one beside it."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="outage", ignore_cleanup_errors=True))
        )
        (folder / "records").mkdir()
        programs = Programs(
            check=plugin,
            monitor=str(Path(plugin).with_name("imap4-monitor")),
            command_file=str(folder / "rw" / "nagios.cmd"),
            records=str(folder / "records"),
            interval_length=1,
        )
        running: nagios_core.Nagios | icinga.Icinga
        leaders = []
        if engine == "nagios":
            main = nagios_core.make(folder, 1)
            # As Debian has it: a status file every ten seconds. Tests begin when they are told to.
            text = main.read_text().replace("status_update_interval=1\n", "status_update_interval=10\n")
            main.write_text(text.replace("execute_service_checks=1", "execute_service_checks=0"))
            nagios_core.contact(folder, "admins", "/usr/bin/mail admins")
            write(folder / "objects", nagios.render(definition, programs))
            running = nagios_core.Nagios(folder)
            if worker is not None:
                program = str(Path(plugin).with_name("imap4-worker"))
                place = folder / "rw" / "nagios.qh"
                ours = stack.enter_context(Worker(folder, place, *worker, program=program))
                leaders.append(ours.process.pid)
        else:
            icinga.make(folder)
            icinga.user(folder, "admins", 'command = [ "/usr/bin/mail" ]')
            write(folder / "objects", icinga2.render(definition, programs))
            running = icinga.Icinga(folder)
        stack.callback(running.stop)
        running.start()
        leaders.append(running.pid)
        if isinstance(running, nagios_core.Nagios):
            names = 6 if worker == [] else 2 if worker else 0
            wait_until(lambda: running.log().count("Registry request: name=imap4-worker-") == names)
            _begin(running, definition)
        yield Site(leaders, folder / "records")


def measure(mode: str, given: argparse.Namespace, worker: list[str] | None = None) -> Result:
    """One engine, from its start until it has been watched for the time that was asked for."""
    server, free = Server(), socket.socket()
    try:
        free.bind(("127.0.0.1", 0))  # nobody listens there: refused
        port = server.port if "quiet" in mode else free.getsockname()[1]
        definition = _definition(given.monitors, given.delay, port)
        with site(given.engine, given.plugin, definition, worker) as running:

            def settled() -> bool:
                found = running.tests()
                return len(found) == given.monitors and all(len(each) >= _SEEN for each in found.values())

            limit = time.monotonic() + 6 * given.delay + 60
            while not settled():
                assert time.monotonic() < limit, "not every monitor was tested twice"
                time.sleep(1)
            before, start = running.cpu(), time.time()
            time.sleep(given.seconds)
            after, end = running.cpu(), time.time()
            time.sleep(1)  # records are written twice a second
            tests = running.tests().values()
    finally:
        server.close()
        free.close()
    took = {name: value - before.get(name, 0.0) for name, value in after.items()}
    used = sum(took.values())
    count = sum(start <= done < end for each in tests for _, done in each)
    off = [
        abs(later[0] - earlier[1] - given.delay)
        for each in tests
        for earlier, later in itertools.pairwise(each)
        if start <= later[0] < end
    ]
    parts = {name: round(value / count * 1000, 3) for name, value in took.items() if value}
    return Result(
        mode, count, used / count * 1000, used / (end - start), parts, max(off), statistics.median(off)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plugin", help="path of check_imap4, installed as users have it")
    parser.add_argument("--engine", choices=("nagios", "icinga2"), default="nagios")
    parser.add_argument("--monitors", type=int, default=2000)
    parser.add_argument("--delay", type=int, default=60, help="seconds between two tests of a monitor")
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure")
    parser.add_argument("--mode", action="append", help="only this row; may be given again")
    parser.add_argument("--json", help="write the results to this file")
    given = parser.parse_args()
    # What is stopped in the middle must end its engine too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given.plugin = os.path.abspath(given.plugin)
    modes: dict[str, list[str] | None] = {"quiet day": None, "outage": None}
    if given.engine == "nagios":
        modes = {"quiet day": [], "outage": []}
        # More than a machine can fork would measure the machine.
        if given.monitors <= _FORKED * given.delay:
            modes |= {"outage, checks only": ["--checks-only"], "outage, no worker": None}
    print(f"{given.monitors} monitors every {given.delay} s, {given.engine}")
    print(f"{'':20} {'tests':>6} {'ms CPU each':>12} {'of a core':>10} {'off delay':>10} {'usual':>8}")
    results = []
    for mode, worker in modes.items():
        if given.mode and mode not in given.mode:
            continue
        result = measure(mode, given, worker)
        results.append(result._asdict())
        print(
            f"{mode:20} {result.tests:6} {result.cpu:12.2f} {result.core:10.1%} {result.late:8.2f} s "
            f"{result.usual:6.2f} s",
            flush=True,
        )
        print("  of which " + ", ".join(f"{name} {value:.2f}" for name, value in result.parts.items()))
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
