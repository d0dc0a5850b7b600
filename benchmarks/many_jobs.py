"""One worker process over a million jobs: does its memory stay, and is every job answered?

    python benchmarks/many_jobs.py [--jobs 1000000] [--distinct 20000] PLUGIN

Every tenth job is for a port where nobody is, a server that hangs up, or a wrong command line. Exits with
1 where memory still grows in the second half, or the process did not last.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.processes import memory  # noqa: E402
from tests.engines.core_worker import CoreWorker  # noqa: E402

BATCH = 1000
LOOKS = 10
ALLOWED_GROWTH = 1.05


def open_descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def hang_up(listener: socket.socket) -> None:
    """A server that says nothing and closes."""
    while True:
        listener.accept()[0].close()


def command(plugin: str, number: int, alive: int, rude: int) -> bytes:
    """The command of a job; every tenth is wrong in some way."""
    kind = number % 30
    port = {4: 1, 14: rude}.get(kind, alive)
    wrong = "--warning x" if kind == 24 else ""
    return f"{plugin} -H 127.0.0.1 -p {port} -t 5 --name n{number} {wrong}".encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plugin")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--distinct", type=int, default=20_000, help="how many different command lines")
    given = parser.parse_args()
    plugin = os.path.abspath(given.plugin)
    server = ROOT / "tests/engines/imap_server.py"
    rude = socket.create_server(("127.0.0.1", 0), backlog=1024)
    threading.Thread(target=hang_up, args=(rude,), daemon=True).start()
    with (
        tempfile.TemporaryDirectory(prefix="bench") as folder,
        subprocess.Popen([sys.executable, server, "0"], stdout=subprocess.PIPE, text=True) as alive,
    ):
        assert alive.stdout is not None
        port = int(alive.stdout.readline())
        words = [str(Path(plugin).with_name("imap4-worker")), "--workers", "1", "--socket", "", "--core"]
        try:
            with CoreWorker(Path(folder), words, quiet=False) as core:
                looks = run(core, plugin, port, rude.getsockname()[1], given.jobs, given.distinct)
        finally:
            alive.kill()
    grown = looks[-1] / looks[len(looks) // 2]
    print(f"memory in the second half: {grown:.3f} times")
    return int(grown > ALLOWED_GROWTH)


def run(core: CoreWorker, plugin: str, alive: int, rude: int, jobs: int, distinct: int) -> list[int]:
    """Hand the jobs out, and look at the worker from time to time.

    Returns:
        Its memory at each look, in KiB.
    """
    looks = []
    every = max(BATCH, jobs // LOOKS)
    start = time.monotonic()
    print(f"{'jobs':>9} {'KiB':>8} {'descriptors':>12} {'jobs/s':>7}")
    for first in range(0, jobs, BATCH):
        numbers = [number % distinct for number in range(first, first + BATCH)]
        # An answer for each, in its own number: CoreWorker sees to it.
        core.run(*(command(plugin, number, alive, rude) for number in numbers), timeout=30)
        done = first + BATCH
        if not Path(f"/proc/{core.registered_pid}").exists():
            sys.exit(f"the process was replaced at about {done} jobs; every job was answered")
        if done % every == 0:
            looks.append(memory(core.registered_pid))
            rate = done / (time.monotonic() - start)
            print(
                f"{done:9} {looks[-1]:8} {open_descriptors(core.registered_pid):12} {rate:7.0f}", flush=True
            )
    return looks


if __name__ == "__main__":
    sys.exit(main())
