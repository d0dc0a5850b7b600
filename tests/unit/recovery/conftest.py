"""Runs ``imap4-recovery`` as engines and people do, with files of its own; its machines are stand-ins."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.paths import Paths

PROGRAM = Path(__file__).with_name("machines_stand_in.py")
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Ran:
    """What one call did."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on standard output: the one that an engine shows."""
        return self.out.splitlines()[-1] if self.out else ""


class Recovery:
    """One monitoring host: a folder with a store, its key and the state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Paths(folder / "credentials", folder / "key", folder / "state")
        self.log = folder / "machines.log"
        self.password = secrets.token_urlsafe(24)

    def environment(
        self, machines: dict[str, Any] | None = None, environ: dict[str, str] | None = None
    ) -> dict[str, str]:
        """The variables of a call."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "IMAP4_RECOVERY_CREDENTIALS": str(self.paths.credentials),
            "IMAP4_RECOVERY_KEY": str(self.paths.key),
            "IMAP4_RECOVERY_STATE": str(self.paths.state),
            "MACHINES": json.dumps(machines or {}),
            "MACHINES_LOG": str(self.log),
            **(environ or {}),
        }

    def start(
        self, *arguments: str, machines: dict[str, Any] | None = None, environ: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a call and leave it running; the caller ends it."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, PROGRAM, *arguments],
            env=self.environment(machines, environ),
            text=True,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )

    def __call__(
        self,
        *arguments: str,
        stdin: str = "",
        machines: dict[str, Any] | None = None,
        environ: dict[str, str] | None = None,
    ) -> Ran:
        process = self.start(*arguments, machines=machines, environ=environ)
        out, err = process.communicate(stdin, timeout=60)
        return Ran(process.returncode, out, err)

    def calls(self) -> list[dict[str, Any]]:
        """What the machines were asked, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def add_credential(self, name: str = "mail", *arguments: str) -> None:
        """Store a credential that may do everything on ``mail*``."""
        ran = self(
            *("credentials", "add", name, "--account", "recovery", "--password-stdin"),
            *(arguments or ("--machines", "mail*", "--actions", "all")),
            stdin=self.password + "\n",
        )
        assert ran.code == 0, ran


@pytest.fixture
def recovery(tmp_path: Path) -> Recovery:
    """A monitoring host without credentials and without history."""
    return Recovery(tmp_path)
