"""The worker under a core's hands: what it answers, and that it always does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import core as core_program
from tests.engines.core_worker import IMAP4_WORKER, CoreWorker
from tests.machines.scripted import Peer, Script, ScriptedServer, closed_port, good

PLUGIN = os.fsencode(Path(sys.executable).with_name("check_imap4"))


def start(folder: Path, *options: str) -> CoreWorker:
    words = [*IMAP4_WORKER, "--workers", "1", "--socket", str(folder / "status"), *options, "--core"]
    return CoreWorker(folder, words)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[CoreWorker]:
    with start(tmp_path) as one:
        yield one


def check(server: ScriptedServer, options: bytes = b"") -> bytes:
    return b"%b -H %b -p %d %b" % (PLUGIN, server.host.encode(), server.port, options)


def waits_for(gate: threading.Event) -> object:
    def script(peer: Peer) -> None:
        gate.wait(20)
        good(peer)

    return script


def wait_until(condition: object) -> None:
    end = time.monotonic() + 15
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def test_commands_that_are_no_checks_are_run_as_the_core_runs_them(tmp_path: Path) -> None:
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\nprintf "%s" "$#"\nfor w; do printf "<%s>" "$w"; done\necho e >&2\nexit 7\n')
    show.chmod(0o755)
    commands = [
        bytes(show) + b' a \'b c\' "d\\"e" f\\ g ~ #',
        bytes(show) + b" x | cat",
        b"/nowhere/check_imap4 -H x",
        b"nosuchprogram -H x",
        bytes(tmp_path) + b" x",
        b"check_imap4=1 /bin/sh -c 'echo got \"$check_imap4\"'",
        b"A=1",
        b"/bin/sh -c 'kill -9 $$'",
        b"/bin/sh -c 'printf ab; exit 3'",
        b"/bin/sh -c 'exit 256'",
        b"/bin/echo \xff\xc3\xa9",
        b"/bin/printf a\\\\000b",
    ]
    (tmp_path / "core").mkdir()
    (tmp_path / "ours").mkdir()
    extra = b"env=NAGIOS_A=1\nNAGIOS_B=2\n\0"
    told = ("wait_status", "exited_ok", "outstd", "outerr", "type", "command", "timeout")
    kind = ["--naemon"] if core_program.IS_NAEMON else []
    with CoreWorker(tmp_path / "core", core_program.WORKER) as core, start(tmp_path / "ours", *kind) as ours:
        for command in commands:
            [theirs], [mine] = core.run(command, extra=extra), ours.run(command, extra=extra)
            assert [mine[key] for key in told] == [theirs[key] for key in told], command


def test_environment_of_a_job_reaches_the_program(worker: CoreWorker) -> None:
    [answer] = worker.run(b"/bin/sh -c 'echo $NAGIOS_HOSTNAME $PATH'", extra=b"env=NAGIOS_HOSTNAME=a=b\n\0")
    assert answer["outstd"] == f"a=b {os.environ['PATH']}\n".encode()


def test_check_with_another_programs_environment_is_run_as_a_program(worker: CoreWorker) -> None:
    with ScriptedServer(good) as server:
        [answer] = worker.run(check(server), extra=b"env=LD_PRELOAD=/nowhere.so\n\0")
    assert b"LD_PRELOAD" in answer["outerr"]


def test_other_program_of_the_same_name_is_run(worker: CoreWorker, tmp_path: Path) -> None:
    other = tmp_path / "check_imap4"
    other.write_text("#!/bin/sh\necho another\nexit 1\n")
    other.chmod(0o755)
    [answer] = worker.run(bytes(other) + b" -H 127.0.0.1")
    assert (answer["outstd"], answer["wait_status"]) == (b"another\n", b"256")


def test_nonsense_is_answered_or_passed_by(worker: CoreWorker) -> None:
    worker.send(b"nonsense", b"", b"\0\0", b"=\0=", b"command=x\0", b"job_id=77\0type=0\0timeout=5\0")
    [answer] = worker.receive()
    assert answer["error_msg"].startswith(b"Failed to parse commandline")
    assert answer["job_id"] == b"77"
    [answer] = worker.run(b"/bin/echo still here")
    assert answer["outstd"] == b"still here\n"


def test_job_is_answered_at_its_own_time_out(worker: CoreWorker) -> None:
    with ScriptedServer(Peer.wait) as server:
        slow = b"/bin/sh -c 'echo begun; sleep 30'"
        answers = worker.run(check(server, b"-t 30"), slow, timeout=1)
    for answer in answers:
        assert (answer["exited_ok"], answer["error_code"]) == (b"0", b"62")
        assert float(answer["runtime"]) < 3
    assert answers[1]["outstd"] == b"begun\n"


def test_jobs_beyond_the_bound_wait_for_their_turn(tmp_path: Path) -> None:
    gate = threading.Event()
    with ScriptedServer(waits_for(gate)) as server, start(tmp_path, "--max-jobs", "3") as worker:  # type: ignore[arg-type]
        numbers = worker.start(*[check(server)] * 8)
        wait_until(lambda: server.connections == 3)
        gate.set()
        assert [answer["wait_status"] for answer in worker.answers(numbers)] == [b"0"] * 8
    assert server.connections == 8


def test_job_whose_turn_does_not_come_is_answered_in_time(tmp_path: Path) -> None:
    with ScriptedServer(Peer.wait) as server, start(tmp_path, "--max-jobs", "1") as worker:
        first = worker.start(check(server, b"-t 20"), timeout=20)
        [answer] = worker.answers(worker.start(check(server), timeout=1))
        assert answer["error_code"] == b"62"
        assert server.connections == 1
        assert len(first) == 1


def test_dead_targets_do_not_delay_the_living(worker: CoreWorker) -> None:
    with ScriptedServer(Peer.wait) as dead, ScriptedServer(good) as alive:
        worker.start(*[check(dead, b"-t 8")] * 40)
        wait_until(lambda: dead.connections == 40)
        start_time = time.monotonic()
        number = worker.start(check(alive))
        answers = worker.receive()
        assert [int(answer["job_id"]) for answer in answers] == list(number)
        assert time.monotonic() - start_time < 4


def test_killed_worker_loses_no_job(worker: CoreWorker) -> None:
    gate = threading.Event()
    with ScriptedServer(waits_for(gate)) as server:  # type: ignore[arg-type]
        numbers = worker.start(*[check(server, b"--name n%d" % number) for number in range(30)])
        wait_until(lambda: server.connections == 30)
        os.kill(worker.registered_pid, signal.SIGKILL)
        wait_until(lambda: server.connections == 60)
        gate.set()
        answers = worker.answers(numbers)
        for number, answer in enumerate(answers):
            assert answer["outstd"].startswith(b"n%d OK - " % number)
            assert answer["wait_status"] == b"0"
        [answer] = worker.run(check(server))
        assert answer["wait_status"] == b"0"


def kills(worker: CoreWorker, times: int) -> Script:
    """A server over whose tests the worker process dies so many times."""
    left = [times]

    def script(peer: Peer) -> None:
        if left[0]:
            left[0] -= 1
            for pid in children(worker.process.pid):
                os.kill(pid, signal.SIGKILL)
            peer.wait()
        good(peer)

    return script


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_job_that_ends_its_process_twice_is_run_as_a_program(worker: CoreWorker) -> None:
    with ScriptedServer(kills(worker, 2)) as server, ScriptedServer(good) as other:
        numbers = worker.start(check(server), check(other))
        first, second = worker.answers(numbers)
        assert server.connections == 3
    assert first["outstd"].startswith(b"IMAP4 OK - ")
    assert second["outstd"].startswith(b"IMAP4 OK - ")


def test_job_that_ends_five_processes_is_refused(worker: CoreWorker) -> None:
    killed: list[float] = []

    def script(peer: Peer) -> None:
        # One that dies within its first second is not replaced at once.
        time.sleep(1.2)
        killed.append(time.monotonic())
        for pid in children(worker.process.pid):
            os.kill(pid, signal.SIGKILL)
        peer.wait()

    with ScriptedServer(script) as server, ScriptedServer(good) as other:
        [answer] = worker.run(check(server), timeout=60)
        [later] = worker.run(check(other))
    told = b"not tried again: 5 of imap4-worker's processes ended while they ran it"
    assert (answer.get("error_msg"), answer.get("outstd")) == (told, None)
    assert len(killed) == 5
    assert later["wait_status"] == b"0"


def test_pause_of_the_whole_machine_ends_no_worker(tmp_path: Path) -> None:
    with ScriptedServer(good) as server, start(tmp_path, "--stall", "1") as worker:
        assert worker.run(check(server))[0]["wait_status"] == b"0"
        supervisor, [pid] = worker.process.pid, children(worker.process.pid)
        for _ in range(3):
            try:
                os.kill(supervisor, signal.SIGSTOP)
                os.kill(pid, signal.SIGSTOP)
                time.sleep(1.5)  # longer than a worker may stand still
            finally:
                # The supervisor has the first look.
                os.kill(supervisor, signal.SIGCONT)
                os.kill(pid, signal.SIGCONT)
            assert worker.run(check(server))[0]["wait_status"] == b"0"
            assert children(supervisor) == [pid]


def test_frozen_worker_is_replaced_within_5_seconds(worker: CoreWorker) -> None:
    with ScriptedServer(good) as server:
        assert worker.run(check(server))[0]["wait_status"] == b"0"
        begun = time.monotonic()
        os.kill(worker.registered_pid, signal.SIGSTOP)
        answers = worker.run(*[check(server)] * 20)
        assert time.monotonic() - begun < 5
    assert {answer["wait_status"] for answer in answers} == {b"0"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_terminated_worker_answers_first(worker: CoreWorker, number: signal.Signals) -> None:
    gate = threading.Event()
    with ScriptedServer(waits_for(gate)) as server:  # type: ignore[arg-type]
        numbers = worker.start(*[check(server)] * 5, b"/bin/sh -c 'sleep 1; echo slept'")
        wait_until(lambda: server.connections == 5)
        worker.process.send_signal(number)
        gate.set()
        answers = worker.answers(numbers)
        assert [answer["wait_status"] for answer in answers] == [b"0"] * 6
        assert worker.receive() == []
        assert worker.process.wait(10) == 0


def test_workers_end_with_their_supervisor(worker: CoreWorker) -> None:
    pid = worker.registered_pid
    worker.process.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid))


def test_refused_connections_by_the_hundred_are_all_answered(worker: CoreWorker) -> None:
    with closed_port() as port:
        answers = worker.run(*[b"%b -H 127.0.0.1 -p %d" % (PLUGIN, port)] * 500)
    assert {answer["wait_status"] for answer in answers} == {b"512"}


def test_upgraded_plugin_is_run_as_a_program(tmp_path: Path) -> None:
    wrapper = tmp_path / "check_imap4"
    log = tmp_path / "log"
    wrapper.write_text(f'#!/bin/sh\necho run >> {log}\nexec {PLUGIN.decode()} "$@"\n')
    wrapper.chmod(0o755)
    with ScriptedServer(good) as server, start(tmp_path, "--plugin", str(wrapper)) as worker:
        command = bytes(wrapper) + check(server).removeprefix(PLUGIN)
        assert worker.run(command)[0]["wait_status"] == b"0"
        assert not log.exists()
        wrapper.write_text(wrapper.read_text() + "# new\n")
        wait_until(lambda: worker.run(command)[0]["wait_status"] == b"0" and log.exists())


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = Path(__file__).parents[2] / "contrib/systemd/imap4-worker.service"
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/usr/local/bin/imap4-worker", IMAP4_WORKER[0]))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
