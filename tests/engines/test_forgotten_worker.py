"""A core that forgets its workers and keeps their connections, as Naemon does at a reload. It is a stand-in,
since Debian has no Naemon. ``IMAP4_TEST_CORE`` lets ``test_nagios.py`` reload a real one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from imap4.worker.statistics import Statistics, total
from imap4.worker.status import overdue
from tests.engines.core_worker import Registered, query_socket
from tests.engines.nagios import Worker, wait_until


def status(worker: Worker) -> subprocess.CompletedProcess[str]:
    """What ``imap4-worker status`` says."""
    words = [sys.executable, "-m", "imap4.worker", "status", "--socket", str(worker.socket)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def test_a_worker_that_was_forgotten_registers_again_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "qh.sock"
    with query_socket(str(path)) as before, Worker(tmp_path, path) as worker:
        forgetful = [Registered(before) for _ in range(2)]
        assert forgetful[0].run(b"/bin/echo one")[0]["outstd"] == b"one\n"
        path.unlink()
        with query_socket(str(path)) as after:
            cores = [Registered(after) for _ in range(2)]
            for core in cores:
                assert core.run(b"/bin/echo two")[0]["outstd"] == b"two\n"
            assert worker.log.count("has made its socket anew, as Naemon does at a reload") == 2
            # The old connections were left, and the new ones stay.
            assert [core.receive() for core in forgetful] == [[], []]
            time.sleep(2.5)  # two more looks at the socket
            assert worker.registered() == 4
            wait_until(lambda: "\nlast job  20" in status(worker).stdout)
            done = status(worker)
            assert (done.returncode, ", 2 of 2 registered\nlast job  20" in done.stdout) == (0, True)
            for core in (*forgetful, *cores):
                core.close()


def test_a_successor_knows_that_the_core_has_forgotten_its_predecessor(tmp_path: Path) -> None:
    """The core reloads while a worker process is replaced: nobody has looked at the socket in between."""
    path = tmp_path / "qh.sock"
    with query_socket(str(path)) as before, Worker(tmp_path, path, "--workers", "1") as worker:
        forgetful = Registered(before)
        assert forgetful.run(b"/bin/echo one")[0]["outstd"] == b"one\n"
        (pid,) = worker.pids()
        os.kill(pid, signal.SIGSTOP)
        path.unlink()
        with query_socket(str(path)) as after:
            os.kill(pid, signal.SIGKILL)
            core = Registered(after)
            assert core.run(b"/bin/echo two")[0]["outstd"] == b"two\n"
            # The successor on the old connection, and then on a new one.
            assert worker.registered() == 3, worker.log
            assert "has made its socket anew" in worker.log
            forgetful.close()
            core.close()


def test_a_socket_that_is_gone_for_a_while_is_no_reason_to_leave(tmp_path: Path) -> None:
    path = tmp_path / "qh.sock"
    with query_socket(str(path)) as listener, Worker(tmp_path, path) as worker:
        cores = [Registered(listener) for _ in range(2)]
        path.unlink()
        time.sleep(2.5)  # two looks at the socket
        assert [core.run(b"/bin/true")[0]["exited_ok"] for core in cores] == [b"1", b"1"]
        assert worker.registered() == 2
        for core in cores:
            core.close()


def test_silence_is_too_long_by_what_was_usual() -> None:
    one, other = Statistics(), Statistics()
    one.last_registration, one.last_job, one.longest_gap = 1000.0, 2000.0, 300.0
    other.last_registration, other.last_job = 1000.5, 1900.0
    both = total([one.figures(), other.figures()])
    assert (both["last_registration"], both["last_job"], both["longest_gap"]) == (1000.5, 2000.0, 300.0)
    assert not overdue(both, 2600.0)
    assert overdue(both, 2601.0)
    both["longest_gap"] = 1.0
    assert not overdue(both, 2060.0)
    assert overdue(both, 2061.0)
    # Registered again, and no second job since.
    both.update(longest_gap=0.0, last_registration=5000.0)
    assert not overdue(both, 8600.0)
    assert overdue(both, 8601.0)


def test_a_registration_begins_to_measure_anew() -> None:
    statistics = Statistics()
    statistics.registered()
    statistics.came()
    statistics.last_job -= 50
    statistics.last_registration -= 60
    statistics.came()
    assert 50 <= statistics.longest_gap < 60
    statistics.registered()
    statistics.came()
    assert (statistics.longest_gap, statistics.jobs, statistics.registrations) == (0.0, 3, 2)
