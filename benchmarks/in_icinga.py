"""What forked checks cost in a real Icinga 2, alone and where a worker serves.

Usage: in_icinga.py [--seconds N] [--services N] [--interval N] [--json FILE] PLUGIN

PLUGIN is the installed check_imap4; imap4-worker lies beside it. CPU is that of Icinga, of all plugins and of
the worker; not that of the IMAP server. Only ratios within one run mean anything.
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

from benchmarks.check_process import serving  # noqa: E402 - the checkout is not installed
from tests.engines import icinga  # noqa: E402 - the checkout is not installed

HERTZ = os.sysconf("SC_CLK_TCK")
SERVER = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.machines.scripted import ScriptedServer, good
with ScriptedServer(good) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""
SERVICES = """\
object CheckCommand "bench" {{ command = [ "{plugin}", "-H", "127.0.0.1", "-p", "{port}" ] }}
object Host "mail" {{
  check_command = "dummy"
  enable_active_checks = false
}}
for (number in range({services})) {{
  object Service "imap" + number {{
    host_name = "mail"
    check_command = "bench"
    check_interval = {interval}
    retry_interval = {interval}
  }}
}}
"""


def used(group: int) -> float:
    """CPU seconds of all processes of a session, and of their children that have ended."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == group:
            found += sum(map(int, fields[11:15]))
    return found / HERTZ


def measure(options: argparse.Namespace, port: int, asked: str, workers: list[int]) -> dict[str, float]:
    """One run; checks a second, and CPU seconds for 1,000 of them."""
    with tempfile.TemporaryDirectory(prefix="imap4-bench-") as name:
        folder = Path(name)
        icinga.make(folder)
        text = SERVICES.format(
            plugin=options.plugin, port=port, services=options.services, interval=options.interval
        )
        (folder / "objects" / "bench.conf").write_text(text)
        api = icinga.api(folder, {"eyes": ["status/query"]})
        node = icinga.Icinga(folder, {"IMAP4_WORKER": asked})
        node.start()
        try:
            from tests.engines.icinga_eyes import IcingaEyes

            eyes = IcingaEyes(api, "eyes")
            # The first tests are spread over the interval, and Icinga has things to do of its own.
            time.sleep(options.interval + 2)
            assert node._process is not None
            before = _counts(eyes), used(node._process.pid), sum(map(_cpu, workers)), time.monotonic()
            time.sleep(options.seconds)
            after = _counts(eyes), used(node._process.pid), sum(map(_cpu, workers)), time.monotonic()
        finally:
            node.stop()
    checks, engine, worker, wall = (b - a for a, b in zip(before, after, strict=True))
    return {
        "checks a second": checks / wall,
        "CPU seconds for 1,000 checks": (engine + worker) / checks * 1000,
        "of these, the worker's": worker / checks * 1000,
    }


def _counts(eyes: object) -> float:
    """Active checks of services since the start, as Icinga counts them."""
    found = eyes._ask(f"{eyes._url}/status/CIB", None)["results"][0]["status"]  # type: ignore[attr-defined]
    return float(found["active_service_checks_15min"])


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / HERTZ


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--services", type=int, default=40)
    parser.add_argument("--interval", type=int, default=4)
    parser.add_argument("--json", type=Path)
    parser.add_argument("plugin", type=os.path.abspath)
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    port = int(server.stdout.readline())
    try:
        with serving(str(Path(options.plugin).with_name("python3"))) as (asked, workers):
            found = {
                "forked": measure(options, port, "off", []),
                "forked, asking a worker": measure(options, port, asked, workers),
            }
    finally:
        server.communicate("")
    print(f"{'in Icinga 2':26}" + "".join(f"{name:>32}" for name in found["forked"]))
    for name, figures in found.items():
        print(f"{name:26}" + "".join(f"{value:32.2f}" for value in figures.values()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
