"""What a check costs in a real Nagios: C check_imap, forked check_imap4, and the worker, side by side.

    python benchmarks/in_nagios.py [--quick] [--json FILE] PLUGIN

Counted is the CPU time of Nagios, its workers, all plugins and imap4-worker; not that of the IMAP server.
The figures of one run can be compared with each other, those of two runs hardly.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.processes import HERTZ, cpu_of_process  # noqa: E402
from tests.engines.nagios import Nagios, Worker, wait_until  # noqa: E402
from tests.machines.certificates import self_signed  # noqa: E402

CHECK_IMAP = "/usr/lib/nagios/plugins/check_imap"
INTERVAL = 2
STATUS_INTERVAL = 10
"""Seconds between two status files, as Debian has it; each is written with all services."""
# Cost is measured at about half of what each sustains, so that the machine is as busy with each of them.
RATES = {"check_imap": 400, "check_imap4": 20, "worker": 3200}
TLS_RATES = {"check_imap": 100, "check_imap4": 12, "worker": 400}
LOW_RATES = (100, 400, 1600)


class Result(NamedTuple):
    """One measurement."""

    mode: str
    wanted: int
    """Checks a second that were scheduled."""
    rate: float
    """Checks a second that were done."""
    cpu: float
    """CPU seconds for 1,000 checks."""
    nagios: float
    """Of these, those of Nagios' main process."""
    latency: float
    """The 95th percentile of the services' check latency, in seconds."""
    busy: float
    """Share of the machine's CPU that was used, by everything."""

    @property
    def sustained(self) -> bool:
        """Whether Nagios kept to its schedule."""
        return self.rate > 0.93 * self.wanted and self.latency < 1.0


class Server:
    """The IMAP server, apart."""

    def __init__(self, *options: str) -> None:
        script = ROOT / "tests/engines/imap_server.py"
        words = [sys.executable, str(script), *options, "0"]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.port = int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def sessions(self) -> int:
        """How many sessions have ended."""
        self._process.send_signal(signal.SIGUSR1)
        return int(self._line())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def cpu_of_session(leader: int) -> float:
    """CPU seconds of a session's processes, and of the children that they have waited for."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            ticks += sum(map(int, fields[11:15]))
    return ticks / HERTZ


def machine() -> tuple[float, float]:
    """Busy and all CPU seconds of the machine."""
    values = list(map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9]))
    return (sum(values) - values[3] - values[4]) / HERTZ, sum(values) / HERTZ


@contextmanager
def site(mode: str, plugin: str, wanted: int, tls: bool) -> Iterator[tuple[Nagios, Worker | None, Server]]:
    """A Nagios with so many services that ``wanted`` checks are due each second."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench")))
        program = CHECK_IMAP if mode == "check_imap" else plugin
        words, more = [], ""
        if tls:
            certificate, _ = self_signed(folder)
            words = ["--tls", certificate, str(folder / "self.key")]
            # check_imap does not look at whose certificate it is; check_imap4 always does.
            more = "-S" if mode == "check_imap" else f"--tls --ca-file {certificate}"
        server = Server(*words)
        stack.callback(server.close)
        command = f"{program} -H $HOSTADDRESS$ -p {server.port} -t $ARG1$ {more}"
        # Every service has a command line of its own, as in life.
        arguments = [f"{10 + number}" for number in range(wanted * INTERVAL)]
        # Checks that are due before the worker has registered would be forked, and starve it.
        settings = (
            f"status_update_interval={STATUS_INTERVAL}\ncheck_external_commands=1\nexecute_service_checks=0\n"
        )
        nagios = stack.enter_context(Nagios(folder, command, arguments, interval=INTERVAL, more=settings))
        worker = None
        if mode == "worker":
            # The one beside the plugin: with the Python, and installed in the way, that users have.
            program = str(Path(plugin).with_name("imap4-worker"))
            worker = stack.enter_context(Worker(folder, nagios.socket, program=program))
            wait_until(lambda: worker.registered() == 2)
        pipe = folder / "nagios.cmd"
        wait_until(pipe.exists)
        pipe.write_text(f"[{time.time():.0f}] START_EXECUTING_SVC_CHECKS\n")
        yield nagios, worker, server


