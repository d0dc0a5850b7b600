"""What one check costs as a process, beside its peers: ``make bench``.

Every command is run in turn, round after round, so that a machine that changes its speed changes it for
all. Only ratios within one run mean anything.

Usage: check_process.py PYTHON [ROUNDS]   (PYTHON of an environment into which the project was installed)
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.machines.scripted import Peer, ScriptedServer  # noqa: E402 - the checkout is not installed

BASE = "import nagiosplugin, socket"
IMAPLIB = "import imaplib, sys; c = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]), timeout=10); c.logout()"
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


def measure(command: list[str]) -> Cost:
    """Run a command without its output; the kernel's own account of it (wait4(2))."""
    start = time.perf_counter()
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start)


def commands(python: str, port: int) -> dict[str, list[str]]:
    """Name to command; the check and what it is compared with."""
    found = {
        "python3 -c pass": [python, "-c", "pass"],
        f"python3 -c '{BASE}'": [python, "-c", BASE],
        "imaplib script": [python, "-c", IMAPLIB, str(port)],
        "check_imap4": [str(Path(python).with_name("check_imap4")), "-H", "127.0.0.1", "-p", str(port)],
    }
    if shutil.which(C_PLUGIN):
        found["C check_imap"] = [C_PLUGIN, "-H", "127.0.0.1", "-p", str(port)]
    return found


def main(python: str, rounds: int) -> None:
    """Print one table; the ratio is to importing nagiosplugin and socket, of medians of CPU."""
    with ScriptedServer(serve) as server:
        todo = commands(python, server.port)
        costs: dict[str, list[Cost]] = {name: [] for name in todo}
        for counted in range(-2, rounds):
            for name, command in todo.items():
                cost = measure(command)
                if counted >= 0:  # the first rounds warm the caches
                    costs[name].append(cost)
    base = statistics.median(cost.cpu for cost in costs[f"python3 -c '{BASE}'"])
    print(f"{'one process, medians of ' + str(rounds):44}{'CPU ms':>9}{'wall ms':>9}{'CPU ratio':>11}")
    for name, found in costs.items():
        cpu = statistics.median(cost.cpu for cost in found)
        wall = statistics.median(cost.wall for cost in found)
        print(f"{name:44}{cpu * 1000:9.1f}{wall * 1000:9.1f}{cpu / base:11.2f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 30)
