"""Event handlers and silent notifications in the worker: what the programs would have done, without them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engines.core_worker import IMAP4_WORKER, CoreWorker
from tests.engines.nagios import wait_until
from tests.machines.scripted import ScriptedServer, good
from tests.unit.imap4.monitor.engines.nagios.pace_lines import argument_lists, rendered

MONITOR = str(Path(sys.executable).with_name("imap4-monitor"))
PLUGIN = str(Path(sys.executable).with_name("check_imap4"))


class Pipe:
    """A command file that the test reads, as its engine."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def lines(self) -> list[str]:
        """What was written since."""
        data = b""
        while part := self._part():
            data += part
        return data.decode().splitlines()

    def _part(self) -> bytes:
        try:
            return os.read(self._reader, 65536)
        except BlockingIOError:
            return b""

    def fill(self) -> None:
        """Leave no room in it."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)
        os.write(descriptor, b"\n" * 4096)
        os.close(descriptor)

    def close(self) -> None:
        """Read no more."""
        os.close(self._reader)


_MOMENT = re.compile(r"\b1[0-9]{9}\b")


def without_moments(lines: list[str]) -> tuple[list[str], list[int]]:
    """Lines, and apart the seconds since the epoch that are in them."""
    moments = [int(found) for line in lines for found in _MOMENT.findall(line)]
    return [_MOMENT.sub("T", line) for line in lines], moments


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    made = Pipe(tmp_path / "nagios.cmd")
    yield made
    made.close()


class HandlersWorker(CoreWorker):
    """A worker that says what it has done."""

    def __init__(self, folder: Path) -> None:
        self._status = str(folder / "status")
        words = [*IMAP4_WORKER, "--workers", "1", "--socket", self._status, "--core"]
        super().__init__(folder, words)
        self._seen = (0, 0, 0)

    def _figures(self) -> tuple[int, int, int]:
        """How many jobs were done in the process, as handlers, and as programs; and checks."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self._status)
            data = b""
            while part := sock.recv(65536):
                data += part
        total = json.loads(data)["total"]
        return total["handled"], total["programs"], total["in_process"]

    def begin(self) -> None:
        """Let ``expect`` count from here: once all jobs that were answered are counted."""
        wait_until(lambda: sum(self._figures()) == self._jobs)
        self._seen = self._figures()

    def expect(self, handled: int, programs: int) -> None:
        """Assert that it has done so many since this was last asked."""
        self._seen = wanted = (self._seen[0] + handled, self._seen[1] + programs, self._seen[2])
        wait_until(lambda: self._figures() == wanted)


@pytest.fixture(scope="module")
def only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandlersWorker]:
    with HandlersWorker(tmp_path_factory.mktemp("worker")) as one:
        yield one


@pytest.fixture
def worker(only: HandlersWorker) -> HandlersWorker:
    only.begin()
    return only


# Each example starts a program.


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_worker_does_what_the_program_does(data: st.DataObject, worker: HandlersWorker, pipe: Pipe) -> None:
    drawn = data.draw(st.one_of(rendered(pipe.path), argument_lists(pipe.path)))
    # Of many that fail at once, the worker asks for one, with a file, to be saved.
    nowhere = f"/nowhere/{secrets.token_hex(8)}"
    arguments = [word.replace("/nowhere/retention.dat", nowhere) for word in drawn]
    command = shlex.join([MONITOR, "pace", *arguments]).encode()
    [answer] = worker.run(command)
    ours, our_moments = without_moments(pipe.lines())
    done = subprocess.run([MONITOR, "pace", *arguments], capture_output=True, stdin=subprocess.DEVNULL)
    theirs, their_moments = without_moments(pipe.lines())
    assert ours == theirs
    told = (b"%d" % (done.returncode << 8), done.stdout, done.stderr)
    assert (answer["wait_status"], answer["outstd"], answer["outerr"]) == told
    # The second way came a moment after the first.
    assert all(0 <= later - earlier < 30 for earlier, later in zip(our_moments, their_moments, strict=True))


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_rendered_starts_no_program(data: st.DataObject, worker: HandlersWorker, pipe: Pipe) -> None:
    drawn = data.draw(st.lists(rendered(pipe.path), min_size=5, max_size=20))
    commands = [shlex.join([MONITOR, "pace", *arguments]).encode() for arguments in drawn]
    answers = worker.run(*commands, *[b"/bin/true"] * 5)
    assert {(a["wait_status"], a["outstd"], a["outerr"]) for a in answers} == {(b"0", b"", b"")}
    assert sum("IMAP4_COUNT" in line for line in pipe.lines()) == len(drawn)
    worker.expect(len(answers), 0)


