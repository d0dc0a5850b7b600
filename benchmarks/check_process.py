"""What one check costs as a process, beside its peers: ``make bench``.

Every command is run in turn, round after round, so that a machine that changes its speed changes it for
all. Only ratios within one run mean anything.

Usage: check_process.py PYTHON [ROUNDS]   (PYTHON of an environment into which the project was installed)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.processes import cpu_in_nanoseconds  # noqa: E402 - the checkout is not installed
from tests.machines.ports import start, stop, wait_until  # noqa: E402 - the checkout is not installed
from tests.machines.scripted import Peer, ScriptedServer  # noqa: E402 - the checkout is not installed

BASE = "import nagiosplugin, socket"
IMAPLIB = "import imaplib, sys; c = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]), timeout=10); c.logout()"
CHECK, PACE = "check_imap4", "imap4-monitor pace"
ASKING = ", asking a worker"
TEST = (
    *("--host", "mail", "--service", "IMAP", "--up", "30", "--warn", "30", "--down", "60", "--lost", "30"),
    *(
        "--failures",
        "3",
        "--alerts",
        "3",
        "--duration",
        "10",
        "--wrap",
        "0",
        "--state=CRITICAL",
        "--number=2",
    ),
    *("--notice=5", "--problem=7", "--downtime=0", "--host-downtime=0", "--host-state=UP"),
    *("--host-state-type=HARD", "--count=7:2:0:2:1:4"),
)
"""What a core tells the pacing handler of a failing test."""
C_PLUGIN = "/usr/lib/nagios/plugins/check_imap"


class Cost(NamedTuple):
    """Seconds of one process."""

    cpu: float
    wall: float


def serve(peer: Peer) -> None:
    """A server that knows CAPABILITY, which imaplib asks for, and LOGOUT."""
    peer.send("* OK IMAP4rev1 ready\r\n")
    tag, command = peer.command()
    if command == "CAPABILITY":
        peer.send(f"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n")
        tag, command = peer.command()
    peer.send(f"* BYE logging out\r\n{tag} OK done\r\n")


def measure(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command without its output; the kernel's own account of it (wait4(2))."""
    start = time.perf_counter()
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    process = os.posix_spawn(command[0], command, environment, file_actions=actions)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start)


@contextlib.contextmanager
def serving(python: str) -> Iterator[tuple[str, list[int]]]:
    """A worker that serves: the socket, and its processes."""
    program = str(Path(python).with_name("imap4-worker"))
    with tempfile.TemporaryDirectory() as folder:
        # What OpenSSL is told must be the same for who asks.
        bare = ["/usr/bin/env", "-i", f"PATH={os.environ['PATH']}"]
        command = [*bare, program, "--socket", f"{folder}/status.sock", "--core", ""]
        process = start(command, Path(folder, "log"))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            wait_until(Path(folder, "check.sock").is_socket, "the worker's socket")
            wait_until(lambda: len(children.read_text().split()) == 2, "the worker's processes")
            yield f"{folder}/check.sock", [process.pid, *map(int, children.read_text().split())]
        finally:
            stop(process)


def commands(python: str, port: int, command_file: str) -> dict[str, list[str]]:
    """Name to command; the check and what it is compared with."""
    found = {
        "python3 -c pass": [python, "-c", "pass"],
        f"python3 -c '{BASE}'": [python, "-c", BASE],
        "imaplib script": [python, "-c", IMAPLIB, str(port)],
        CHECK: [str(Path(python).with_name("check_imap4")), "-H", "127.0.0.1", "-p", str(port)],
    }
    monitor = str(Path(python).with_name("imap4-monitor"))
    found[CHECK + ASKING] = found[CHECK]
    found[PACE] = found[PACE + ASKING] = [monitor, "pace", "--command-file", command_file, *TEST]
    if shutil.which(C_PLUGIN):
        found["C check_imap"] = [C_PLUGIN, "-H", "127.0.0.1", "-p", str(port)]
    return found


def main(python: str, rounds: int) -> None:
    """Print one table; the ratio is to importing nagiosplugin and socket, of medians of CPU."""
    alone = {"PATH": os.environ["PATH"], "IMAP4_WORKER": "off"}
    with ScriptedServer(serve) as server, serving(python) as (asked, workers):
        # The core's end of its command file; the pipe takes more than all that is sent here.
        command_file = str(Path(asked).with_name("nagios.cmd"))
        os.mkfifo(command_file)
        reader = os.open(command_file, os.O_RDONLY | os.O_NONBLOCK)
        todo = commands(python, server.port, command_file)
        shares: list[float] = []
        costs: dict[str, list[Cost]] = {name: [] for name in todo}
        for counted in range(-2, rounds):
            for name, command in todo.items():
                if name.endswith(ASKING):
                    before = sum(map(cpu_in_nanoseconds, workers))
                    cost = measure(command, {**alone, "IMAP4_WORKER": asked})
                    # It has answered, but not gone to sleep.
                    time.sleep(0.01)
                    used = sum(map(cpu_in_nanoseconds, workers)) - before
                    cost = cost._replace(cpu=cost.cpu + used)
                    shares += [used] * (name == CHECK + ASKING)
                else:
                    cost = measure(command, alone)
                if counted >= 0:  # the first rounds warm the caches
                    costs[name].append(cost)
    base = statistics.median(cost.cpu for cost in costs[f"python3 -c '{BASE}'"])
    print(f"{'one process, medians of ' + str(rounds):44}{'CPU ms':>9}{'wall ms':>9}{'CPU ratio':>11}")
    for name, found in costs.items():
        cpu = statistics.median(cost.cpu for cost in found)
        wall = statistics.median(cost.wall for cost in found)
        print(f"{name:44}{cpu * 1000:9.1f}{wall * 1000:9.1f}{cpu / base:11.2f}")
    os.close(reader)
    print(f"of {CHECK + ASKING!r}, the worker's: {statistics.median(shares) * 1000:.2f} ms")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 30)
