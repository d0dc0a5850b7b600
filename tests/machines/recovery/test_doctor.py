"""doctor and services on the real machine; what the doctor prescribes is tried out."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.machines.doctor_unix import examine
from recovery.machines.interface import DoctorFinding
from recovery.machines.services import list_services
from recovery.model import Credential, Verdict
from tests.machines.recovery.conftest import credential_for, target_of
from tests.machines.recovery.machine import Machine
from tests.machines.recovery.test_restart_service import restart, way


def findings(machine: Machine, credential: Credential, *services: str) -> dict[str, DoctorFinding]:
    found = examine(
        target_of(machine), credential, services, deadline=Deadline(20), known_hosts=machine.known_hosts
    )
    return {finding.title: finding for finding in found}


def test_sudoers_lines_of_the_doctor_are_enough_for_a_restart(machine: Machine) -> None:
    credential = credential_for(machine, "limited", become=True)
    before = findings(machine, credential, "dovecot")
    assert not before["privilege"].ok
    assert before["privilege"].detail == "sudo does not let limited run 10 of 10 commands without a password"
    machine.console('printf "%s\\n" "$1" >/etc/sudoers.d/limited', before["sudoers"].detail)
    machine.console("touch /run/indexer-fails-once")
    try:
        after = findings(machine, credential, "dovecot")
        assert after["privilege"] == DoctorFinding(True, "privilege", "sudo lets limited run all 10 commands")
        assert all(finding.ok for finding in after.values())
        outcome = restart(machine, "dovecot", account="limited", become=True)
        assert outcome.verdict is Verdict.PROVEN, outcome.summary
    finally:
        machine.console("rm /etc/sudoers.d/limited")


def test_authorized_keys_line_of_the_doctor_is_enough(machine: Machine) -> None:
    line = findings(machine, credential_for(machine, "plain"))["authorized_keys"].detail
    assert line.startswith('from="127.0.0.')
    assert ",restrict ssh-ed25519 " in line
    machine.console('cp -a /home/plain/.ssh/authorized_keys /root/saved; printf "%s\\n" "$1" '
                    ">/home/plain/.ssh/authorized_keys", line)  # fmt: skip
    try:
        assert findings(machine, credential_for(machine, "plain"))["login"].ok
    finally:
        machine.console("cp -a /root/saved /home/plain/.ssh/authorized_keys")


def test_host_key_line_of_the_doctor_is_what_openssh_scans(machine: Machine, tmp_path: Path) -> None:
    empty = tmp_path / "known_hosts"
    empty.touch()
    found = examine(
        target_of(machine), credential_for(machine), deadline=Deadline(10), known_hosts=[str(empty)]
    )
    assert [finding.title for finding in found] == ["name", "port", "host key"]
    scan = ["ssh-keyscan", "-t", "ed25519", "-p", str(machine.ssh_port), "127.0.0.9"]
    scanned = subprocess.run(scan, capture_output=True, text=True, check=True).stdout
    assert found[-1].remedy == (
        "if the machine's console shows the same fingerprint, add: "
        + scanned.strip().replace("127.0.0.9", machine.name)
    )


def test_services_that_do_not_exist_and_wrong_logins_are_found(machine: Machine) -> None:
    found = findings(machine, credential_for(machine), "dovecott")
    assert found["service"] == DoctorFinding(
        False, "service", "dovecott.service: not-found", "correct its name, or unmask it"
    )
    assert found["platform"].detail == "systemd"
    assert found["clock"].ok
    bad = dataclasses.replace(credential_for(machine), account="nobody-here")
    assert "was refused with the key" in findings(machine, bad)["login"].detail


@pytest.mark.parametrize("pattern", ["dovecot", "dove*", "dovecot.service"])
def test_services_are_listed_with_state_and_dependents(machine: Machine, pattern: str) -> None:
    machine.console("systemctl start dovecot")
    (dovecot,) = list_services(way(machine, "plain"), pattern, deadline=Deadline(10))
    assert (dovecot.name, dovecot.state) == ("dovecot.service", "active")
    assert {"indexer.service", "webmail.service"} <= set(dovecot.dependents)
    assert dovecot.description == "Dovecot IMAP/POP3 email server"


def test_all_services_are_listed_once(machine: Machine) -> None:
    names = [facts.name for facts in list_services(way(machine, "plain"), deadline=Deadline(10))]
    assert len(names) == len(set(names)) > 20
    assert "masked.service" in names
