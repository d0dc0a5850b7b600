"""Ten minutes in a real Nagios: a reload every 20 s, one worker killed every 45 s. Exits 1 on a loss.

    python benchmarks/soak.py [--seconds 600] PLUGIN

No service may go unchecked for longer than two intervals (a reload's own pause apart: Nagios checks
nothing while it reads its configuration), none may show a false state, no storm of forks may come, and
memory may not grow.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.processes import memory  # noqa: E402
from tests.engines.nagios import Nagios, Worker, wait_until  # noqa: E402

SERVICES = 200
INTERVAL = 5
RELOAD = 20.0
KILL = 45.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plugin")
    parser.add_argument("--seconds", type=float, default=600)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak") as name:
        return soak(Path(name), os.path.abspath(given.plugin), given.seconds)


def soak(folder: Path, plugin: str, seconds: float) -> int:
    """Run it.

    Returns:
        The exit code.
    """
    forks = folder / "forks"
    wrapper = folder / "check_imap4"
    wrapper.write_text(f'#!/bin/sh\necho $$ >> {forks}\nexec {plugin} "$@"\n')
    wrapper.chmod(0o755)
    script = ROOT / "tests/engines/imap_server.py"
    server = subprocess.Popen([sys.executable, script, "0"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    command = f"{wrapper} -H $HOSTADDRESS$ -p {server.stdout.readline().strip()} --name $ARG1$"
    arguments = [f"imap{number}" for number in range(SERVICES)]
    nagios = Nagios(folder, command, arguments, interval=INTERVAL)
    try:
        with Worker(folder, nagios.socket, "--plugin", str(wrapper)) as worker, nagios:
            wait_until(lambda: worker.registered() == 2)
            wait_until(lambda: all(s.checked for s in nagios.services()) and nagios.services())
            return watch(nagios, worker, forks, seconds)
    finally:
        server.kill()
        server.wait()


def watch(nagios: Nagios, worker: Worker, forks: Path, seconds: float) -> int:
    """Disturb, look, and tell."""
    begun = time.monotonic()
    first_memory = memory(worker.process.pid, *worker.pids())
    reload_at, kill_at = begun + RELOAD, begun + KILL
    oldest, wrong, reloads, kills = 0.0, 0, 0, 0
    forks_before = len(forks.read_text().splitlines()) if forks.exists() else 0
    while time.monotonic() < begun + seconds:
        time.sleep(0.5)
        if time.monotonic() >= reload_at:
            reload_at += RELOAD
            reloads += 1
            nagios.reload()
        if time.monotonic() >= kill_at:
            kill_at += KILL
            kills += 1
            pids = worker.pids()
            os.kill(pids[kills % len(pids)], signal.SIGKILL)
        services = nagios.services()
        if len(services) == SERVICES:
            written = (nagios.folder / "status.dat").stat().st_mtime
            oldest = max(oldest, written - min(service.last_check for service in services))
            wrong += sum(service.state != 0 for service in services)
    forked = (len(forks.read_text().splitlines()) if forks.exists() else 0) - forks_before
    last_memory = memory(worker.process.pid, *worker.pids())
    lost = nagios.log.count("doesn't exist")
    print(
        f"{seconds:.0f} s, {SERVICES} services every {INTERVAL} s, {reloads} reloads, {kills} kills: longest "
        f"unchecked {oldest:.1f} s, {wrong} wrong states, {forked} forks ({forked / max(1, reloads):.1f} a "
        f"reload), {lost} answers that Nagios did not want, memory {first_memory} -> {last_memory} KiB"
    )
    bad = oldest > 2 * INTERVAL + 1 or wrong or forked > SERVICES * (reloads + 1) // 2
    bad = bad or last_memory > first_memory * 1.5
    print("not good" if bad else "good")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
