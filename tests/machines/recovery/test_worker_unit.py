"""The worker's systemd unit, as it is shipped, under a real systemd; the core is a stand-in on the host.

The machine shares the host's network and its files can be reached from the host, so that the IMAP4 servers
and the core's socket are made here.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.core_worker import Registered, query_socket
from tests.machines.certificates import Authority
from tests.machines.recovery.machine import Machine, wait_for
from tests.machines.scripted import Peer, ScriptedServer, closed_port, good

UNIT = "imap4-worker"
DROP_IN = f"/run/systemd/system/{UNIT}.service.d"
PLUGIN = b"/usr/local/bin/check_imap4"
CORE = "/var/lib/nagios4/rw"
PATIENCE = 30


class Service:
    """The running service, and the core's ends of its workers."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        # Whoever runs the tests makes the socket, which then becomes the core's.
        machine.console(f"mkdir -p {CORE} && chmod 777 {CORE}")
        self._listener = query_socket(f"{machine.root}{CORE}/nagios.qh")
        machine.console(f"chown nagios:nagios {CORE}/nagios.qh && chmod 660 {CORE}/nagios.qh")
        self.cores: list[Registered] = []

    def take_two(self) -> None:
        """Let two workers register."""
        for core in self.cores:
            core.close()
        self.cores = [Registered(self._listener) for _ in range(2)]

    def close(self) -> None:
        """Stop the service and leave nothing behind."""
        self.machine.console(f"systemctl stop {UNIT}; systemctl reset-failed {UNIT}")
        self.machine.console(f"rm -rf {CORE} {DROP_IN}; systemctl daemon-reload")
        for core in self.cores:
            core.close()
        self._listener.close()

    def shown(self, name: str) -> str:
        """A property, as systemd has it."""
        return self.machine.console('systemctl show --value -p "$1" "$2"', name, UNIT)

    @property
    def main(self) -> int:
        return int(self.shown("MainPID"))

    def processes(self) -> set[int]:
        """All of the unit's."""
        group = self.shown("ControlGroup")
        return set(map(int, self.machine.console('cat "/sys/fs/cgroup$1/cgroup.procs"', group).split()))

    def status(self) -> dict[str, Any]:
        """What ``imap4-worker status`` says on the machine."""
        state: dict[str, Any] = json.loads(self.machine.console("imap4-worker status --json"))
        return state


@pytest.fixture
def begin(machine: Machine, installed_worker: None) -> Iterator[Callable[..., Service]]:
    """Starts the service, with lines for a drop-in."""
    with contextlib.ExitStack() as stack:

        def make(*lines: str) -> Service:
            service = Service(machine)
            stack.callback(service.close)
            text = "\n".join(["[Service]", *lines, ""])
            machine.console(f'mkdir -p {DROP_IN} && printf %s "$1" >{DROP_IN}/test.conf', text)
            # It comes back when the READY notification has come; without one, it fails after a while.
            machine.console(f"systemctl daemon-reload; systemctl start {UNIT}")
            assert service.shown("ActiveState") == "active", machine.console(f"journalctl -u {UNIT} -n 20")
            service.take_two()
            return service

        yield make


def check(server: ScriptedServer, options: bytes = b"") -> bytes:
    return b"%b -H %b -p %d %b" % (PLUGIN, server.host.encode(), server.port, options)


def verdict(answer: dict[str, bytes]) -> tuple[str, bytes]:
    """The status line with a T for each time, and how the check ended."""
    assert answer["outerr"] == b""
    line = answer["outstd"].decode().partition(" | ")[0]
    return re.sub(r"[0-9]+\.[0-9]{3} s\b", "T s", line), answer["wait_status"]


def good_of(server: ScriptedServer) -> tuple[str, bytes]:
    return f"IMAP4 OK - {server.host}:{server.port} greeting in T s, logged out", b"0"


