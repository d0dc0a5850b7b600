"""How one worker process bears dead targets: 100 to 10,000 targets, of which 0, 10 or 100 % never answer.

    python benchmarks/dead_targets.py [--json FILE] PLUGIN

The jobs are handed out as a core does it, all at once; dead targets accept and stay silent until the
check's time-out of 2 s. Shown are the CPU for 1,000 checks, and how long the living had to wait.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.processes import cpu_of_process  # noqa: E402
from tests.engines.core_worker import CoreWorker  # noqa: E402

SILENT = """
import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(listener.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listener.accept()[0])
    if len(kept) > 15000:
        del kept[:5000]
"""


def measure(
    plugin: str, targets: int, dead_share: float, alive_port: int, dead_port: int
) -> dict[str, float]:
    """One worker, so many jobs at once, after as many to warm up."""
    dead = int(targets * dead_share)
    ports = [dead_port if number < dead else alive_port for number in range(targets)]
    commands = [
        f"{plugin} -H 127.0.0.1 -p {port} -t 2 --name n{number}".encode() for number, port in enumerate(ports)
    ]
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        program = str(Path(plugin).with_name("imap4-worker"))
        words = [program, "--workers", "1", "--max-jobs", "12000", "--socket", "", "--core"]
        with CoreWorker(Path(name), words) as core:
            core.run(*commands, timeout=60)
            before, start = cpu_of_process(core.registered_pid), time.time()
            answers = core.run(*commands, timeout=60)
            used = cpu_of_process(core.registered_pid) - before
    alive = sorted(float(answer["stop"]) - start for answer in answers[dead:])
    assert all(b" OK - " in answer["outstd"] for answer in answers[dead:])
    return {
        "targets": targets,
        "dead": dead_share,
        "cpu": used / targets * 1000,
        "alive_last": alive[-1] if alive else 0.0,
        "all": max(float(answer["stop"]) - start for answer in answers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plugin")
    parser.add_argument("--json", help="write the results to this file")
    given = parser.parse_args()
    server = ROOT / "tests/engines/imap_server.py"
    found = []
    with (
        subprocess.Popen([sys.executable, server, "0"], stdout=subprocess.PIPE, text=True) as alive,
        subprocess.Popen([sys.executable, "-c", SILENT], stdout=subprocess.PIPE, text=True) as silent,
    ):
        assert alive.stdout is not None
        assert silent.stdout is not None
        ports = int(alive.stdout.readline()), int(silent.stdout.readline())
        print(f"{'targets':>8} {'dead':>6} {'CPU/1000':>9} {'last living':>12} {'all':>8}")
        for targets in (100, 1000, 10_000):
            for share in (0.0, 0.1, 1.0):
                row = measure(os.path.abspath(given.plugin), targets, share, *ports)
                found.append(row)
                print(
                    f"{targets:8} {share:6.0%} {row['cpu']:9.3f} "
                    f"{row['alive_last']:10.2f} s {row['all']:6.2f} s",
                    flush=True,
                )
        alive.kill()
        silent.kill()
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
