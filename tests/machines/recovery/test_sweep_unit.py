"""The sweep's systemd unit under a real systemd: it starts, delivers, and ends without a wrong result."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.sweeping import definition, monitor
from tests.machines.certificates import Authority
from tests.machines.recovery.machine import Machine, wait_for
from tests.machines.scripted import Peer, ScriptedServer, good

UNIT = "imap4-sweep"
DROP_IN = f"/run/systemd/system/{UNIT}.service.d"
FOLDER = "/etc/imap4-sweep"
AUTHORITY = "/var/lib/icinga2/certs"
PATIENCE = 30


class Api:
    """Icinga's side of the deliveries; a script for a server."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []

    def __call__(self, peer: Peer) -> None:
        while request := peer.line():
            length = 0
            while header := peer.line():
                name, _, value = header.partition(": ")
                length = int(value) if name.lower() == "content-length" else length
            assert request.startswith("POST /v1/actions/process-check-result ")
            self.taken.append(json.loads(peer.read(length)))
            answer = json.dumps({"results": [{"code": 200}]})
            peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}")

    def results(self, service: str) -> set[tuple[int, str]]:
        """Exit codes of a service, and how their lines begin."""
        of_it = [each for each in self.taken if each["service"] == f"mail!{service}"]
        return {(each["exit_status"], each["plugin_output"].partition(" - ")[0]) for each in of_it}


@pytest.fixture
def cleaned(machine: Machine, installed_worker: None) -> Iterator[Machine]:
    yield machine
    machine.console(f"systemctl stop {UNIT}; systemctl reset-failed {UNIT}")
    machine.console(f"rm -rf {DROP_IN} {FOLDER} {AUTHORITY}; systemctl daemon-reload")


def test_it_starts_delivers_and_ends_with_what_is_under_way(cleaned: Machine, tmp_path: Path) -> None:
    machine, authority, api, gate = cleaned, Authority(tmp_path), Api(), threading.Event()

    def waits(peer: Peer) -> None:
        gate.wait(PATIENCE)
        good(peer)

    def shown(name: str) -> str:
        return machine.console('systemctl show --value -p "$1" "$2"', name, UNIT)

    def put(path: str, text: str) -> None:
        machine.console('mkdir -p "${1%/*}" && printf %s "$2" >"$1"', path, text)

    with (
        ScriptedServer(good) as server,
        ScriptedServer(waits) as slow,
        ScriptedServer(api, tls=authority.server()) as icinga,
    ):
        pattern = ["-e", "rea+dy"]  # which makes it a program
        tables = [monitor("Good", server.port, host="mail")]
        tables += [monitor("Slow", slow.port, host="mail", options=pattern, test_duration=20)]
        put(f"{FOLDER}/monitors.toml", Path(definition(tmp_path, tables)).read_text())
        put(f"{FOLDER}/password", "secret")
        machine.console(f"chown nagios {FOLDER}/password && chmod 600 {FOLDER}/password")
        put(f"{AUTHORITY}/ca.crt", Path(authority.file).read_text())
        command = f"/usr/local/bin/imap4-worker sweep --icinga https://localhost:{icinga.port}"
        put(f"{DROP_IN}/test.conf", f"[Service]\nExecStart=\nExecStart={command} {FOLDER}/monitors.toml\n")
        machine.console(f"systemctl daemon-reload; systemctl start {UNIT}")
        assert shown("ActiveState") == "active", machine.console(f"journalctl -u {UNIT} -n 20")
        assert machine.console('ps -o user= -p "$1"', shown("MainPID")) == "nagios"
        wait_for(lambda: api.results("Good"), PATIENCE, "a delivery")
        wait_for(lambda: slow.connections, PATIENCE, "the slow test")
        assert api.results("Good") == {(0, "IMAP4 OK")}
        machine.console(f"systemctl stop --no-block {UNIT}")
        wait_for(lambda: shown("ActiveState") != "active", PATIENCE, "stopping")
        gate.set()
        wait_for(lambda: shown("ActiveState") == "inactive", PATIENCE, "the end")
    assert api.results("Slow") == {(0, "IMAP4 OK")}
    assert (shown("Result"), shown("ExecMainStatus")) == ("success", "0")
