"""Programs that note when and how an engine ran them, and then do what they stand for.

The engine runs small shell scripts; each appends lines to one file, with times from the same clock.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
TOP = Path(__file__).parents[2]
PLUGIN = os.environ.get("IMAP4_TEST_PLUGIN")
"""Another check that the engines run, a command line."""


@dataclass(frozen=True)
class Test:
    """One test, as the plugin's wrapper saw it; times in seconds since the epoch."""

    port: int
    begin: float
    end: float
    status: int


@dataclass(frozen=True)
class Notice:
    """A notification or a repair, as the program that it runs saw it."""

    who: str
    time: float
    service: str
    kind: str
    """``PROBLEM`` or ``RECOVERY``."""
    alert: int
    """For a repair, the alert's number as it was told; 0 for people."""
    arguments: tuple[str, ...] = ()


class Recorder:
    """The wrapper scripts in a folder, and what they noted."""

    def __init__(self, folder: Path, python: str | None = None) -> None:
        """
        Args:
            python: the interpreter of an engine that sees another system; it gets a copy of the code.
        """
        self.folder = folder
        self._python, self._top = python or PYTHON, TOP
        self.stall = 0.0
        """Seconds by which the machine was at worst late with what it should have done at once."""
        folder.mkdir(parents=True, exist_ok=True)
        self._tests = folder / "tests"
        self._notices = folder / "notices"
        if python:
            self._top = folder / "code"
            for name in ("imap4", "recovery"):
                shutil.copytree(TOP / name, self._top / name, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(TOP / "check_imap4.py", self._top)
        code, run = shlex.quote(str(self._top)), shlex.quote(self._python)
        plugin = PLUGIN or f"env PYTHONPATH={code} {run} -m check_imap4"
        now = "now() { date +%s.%N; }\n"
        self.check = self._script(
            "check",
            f'[ "$1" != --version ] || exec {plugin} "$@"\n'
            f'for each; do printf "%s\\0" "$each"; done > {shlex.quote(str(folder))}/arguments-"$4"\n'
            + now
            + f'begin=$(now)\n{plugin} "$@"\nstatus=$?\n'
            f'printf "%s %s %s %s\\n" "$4" "$begin" "$(now)" "$status" >> {shlex.quote(str(self._tests))}\n'
            "exit $status\n",
        )
        # One line of JSON, written at once; the arguments are quoted by a program that knows how.
        note = (
            "import json,os,sys,time\n"
            "line=json.dumps([time.time(),*sys.argv[1:]])+chr(10)\n"
            f"f=os.open({str(self._notices)!r},os.O_WRONLY|os.O_APPEND|os.O_CREAT,0o666)\n"
            "os.write(f,line.encode())\n"
        )
        (folder / "note.py").write_text(note)
        self._note = f"exec {run} -IS {shlex.quote(str(folder / 'note.py'))}"
        self.notify = self._script("notify", f'{self._note} "$@" 0\n')
        names = ("SERVICEDESC", "NOTIFICATIONTYPE", "ALERT")
        told = " ".join(f'"${{NAGIOS_{name}}}${{ICINGA_{name}}}"' for name in names)
        self.recovery = self._script(
            "imap4-recovery",
            f'[ "$1" != --version ] || exec {shlex.quote(self.program("the-real-one", "recovery"))} "$@"\n'
            f'{self._note} repair {told} "$@"\n',
        )

    def program(self, name: str, module: str) -> str:
        """A command of this checkout, installed or not; its path."""
        return self._script(
            name,
            f'PYTHONPATH={shlex.quote(str(self._top))} exec {shlex.quote(self._python)} -m {module} "$@"\n',
        )

    def _script(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)

    def arguments(self, port: int) -> list[str]:
        """The arguments of the last test of the server on ``port``, as the plugin got them."""
        return (self.folder / f"arguments-{port}").read_text().split("\0")[:-1]

    def tests(self, port: int) -> list[Test]:
        """The tests of the server on ``port``, in their order."""
        lines = self._tests.read_text().splitlines() if self._tests.exists() else []
        found = [line.split() for line in lines]
        return [
            Test(int(each[0]), float(each[1]), float(each[2]), int(each[3]))
            for each in found
            if len(each) == 4 and int(each[0]) == port
        ]

    def notices(self, service: str) -> list[Notice]:
        """What was sent and run for a service, in its order."""
        lines = self._notices.read_text().splitlines() if self._notices.exists() else []
        found = []
        for line in lines:
            moment, who, name, kind, alert, *arguments = json.loads(line)
            if name == service:
                found.append(Notice(who, moment, name, kind, int(alert or 0), tuple(arguments)))
        return found
