"""``imap4-monitor pace``, forked at every failing test, hands its work over as the check does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.plugin import ROOT
from tests.machines.serving import BIN, Run, Serving, checked, serving

MONITOR = str(BIN / "imap4-monitor")
RENDERED = (
    *("--interval-length", "1", "--host", "mail", "--service", "IMAP/4 größer", "--up", "30", "--warn", "30"),
    *("--down", "60", "--lost", "30", "--failures", "3", "--alerts", "3", "--duration", "10", "--wrap", "0"),
    *("--state=CRITICAL", "--number=2", "--notice=5", "--problem=7", "--downtime=0", "--host-downtime=0"),
    *("--host-state=UP", "--host-state-type=HARD", "--count=7:2:0:2:1:4"),
)


class Engine:
    """The engine's end of the command file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "nagios.cmd"
        os.mkfifo(self.path)
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def close(self) -> None:
        """Read no more."""
        os.close(self._descriptor)

    def commands(self) -> str:
        """What came, without the moments."""
        try:
            text = os.read(self._descriptor, 65536).decode()
        except BlockingIOError:
            return ""
        return re.sub(r"[0-9]{10}", "T", text)

    def pace(self, *more: str, ask: Path | str = "off", state: str = "CRITICAL") -> tuple[Run, str]:
        """Run the handler; how it ended, and what it has sent."""
        rendered = [word.replace("CRITICAL", state) for word in RENDERED]
        arguments = ("pace", "--command-file", str(self.path), *rendered, *more)
        run = checked(*arguments, ask=ask, program=(MONITOR,), env={"LC_ALL": "C.UTF-8"})
        return run, self.commands()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    one = Engine(tmp_path)
    yield one
    one.close()


@pytest.fixture(scope="module")
def worker() -> Iterator[Serving]:
    with serving("--workers", "1", "--stall", "60") as one:
        yield one


@pytest.mark.parametrize("state", ["CRITICAL", "OK"])
def test_a_worker_sends_the_same_commands(worker: Serving, engine: Engine, state: str) -> None:
    before = len(worker.answers)
    handed, sent = engine.pace(ask=worker.folder / "between.sock", state=state)
    assert (handed, sent) == engine.pace(state=state)
    assert (handed, sent.count("\n") > 1) == (Run(0, "", ""), True)
    assert [answer[:1] for answer in worker.answers[before:]] == [b"D"]


def test_what_is_wrong_is_told_alike(worker: Serving, tmp_path: Path) -> None:
    path = tmp_path / "nagios.cmd"
    os.mkfifo(path)  # which nobody reads
    arguments = ("pace", "--command-file", str(path), *RENDERED)
    env = {"LC_ALL": "C.UTF-8"}
    before = len(worker.answers)
    handed = checked(*arguments, ask=worker.folder / "between.sock", program=(MONITOR,), env=env)
    assert handed == checked(*arguments, program=(MONITOR,), env=env)
    told = f"imap4-monitor pace: mail/IMAP/4 größer: {path}: no engine reads it; nothing was sent\n"
    assert handed == Run(1, "", told)
    assert [answer[:1] for answer in worker.answers[before:]] == [b"D"]


def test_other_words_are_read_by_the_program(worker: Serving, engine: Engine) -> None:
    for more in (("--help",), ("--nonsense",), ("--up", "x")):
        assert engine.pace(*more, ask=worker.socket) == engine.pace(*more)


def test_another_command_asks_nobody(worker: Serving) -> None:
    before = worker.asked
    run = checked("--version", ask=worker.folder / "between.sock", program=(MONITOR,))
    assert (run.code, worker.asked) == (0, before)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
def test_a_worker_that_fails_costs_no_command(engine: Engine, number: signal.Signals) -> None:
    with serving("--workers", "1", "--stall", "60") as worker:
        os.kill(worker.workers[0], number)
        assert engine.pace(ask=worker.socket) == engine.pace()
        assert engine.pace()[1]


def test_hardly_anything_is_imported(worker: Serving, engine: Engine) -> None:
    text = (ROOT / "scripts/imap4-monitor").read_text()
    found = re.search(r"^start='\n(.*?)'$", text, re.DOTALL | re.MULTILINE)
    assert found
    start = f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n{found[1]}"
    python = [sys.executable, "-I", "-S", "-X", "importtime", "-c", start, MONITOR]
    command = [*python, "pace", "--command-file", str(engine.path), *RENDERED]
    env = {"IMAP4_WORKER": str(worker.socket), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert engine.commands()
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"imap4.monitor.program", "imap4.handover.client"} <= loaded
    assert not loaded & {"argparse", "re", "logging", "site", "socket", "typing", "enum", "dataclasses"}
    assert not {name for name in loaded if name.startswith(("imap4.monitor.engines", "imap4.worker"))}