class Gate:
    """A server's script that greets once it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, peer: Peer) -> None:
        self.open.wait(PATIENCE)
        good(peer)


def test_it_starts_as_its_user_without_rights_and_shows_its_status(begin: Callable[..., Service]) -> None:
    service = begin()
    wait_for(lambda: "2 workers, 2 registered, " in service.shown("StatusText"), PATIENCE, "status")
    workers = {core.registered_pid for core in service.cores}
    assert service.processes() == workers | {service.main}
    for pid in service.processes():
        command = 'ps -o user= -p "$1"; grep -E "^(CapEff|NoNewPrivs)" "/proc/$1/status"'
        shown = service.machine.console(command, str(pid)).split()
        assert shown == ["nagios", "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    said = service.machine.console("imap4-worker status; echo $?")
    assert f"core      {CORE}/nagios.qh, 2 of 2 registered" in said
    assert said.endswith("\n0")
    assert {worker["pid"] for worker in service.status()["workers"]} == workers


def test_it_serves_programs_of_its_user_alone(begin: Callable[..., Service]) -> None:
    service = begin()
    serve = "/run/imap4-worker/check.sock"
    assert service.machine.console(f"stat -c '%a %U' {serve} {serve.rpartition('/')[0]}") == (
        "600 nagios\n755 nagios"
    )
    with ScriptedServer(good) as server:
        # A folder that the unit itself could not write: the record is the program's own.
        command = f"check_imap4 -H {server.host} -p {server.port} --record /srv/records --id Mail"
        service.machine.console("install -d -o nagios /srv/records")
        line, _ = good_of(server)
        # To root it is somebody else's folder, who could say OK.
        for count, user in enumerate(("nagios", "root")):
            bare = "env -i PATH=/usr/local/bin:/usr/bin:/bin"
            said = service.machine.console(f"runuser -u {user} -- {bare} {command}; echo $?").splitlines()
            assert re.sub(r"[0-9]+\.[0-9]{3} s\b", "T s", said[0].partition(" | ")[0]) == line
            assert said[1] == "0"
            wait_for(lambda: service.status()["total"]["served"] == 1, PATIENCE, "the count")
            records = service.machine.console("cat /srv/records/*-*.tsv | grep -c Mail")
            # Root writes nothing where another user could lead its file elsewhere.
            assert int(records) == 1, count
    service.machine.console("rm -r /srv/records")


def test_hardening_lets_every_kind_of_check_through(begin: Callable[..., Service], tmp_path: Path) -> None:
    service = begin()
    authority = Authority(tmp_path)
    service.machine.console(f'printf %s "$1" >{CORE}/ca.pem', Path(authority.file).read_text())
    by_tls = f"--tls --ca-file {CORE}/ca.pem".encode()
    secure = ScriptedServer(good, tls=authority.server())
    with ScriptedServer(good) as plain, secure as tls, closed_port() as port:
        name = b"%b -H localhost -4 -p %d" % (PLUGIN, plain.port)
        refused = b"%b -H 127.0.0.1 -p %d --name \xc3\xbc" % (PLUGIN, port)
        here = (check(plain), check(tls, by_tls), name, refused)
        programs = (check(plain, b"; exit $?"), check(plain, b"-e rea+dy"), check(tls, by_tls + b";"))
        answers = service.cores[0].run(*here, *programs, name + b";")
        wait_for(lambda: service.status()["total"]["jobs"] == 8, PATIENCE, "figures of all")
    greeted = f"IMAP4 OK - 127.0.0.1:{plain.port} greeting in T s, logged out", b"0"
    by_name = f"IMAP4 OK - localhost:{plain.port} greeting in T s, logged out", b"0"
    secured = f"IMAP4 OK - 127.0.0.1:{tls.port} greeting in T s, logged out", b"0"
    closed = f"ü CRITICAL - 127.0.0.1:{port} connection refused [connect.refused]", b"512"
    expected = [greeted, secured, by_name, closed, greeted, greeted, secured, by_name]
    assert [verdict(answer) for answer in answers] == expected
    total = service.status()["total"]
    assert (total["in_process"], total["programs"]) == (4, 4)


def test_stop_answers_what_is_under_way_first(begin: Callable[..., Service]) -> None:
    service = begin()
    core, gate = service.cores[0], Gate()
    with ScriptedServer(gate) as server:
        numbers = core.start(check(server), check(server, b";"))
        wait_for(lambda: server.connections == 2, PATIENCE, "both checks are under way")
        service.machine.console(f"systemctl stop --no-block {UNIT}")
        wait_for(lambda: service.shown("ActiveState") == "deactivating", PATIENCE, "stopping")
        gate.open.set()
        for answer in core.answers(numbers):
            assert verdict(answer) == good_of(server)
        assert core.receive() == []
    wait_for(lambda: service.shown("ActiveState") == "inactive", PATIENCE, "the end")
    assert (service.shown("Result"), service.shown("ExecMainStatus")) == ("success", "0")


def test_stop_in_the_middle_of_the_start_takes_no_time_out(begin: Callable[..., Service]) -> None:
    service = begin()
    service.machine.console(f"systemctl stop {UNIT}")
    # What stops it must not be passed by before the program has come to say what it means.
    service.machine.console(f"systemctl start --no-block {UNIT}; systemctl stop {UNIT}")
    assert (service.shown("ActiveState"), service.shown("Result")) == ("inactive", "success")


@pytest.mark.parametrize(
    ("number", "result"), [("KILL", "signal"), ("STOP", "watchdog")], ids=["killed", "frozen"]
)
def test_a_dead_supervisor_is_replaced_and_no_job_is_lost(
    begin: Callable[..., Service], number: str, result: str
) -> None:
    service = begin("WatchdogSec=3")
    old, gate = service.processes(), Gate()
    with ScriptedServer(gate) as server:
        numbers = [core.start(check(server)) for core in service.cores]
        wait_for(lambda: server.connections == 2, PATIENCE, "checks are under way")
        service.machine.console('kill -"$1" "$2"', number, str(service.main))
        wait_for(lambda: service.shown("Result") == result, PATIENCE, "systemd has seen it")
        gate.open.set()
        for core, jobs in zip(service.cores, numbers, strict=True):
            for answer in core.answers(jobs):
                assert verdict(answer) == good_of(server)
        service.take_two()
        assert verdict(service.cores[1].run(check(server))[0]) == good_of(server)
    assert service.processes() == {service.main, *(core.registered_pid for core in service.cores)}
    assert not service.processes() & old
    assert service.shown("NRestarts") == "1"
    assert service.status()["pid"] == service.main


def test_systemd_never_gives_up_starting_it(begin: Callable[..., Service]) -> None:
    service = begin("RestartSec=0")

    def restarts() -> int:
        return int(service.shown("NRestarts")) if service.shown("ActiveState") == "active" else 0

    for times in range(6):  # systemd itself puts up with five starts in ten seconds
        service.machine.console('kill -KILL "$1"', str(service.main))
        wait_for(lambda: restarts() > times, PATIENCE, "a restart")  # noqa: B023 - called at once


def test_programs_of_a_frozen_supervisor_end_with_it_and_are_answered(begin: Callable[..., Service]) -> None:
    service = begin("WatchdogSec=3")
    core = service.cores[0]
    numbers = core.start(b"/bin/sh -c 'echo begun; exec sleep 60'", timeout=60)
    wait_for(lambda: len(service.processes()) == 4, PATIENCE, "the program runs")
    service.machine.console('kill -STOP "$1"', str(service.main))
    [answer] = core.answers(numbers)
    # systemd's watchdog sends SIGABRT to all: the workers answer before they end, the program just ends.
    assert (answer["exited_ok"], answer["wait_status"], answer["outstd"]) == (b"1", b"6", b"begun\n")
    service.take_two()
    assert len(service.processes()) == 3
    assert service.shown("NRestarts") == "1"
