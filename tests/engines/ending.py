"""How every engine of the tests is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Stop an engine as its unit does; what is left of its process group is killed.

    Args:
        seconds: how long it may take to stop by itself.
    """
    process.terminate()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End an engine's process group with SIGKILL."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
