"""The worker in a real Nagios Core 4: checked services, kills, freezes, reloads, restarts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.nagios import Nagios, Worker, wait_until

SERVICES = 40
PLUGIN = Path(sys.executable).with_name("check_imap4")
SERVER = Path(__file__).with_name("imap_server.py")


class Site:
    """A Nagios with services, the server that they test, the worker, and a log of forked plugins."""

    def __init__(self, nagios: Nagios, worker: Worker, forks: Path) -> None:
        self.nagios = nagios
        self.worker = worker
        self._forks = forks

    @property
    def forks(self) -> int:
        """How often the plugin was run as a program."""
        return len(self._forks.read_text().splitlines()) if self._forks.exists() else 0

    def all_checked_since(self, moment: float) -> bool:
        services = self.nagios.services()
        return len(services) == SERVICES and all(service.last_check > moment for service in services)

    def wait_for_checks(self, seconds: float = 20) -> None:
        now = time.time()
        wait_until(lambda: self.all_checked_since(now), seconds)

    def all_ok(self) -> bool:
        return {service.state for service in self.nagios.services()} == {0}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    forks = folder / "forks"
    wrapper = folder / "check_imap4"
    wrapper.write_text(f'#!/bin/sh\necho $$ >> {forks}\nexec {PLUGIN} "$@"\n')
    wrapper.chmod(0o755)
    with subprocess.Popen([sys.executable, str(SERVER), "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        arguments = [f"--name imap{number}" for number in range(SERVICES)]
        command = f"{wrapper} -H $HOSTADDRESS$ -p {port} $ARG1$"
        nagios = Nagios(folder, command, arguments)
        # The worker is there before the core: it waits for it.
        with Worker(folder, nagios.socket, "--plugin", str(wrapper)) as worker:
            wait_until(lambda: "waiting for the core" in worker.log)
            with nagios:
                wait_until(lambda: worker.registered() == 2)
                yield Site(nagios, worker, forks)
        server.kill()


def test_services_are_checked_without_forks(site: Site) -> None:
    site.wait_for_checks()
    forks = site.forks  # of the checks that were due before the registration
    site.wait_for_checks()
    assert site.forks == forks
    assert site.all_ok()
    for number, service in enumerate(site.nagios.services()):
        found = re.fullmatch(
            r"imap\d+ OK - 127\.0\.0\.1:\d+ greeting in 0\.\d{3} s, logged out", service.output
        )
        assert found, f"{number}: {service}"
        assert re.fullmatch(r"time=[0-9.]+s;;;0;10( [a-z]+=[0-9.]+s;;;0;10){4}", service.perfdata)


def test_killed_worker_is_replaced_without_forks_or_losses(site: Site) -> None:
    forks = site.forks
    for _ in range(3):
        os.kill(site.worker.pids()[0], signal.SIGKILL)
        site.wait_for_checks(5)
    assert site.forks == forks
    assert site.all_ok()


def test_frozen_worker_is_replaced_before_nagios_stands_still(site: Site) -> None:
    forks = site.forks
    frozen = time.time()
    os.kill(site.worker.pids()[0], signal.SIGSTOP)
    status = site.nagios.folder / "status.dat"
    while not site.all_checked_since(frozen):
        # Nagios writes it every second, unless it stands still.
        assert time.time() - status.stat().st_mtime < 5
        assert time.time() - frozen < 15
        time.sleep(0.1)
    assert "has stood still" in site.worker.log
    assert site.forks == forks
    assert site.all_ok()


def assert_both_work_again(site: Site, before: int) -> None:
    """Both workers have registered once more since, and nothing is forked any longer."""
    wait_until(lambda: site.worker.registered() >= before + 2)
    site.wait_for_checks()
    forks = site.forks
    site.wait_for_checks()
    assert site.forks == forks
    assert site.all_ok()


def test_reload_of_the_core_is_survived(site: Site) -> None:
    before = site.worker.registered()
    site.nagios.reload()
    assert_both_work_again(site, before)


def test_restart_of_the_core_is_survived(site: Site) -> None:
    before = site.worker.registered()
    site.nagios.stop()
    site.nagios.start()
    assert_both_work_again(site, before)


def test_core_says_nothing_bad_of_the_workers(site: Site) -> None:
    bad = re.findall(r".*(?:Unrecognized|claims job|choked|did not exit|timed out).*", site.nagios.log)
    assert bad == []


def test_status_shows_the_jobs(site: Site) -> None:
    words = [sys.executable, "-m", "imap4.worker", "status", "--socket", str(site.worker.socket)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0
    assert re.search(r"^core .* 2 of 2 registered$", done.stdout, re.MULTILINE)
    assert re.search(r"^states +[1-9][0-9]* OK, 0 WARNING, 0 CRITICAL, 0 UNKNOWN$", done.stdout, re.MULTILINE)
    assert re.search(r"^latency +p50 <= [0-9.]+ ms, p95", done.stdout, re.MULTILINE)