def measure(mode: str, plugin: str, wanted: int, tls: bool = False) -> Result:
    """Let Nagios get going, then measure for as long as Nagios takes from one status file to the next."""
    with site(mode, plugin, wanted, tls) as (nagios, worker, server):
        assert nagios.process is not None
        wait_until(lambda: server.sessions() > wanted * INTERVAL, 120)
        time.sleep(2 * INTERVAL)

        def cpu() -> tuple[float, float]:
            assert nagios.process is not None
            total = cpu_of_session(nagios.process.pid)
            if worker is not None:
                total += cpu_of_session(worker.process.pid)
            return total, cpu_of_process(nagios.process.pid)

        start, before, main, load = time.monotonic(), server.sessions(), cpu(), machine()
        time.sleep(STATUS_INTERVAL)
        count, after, end = server.sessions() - before, cpu(), machine()
        elapsed = time.monotonic() - start
        status = nagios.folder / "status.dat"
        written = status.stat().st_mtime_ns if status.exists() else 0
        wait_until(lambda: status.exists() and status.stat().st_mtime_ns != written)
        latencies = sorted(service.latency for service in nagios.services())
    return Result(
        mode + (" TLS" if tls else ""),
        wanted,
        count / elapsed,
        (after[0] - main[0]) / count * 1000,
        (after[1] - main[1]) / count * 1000,
        latencies[int(len(latencies) * 0.95)] if latencies else 99.0,
        (end[0] - load[0]) / (end[1] - load[1]),
    )


def highest(mode: str, plugin: str, first: int) -> Result:
    """Raise the rate by a fifth until Nagios does not keep up; or lower it until it does."""
    best = None
    wanted = first
    while True:
        result = measure(mode, plugin, wanted)
        show(result)
        if not result.sustained and (best is not None or wanted < 10):
            return best or result
        if result.sustained:
            best = result
            if wanted < first:
                return best
        wanted = int(wanted * (6 / 5 if result.sustained else 2 / 3))


def costs(plugin: str, rates: dict[str, int], tls: bool = False) -> dict[str, Result]:
    """What a check costs in each mode, at a rate that it sustains."""
    found = {}
    for mode, rate in rates.items():
        found[mode] = measure(mode, plugin, rate, tls)
        show(found[mode])
    return found


def show(result: Result) -> None:
    """One row."""
    print(
        f"{result.mode:15} {result.wanted:7}/s {result.rate:8.0f}/s {result.cpu:8.3f} {result.nagios:8.3f} "
        f"{result.latency:8.3f} {result.busy:6.0%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plugin", help="path of check_imap4, installed as users have it")
    parser.add_argument("--quick", action="store_true", help="cost only, at one rate each")
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--rate", type=int, help="measure the worker at this rate, and nothing else")
    given = parser.parse_args()
    # What is stopped in the middle must end its engine too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given.plugin = os.path.abspath(given.plugin)
    print(f"{'':15} {'wanted':>9} {'done':>10} {'CPU/1000':>8} {'Nagios':>8} {'p95 lat.':>8} {'busy':>6}")
    if given.rate:
        show(measure("worker", given.plugin, given.rate))
        return
    cost = costs(given.plugin, RATES)
    ratio = cost["check_imap"].cpu / cost["worker"].cpu
    print(f"C check_imap costs {ratio:.1f} times the worker's CPU for the same checks")
    found: dict[str, Any] = {
        "cost": {mode: result._asdict() for mode, result in cost.items()},
        "cost_ratio": ratio,
    }
    if not given.quick:
        slow = found["worker_at_low_rates"] = []
        for rate in LOW_RATES:
            show(result := measure("worker", given.plugin, rate))
            slow.append(result._asdict())
        tls = costs(given.plugin, TLS_RATES, tls=True)
        for mode, result in tls.items():
            print(f"of which the TLS session of {mode}: {result.cpu - cost[mode].cpu:.3f}")
        found["tls"] = {mode: result._asdict() for mode, result in tls.items()}
        best = {
            mode: highest(mode, given.plugin, first)
            for mode, first in (("check_imap", 500), ("check_imap4", 30), ("worker", 4500))
        }
        ratio = best["worker"].rate / best["check_imap"].rate
        print(f"the worker's highest rate is {ratio:.1f} times that of C check_imap")
        found |= {"highest": {mode: result._asdict() for mode, result in best.items()}, "rate_ratio": ratio}
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
