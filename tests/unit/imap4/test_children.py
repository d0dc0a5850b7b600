"""Exit codes count, also under a caller that ignores SIGCHLD."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Runs /bin/false as each program does with what it runs, after the program's own start.
_RUNS = {
    "imap4-worker": """
import sys; sys.argv = ["imap4-worker", "--help"]
from imap4.worker.cli import run
try: run()
except SystemExit: pass
from time import monotonic
from imap4.worker.jobs.program import execute
print(execute(b"/bin/false", {}, monotonic() + 60).wait_status >> 8)
""",
    "imap4-recovery": """
from recovery.cli import main
try: main(["--version"])
except SystemExit: pass
from imap4.deadline import Deadline
from recovery.actions.verify import verify
print(int(not verify("/bin/false", Deadline(0.5)).ok))
""",
    "imap4-monitor": """
import subprocess
from imap4.monitor.cli import main
try: main(["--help"])
except SystemExit: pass
print(subprocess.run(["/bin/false"]).returncode)
""",
}


@pytest.mark.parametrize("program", _RUNS)
def test_failure_of_a_child_is_seen_where_sigchld_is_ignored(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUNS[program]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert (done.stdout.splitlines()[-1], done.stderr) == ("1", "")