def line(path: str, **changed: str) -> list[str]:
    """A rendered command line for one failing test."""
    options = {"command-file": path, "interval-length": "1", "host": "mail", "service": "Mail"}
    options |= {"up": "300", "warn": "20", "down": "60", "lost": "600", "failures": "3", "alerts": "3"}
    options |= {"wrap": "0", "duration": "10", "state": "CRITICAL", "number": "1", "notice": "1"}
    options |= {"problem": "1", "downtime": "0", "host-downtime": "0", "host-state": "UP"}
    options |= {"host-state-type": "HARD", "count": "-"} | changed
    return ["pace", *(f"--{name}={value}" for name, value in options.items())]


@pytest.mark.parametrize(
    "odd",
    [
        "{monitor} {pace} | cat",
        "{monitor} {pace} --wrap=0",
        "{monitor} {pace} more",
        "{monitor} --version",
        "{other} {pace}",
        "/bin/true ",
        "/bin/true x",
        "true x",
    ],
)
def test_what_is_not_exactly_that_is_run_as_a_program(
    odd: str, worker: HandlersWorker, pipe: Pipe, tmp_path: Path
) -> None:
    other = tmp_path / "imap4-monitor"
    other.write_text("#!/bin/sh\necho another\n")
    other.chmod(0o755)
    pace = shlex.join(line(pipe.path))
    [answer] = worker.run(odd.format(monitor=MONITOR, other=other, pace=pace).encode())
    assert (answer["outstd"] == b"another\n") == odd.startswith("{other}")
    worker.expect(0, 1)


def test_variables_of_others_are_for_a_program(worker: HandlersWorker, pipe: Pipe) -> None:
    command = shlex.join([MONITOR, *line(pipe.path)]).encode()
    worker.run(command, extra=b"env=NAGIOS_HOSTNAME=mail\n\0")
    worker.expect(1, 0)
    worker.run(command, extra=b"env=LANG=C\n\0")
    worker.expect(0, 1)


@pytest.mark.parametrize("what", ["missing", "file", "nobody reads"])
def test_command_file_that_is_none_is_told_as_the_program_tells_it(
    what: str, worker: HandlersWorker, tmp_path: Path
) -> None:
    path = tmp_path / "commands"
    if what == "file":
        path.write_text("")
    elif what == "nobody reads":
        os.mkfifo(path)
    command = [MONITOR, *line(str(path))]
    [answer] = worker.run(shlex.join(command).encode())
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"imap4-monitor pace: mail/Mail: " + os.fsencode(path))
    assert (answer["wait_status"], answer["outerr"]) == (b"256", done.stderr)
    worker.expect(1, 0)


def test_full_command_file_delays_nobody_else(worker: HandlersWorker, pipe: Pipe) -> None:
    pipe.fill()
    command = shlex.join([MONITOR, *line(pipe.path)]).encode()
    waiting = worker.start(*[command] * 10, timeout=20)
    with ScriptedServer(good) as server:
        check = f"{PLUGIN} -H {server.host} -p {server.port}".encode()
        number = worker.start(*[check] * 20)
        # The checks are answered while the handlers still wait.
        first: list[int] = []
        while len(first) < 20:
            first += [int(answer["job_id"]) for answer in worker.receive()]
        assert sorted(first) == list(number)
    pipe.lines()  # now there is room for all of them
    found = worker.answers(waiting)
    assert {answer["wait_status"] for answer in found} == {b"0"}


def test_command_file_that_stays_full_is_given_up_at_the_jobs_time(
    worker: HandlersWorker, pipe: Pipe
) -> None:
    pipe.fill()
    command = shlex.join([MONITOR, *line(pipe.path)]).encode()
    [answer] = worker.run(command, timeout=1)
    assert (answer["exited_ok"], answer["error_code"]) == (b"0", b"62")
    pipe.lines()
    [answer] = worker.run(command)
    assert answer["wait_status"] == b"0"


def test_an_engine_is_asked_to_save_once_for_all_that_fails_at_once(
    worker: HandlersWorker, pipe: Pipe, tmp_path: Path
) -> None:
    where = str(tmp_path / "retention.dat")
    command = shlex.join([MONITOR, *line(pipe.path, retention=where)]).encode()
    assert {answer["wait_status"] for answer in worker.run(*[command] * 8)} == {b"0"}
    assert sum("SAVE_STATE_INFORMATION" in each for each in pipe.lines()) == 1
