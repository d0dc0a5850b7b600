"""A worker that the kernel ends for the memory that its group has used up, as systemd's MemoryMax has it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.core_worker import IMAP4_WORKER, CoreWorker
from tests.engines.nagios import wait_until
from tests.machines.scripted import Peer, ScriptedServer, good

PLUGIN = os.fsencode(Path(sys.executable).with_name("check_imap4"))
LIMIT = 200 * 1024**2
_PLACES = (
    ("/sys/fs/cgroup", "memory.max", "memory.swap.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
)
"""Of Linux' two kinds of control groups (cgroups(7)): folder, and the files that take the limits."""
_INSIDE = 'echo $$ >"$0/cgroup.procs"; exec "$@"'


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group whose memory is limited."""
    for place, limit, swap in _PLACES:
        folder = Path(place) / f"imap4-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if not (folder / limit).exists():
            folder.rmdir()
            continue
        try:
            (folder / limit).write_text(str(LIMIT))
            with contextlib.suppress(OSError):  # a kernel without swap has no such file
                (folder / swap).write_text("0" if swap.endswith("max") else str(LIMIT))
            yield folder
        finally:
            wait_until(lambda: not (folder / "cgroup.procs").read_text())  # noqa: B023 - called at once
            folder.rmdir()
        return
    pytest.skip("this machine lets nobody limit memory by control groups")


def test_a_worker_that_the_kernel_ends_for_memory_is_replaced_and_loses_no_job(
    group: Path, tmp_path: Path
) -> None:
    gate = threading.Event()

    def waits(peer: Peer) -> None:
        gate.wait(20)
        good(peer)

    inside = ["/bin/sh", "-c", _INSIDE, str(group)]
    words = [*inside, *IMAP4_WORKER, "--workers", "1", "--checks-only", "--socket", "", "--core"]
    with CoreWorker(tmp_path, words) as worker, ScriptedServer(waits) as server:
        numbers = worker.start(b"%b -H %b -p %d" % (PLUGIN, server.host.encode(), server.port))
        wait_until(lambda: server.connections == 1)
        # Whatever takes the memory, this is ended first; then what takes it.
        Path(f"/proc/{worker.registered_pid}/oom_score_adj").write_text("1000")
        eater = subprocess.run(
            [*inside, "/bin/sh", "-c", "head -c 1000m /dev/zero | tail -c 900m >/dev/null"]
        )
        assert eater.returncode != 0
        wait_until(lambda: server.connections == 2)
        gate.set()
        [answer] = worker.answers(numbers)
        assert answer["wait_status"] == b"0"
        assert worker.process.poll() is None
