"""A definition file on disk, and the command run on it as people run it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def imap4_monitor(tmp_path: Path) -> Run:
    """Runs ``imap4-monitor`` in a folder of its own."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "imap4.monitor.cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            env={"PYTHONPATH": str(Path(__file__).parents[4]), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Writes a definition; its name, relative to the folder, comes back."""

    def write(text: str) -> str:
        (tmp_path / "monitors.toml").write_text(text, encoding="utf-8")
        return "monitors.toml"

    return write
