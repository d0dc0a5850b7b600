"""doctor and services on the real machine; what the doctor prescribes is tried out."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.caller import caller
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
    machine.console('printf "%s\\n" "$1" >/etc/sudoers.d/limited', before["sudoers"].remedy)
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
    assert [finding.title for finding in found] == ["name", "key", "port", "host key", "authorized_keys"]
    scan = ["ssh-keyscan", "-t", "ed25519", "-p", str(machine.ssh_port), "127.0.0.9"]
    scanned = subprocess.run(scan, capture_output=True, text=True, check=True).stdout
    # OpenSSH 10 prints its remark, the server's version, among the keys; 9.2 on standard error.
    (line,) = [line for line in scanned.splitlines() if not line.startswith("#")]
    assert found[3].remedy == (
        "if the machine's console shows the same fingerprint, add: " + line.replace("127.0.0.9", machine.name)
    )


def test_services_that_do_not_exist_and_wrong_logins_are_found(machine: Machine) -> None:
    found = findings(machine, credential_for(machine), "dovecott")
    assert found["service"] == DoctorFinding(
        False,
        "service",
        "dovecott.service: not-found",
        "correct its name; imap4-recovery services lists them",
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


def test_all_that_is_wrong_is_found_in_one_run(machine: Machine, tmp_path: Path) -> None:
    machine.console("touch /etc/systemd/system/empty.service; systemctl daemon-reload")
    try:
        found = examine(
            target_of(machine),
            credential_for(machine, "plain"),
            ["dovecott", "masked", "empty", "getty@", "a b", "dovecot"],
            deadline=Deadline(20),
            known_hosts=machine.known_hosts,
        )
    finally:
        machine.console("rm /etc/systemd/system/empty.service; systemctl daemon-reload")
    bad = [(finding.title, finding.detail, finding.remedy) for finding in found if not finding.ok]
    assert bad == [
        ("service", "dovecott.service: not-found", "correct its name; imap4-recovery services lists them"),
        (
            "service",
            "masked.service: masked",
            "masked.service is masked, so it cannot be started (systemctl unmask masked.service)",
        ),
        (
            "service",
            "empty.service: its unit file is empty",
            "empty.service cannot be started: its unit file /etc/systemd/system/empty.service is empty; "
            "write or remove it",
        ),
        ("service", "'getty@' is a template, not a service; name one made of it: getty@NAME", ""),
        ("service", "'a b' is not the name of a service (letters, digits and : _ . @ \\ -)", ""),
        (
            "privilege",
            "plain is not root, and sudo is not asked for",
            "set --become for the credential, and add the sudoers lines",
        ),
    ]
    lines = next(finding.remedy for finding in found if finding.title == "sudoers").splitlines()
    assert "plain ALL=(root) NOPASSWD: /usr/bin/systemctl --no-block restart dovecot.service" in lines
    assert not [line for line in lines if "dovecott" in line or "masked" in line]


def test_a_known_hosts_file_and_a_key_that_cannot_be_read_hide_nothing_else(
    machine: Machine, tmp_path: Path
) -> None:
    lost = dataclasses.replace(
        credential_for(machine), private_key=None, private_key_file=str(tmp_path / "no-key")
    )
    found = examine(target_of(machine), lost, deadline=Deadline(20), known_hosts=[str(tmp_path / "no-file")])
    told = {finding.title: finding for finding in found}
    assert list(told) == ["name", "key", "known hosts", "port", "host key"]
    assert [title for title, finding in told.items() if not finding.ok] == ["key", "known hosts", "host key"]
    assert told["port"].ok
    for title, file in (("key", "no-key"), ("known hosts", "no-file")):
        assert str(tmp_path / file) in told[title].detail
        assert told[title].detail.endswith(f"(read as {caller()})")


def test_an_alias_is_checked_under_the_name_that_is_restarted(machine: Machine) -> None:
    machine.console("ln -sf /lib/systemd/system/dovecot.service /etc/systemd/system/imap.service")
    machine.console("systemctl daemon-reload")
    credential = credential_for(machine, "limited", become=True)
    try:
        before = findings(machine, credential, "imap")
        assert " restart dovecot.service" in before["sudoers"].remedy
        assert "imap.service" not in before["sudoers"].remedy
        machine.console('printf "%s\\n" "$1" >/etc/sudoers.d/limited', before["sudoers"].remedy)
        assert findings(machine, credential, "imap")["privilege"].ok
        outcome = restart(machine, "imap", account="limited", become=True)
        assert outcome.verdict is Verdict.PROVEN, outcome.summary
    finally:
        machine.console(
            "rm -f /etc/sudoers.d/limited /etc/systemd/system/imap.service; systemctl daemon-reload"
        )


def test_lines_for_no_dependents_and_strange_names_match_what_is_run(machine: Machine) -> None:
    unit = "[Service]\nExecStart=/bin/sleep infinity\n"
    machine.console(
        'printf "$1" >"/etc/systemd/system/odd\\x2dname:a.service"; systemctl daemon-reload', unit
    )
    name = "odd\\x2dname:a"
    credential = credential_for(machine, "limited", become=True)
    try:
        machine.console('systemctl start "$1"', f"{name}.service")
        looked = examine(
            target_of(machine),
            credential,
            [name],
            deadline=Deadline(20),
            known_hosts=machine.known_hosts,
            dependents=False,
        )
        found = {one.title: one for one in looked}
        assert "ignore-requirements restart" in found["sudoers"].remedy
        machine.console('printf "%s\\n" "$1" >/etc/sudoers.d/limited', found["sudoers"].remedy)
        outcome = restart(machine, name, account="limited", become=True, dependents=False)
        assert outcome.verdict is Verdict.PROVEN, outcome.summary
    finally:
        machine.console(
            'systemctl stop "$1"; rm "/etc/systemd/system/$1" /etc/sudoers.d/limited', f"{name}.service"
        )
        machine.console("systemctl daemon-reload")


def test_a_refused_key_is_told_with_the_line_that_lets_it_in(machine: Machine) -> None:
    machine.console("mv /home/plain/.ssh/authorized_keys /root/saved")
    try:
        found = findings(machine, credential_for(machine, "plain"))["login"]
        file, line, last = found.remedy.splitlines()
        assert last.endswith("that the account is not locked: usermod -p '*' plain")
        assert file == f"see that ~plain/.ssh/authorized_keys on {machine.name} has this line:"
        machine.console(
            'cd /home/plain/.ssh && printf "%s\\n" "$1" >authorized_keys && chown plain: authorized_keys && '
            "chmod 600 authorized_keys",
            line,
        )
        assert findings(machine, credential_for(machine, "plain"))["login"].ok
    finally:
        machine.console("mv /root/saved /home/plain/.ssh/authorized_keys")
