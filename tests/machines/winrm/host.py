"""A monitoring host: its own store, key and history, and ``imap4-recovery`` called in this process."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from recovery.cli import main
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.listeners import Site

ROOT = Path(__file__).parents[3]
MACHINE = "127.0.0.1"


@dataclass(frozen=True)
class Ran:
    """What one call did."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line that it printed, wherever."""
        return (self.out + self.err).splitlines()[-1]


@dataclass(frozen=True)
class Host:
    """The folder of one monitoring host."""

    folder: Path
    site: Site

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "IMAP4_RECOVERY_CREDENTIALS": str(self.folder / "credentials"),
            "IMAP4_RECOVERY_KEY": str(self.folder / "key"),
            "IMAP4_RECOVERY_STATE": str(self.folder / "state"),
            "IMAP4_RECOVERY_CA_FILE": str(self.site.ca_file),
        }

    @contextlib.contextmanager
    def _here(self) -> Iterator[tuple[io.StringIO, io.StringIO]]:
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            yield out, err

    def run(self, *arguments: str) -> Ran:
        """Call the command in this process."""
        with self._here() as (out, err):
            code = main(arguments)
        assert self.site.password not in out.getvalue() + err.getvalue()
        return Ran(code, out.getvalue(), err.getvalue())

    def add(self, method: str, *more: str, password: str | None = None, account: str = "") -> Ran:
        """Store a credential that bears its method's name, as a person would: in a process of its own."""
        secret = self.site.password if password is None else password
        words = ["--private-key-import", str(self.site.client_pem)] if method == "winrm-certificate" else []
        done = subprocess.run(
            [
                *(sys.executable, "-m", "recovery", "credentials", "add", method, "--method", method),
                *("--account", account or self.site.account, "--machines", f"{MACHINE},localhost"),
                *("--actions", "all", *(words or ["--password-stdin"]), *more),
            ],
            input="" if words else secret + "\n",
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def act(self, action: str, method: str, endpoint: Endpoint, *more: str) -> Ran:
        """Call an action, or another command that reaches a machine, on the endpoint."""
        return self.run(*_words(action, method, endpoint, *more))

    def start(self, action: str, method: str, endpoint: Endpoint, *more: str) -> subprocess.Popen[str]:
        """Begin :meth:`act` in a process of its own, and leave it to itself."""
        return subprocess.Popen(
            [sys.executable, "-m", "recovery", *_words(action, method, endpoint, *more)],
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _words(action: str, method: str, endpoint: Endpoint, *more: str) -> list[str]:
    scheme = "http" if endpoint.tls is None else "https"
    place = ("--machine", MACHINE, "--port", str(endpoint.port), "--scheme", scheme)
    return [*action.split(), *place, "--credential", method, "--timeout", "10s", *more]
