"""NRPE forks the plugin on a remote host; there it asks the worker that serves beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import THEIR_USER
from tests.machines.ports import free_port, start, stop, wait_for_server
from tests.machines.scripted import ScriptedServer
from tests.machines.serving import PLUGIN, Run, Serving, checked, freezer, serving

NRPE, CHECK_NRPE = "/usr/sbin/nrpe", "/usr/lib/nagios/plugins/check_nrpe"
CONFIGURATION = """\
server_address=127.0.0.1
server_port={port}
nrpe_user={user}
nrpe_group={group}
allowed_hosts=127.0.0.1
pid_file={folder}/nrpe.pid
command_timeout=30
command[imap]={plugin} -H 127.0.0.1 -p {server} -t 8 -v
"""


class Host:
    """A host with NRPE and a worker."""

    def __init__(self, folder: Path, worker: Serving, server: ScriptedServer) -> None:
        self.worker = worker
        self.server = server
        self.port = free_port()
        user, group, seen = os.geteuid(), os.getegid(), []
        if user == 0:
            # NRPE refuses to be root. It takes itself for somebody else; what it may is what root may.
            user = group = THEIR_USER
            seen = ["unshare", "--user", f"--map-user={user}", f"--map-group={group}"]
            if subprocess.run([*seen, "true"], capture_output=True).returncode:
                pytest.skip("this machine makes no namespaces of users, and NRPE refuses to be root")
        plugin = f"/usr/bin/env IMAP4_WORKER={worker.folder}/between.sock {PLUGIN}"
        text = CONFIGURATION.format(
            port=self.port, user=user, group=group, folder=folder, plugin=plugin, server=server.port
        )
        (folder / "nrpe.cfg").write_text(text)
        self.command = [*seen, NRPE, "-c", str(folder / "nrpe.cfg"), "-f", "-n"]

    def check(self) -> Run:
        """As the monitoring host asks it."""
        asking = (CHECK_NRPE, "-n", "-H", "127.0.0.1", "-p", str(self.port), "-t", "60", "-c", "imap")
        return checked(program=asking)

    def here(self) -> Run:
        """The plugin, in a process of its own."""
        return checked("-H", "127.0.0.1", "-p", str(self.server.port), "-t", "8", "-v")


@pytest.fixture(scope="module")
def freezing() -> threading.Event:
    """Whether the worker is frozen by the next test's server."""
    return threading.Event()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, freezing: threading.Event) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("nrpe")
    with (
        serving("--workers", "1", "--stall", "60") as worker,
        ScriptedServer(freezer(worker, freezing)) as server,
    ):
        one = Host(folder, worker, server)
        process = start(one.command, folder / "log")
        try:
            wait_for_server(process, "127.0.0.1", one.port, folder / "log")
            yield one
        finally:
            stop(process)


def test_a_worker_answers_for_nrpe(host: Host) -> None:
    before = len(host.worker.answers)
    run = host.check()
    assert (run, run.code) == (host.here(), 0)
    assert [answer[:1] for answer in host.worker.answers[before:]] == [b"D"]


def test_a_worker_that_freezes_costs_no_verdict(host: Host, freezing: threading.Event) -> None:
    freezing.set()
    run = host.check()
    os.kill(host.worker.workers[0], signal.SIGCONT)
    assert (run, run.code, freezing.is_set()) == (host.here(), 0, False)
