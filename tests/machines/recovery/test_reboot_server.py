"""reboot-server on the real machine, which really reboots."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions.reboot_server import plan, run
from recovery.errors import PrivilegeMissing
from recovery.model import Outcome, Transport, Verdict
from recovery.requests import RebootRequest
from recovery.transports import connect as connect_to
from tests.machines.recovery.conftest import credential_for, target_of
from tests.machines.recovery.machine import ADDRESS, Machine
from tests.machines.recovery.relay import Relay
from tests.machines.recovery.test_restart_service import GREETING, way


def reboot(
    machine: Machine, *, account: str = "root", min_uptime: float = 0, seconds: float = 60, **more: object
) -> Outcome:
    return run(
        way(machine, account),
        RebootRequest(min_uptime),
        become=account != "root",
        deadline=Deadline(seconds),
        **more,  # type: ignore[arg-type]
    )


SCHEDULE = """mkdir -p /run/systemd/shutdown
at=$(($(date +%s) + $1))
printf 'USEC=%s000000\\nWARN_WALL=1\\nMODE=%s\\n' $at "$2" >/run/systemd/shutdown/scheduled"""


def boot_id(machine: Machine) -> str:
    return machine.console("cat /proc/sys/kernel/random/boot_id")


def test_machine_reboots_with_proof_and_verify(machine: Machine) -> None:
    old = boot_id(machine)

    outcome = reboot(machine, verify=f"{sys.executable} {GREETING} {ADDRESS} {machine.imap_port}")

    new = boot_id(machine)
    assert new != old
    assert re.fullmatch(
        rf"up again after \d+\.\d s \(boot id {old[:4]} -> {new[:4]}\)(, system degraded: .*)?, IMAP4 OK",
        outcome.summary,
    )
    assert outcome.verdict is Verdict.PROVEN
    assert outcome.facts_before["boot_id"] == old
    assert outcome.facts_after["boot_id"] == new
    assert machine.console("ls /run/imap4-recovery.rebooting 2>&1 >/dev/null") != ""


def test_machine_that_just_came_up_is_not_rebooted(machine: Machine) -> None:
    old = boot_id(machine)
    outcome = reboot(machine, min_uptime=36000)
    assert re.fullmatch(
        r"not rebooted: the machine came up only .* ago \(--min-uptime 600 min 0 s\)", outcome.summary
    )
    assert outcome.verdict is Verdict.SKIPPED
    assert boot_id(machine) == old


def test_machine_with_a_scheduled_reboot_is_not_rebooted(machine: Machine) -> None:
    # What "shutdown -r +60" leaves; logind would write it.
    old = boot_id(machine)
    machine.console(SCHEDULE, "30", "reboot")
    try:
        outcome = reboot(machine)
    finally:
        machine.console("rm /run/systemd/shutdown/scheduled")
    assert re.fullmatch(
        r"not rebooted: a reboot is scheduled in \d+\.0 s \(shutdown -c ends that\)", outcome.summary
    )
    assert outcome.verdict is Verdict.SKIPPED
    assert boot_id(machine) == old


def test_a_reboot_that_is_scheduled_in_hours_is_not_under_way(machine: Machine) -> None:
    machine.console(SCHEDULE, "14400", "poweroff")
    outcome = reboot(machine)
    assert outcome.verdict is Verdict.PROVEN
    (told,) = [step.text for step in outcome.steps if "scheduled" in step.text]
    assert re.fullmatch(r"a poweroff was scheduled in 2(39|40) min \d+ s, which a reboot forgets", told)


INHIBIT = """(systemd-inhibit --what=shutdown --who=APT --why='APT installs packages' --mode=block \\
    sleep 1000 >/dev/null 2>&1 &)
until systemd-inhibit --list --no-legend | grep -q APT; do sleep 0.1; done
systemd-inhibit --list --no-legend --no-pager | grep APT"""


def test_a_package_upgrade_under_way_is_waited_for_and_named(machine: Machine) -> None:
    old = boot_id(machine)
    held = machine.console(INHIBIT)
    found = re.search(r"root\s+(\d+) systemd-inhibit", held)
    assert found, held
    holds = (
        f"APT (process {found[1]}): APT installs packages holds an inhibitor against shutdown "
        "(systemd-inhibit --list shows it)"
    )
    try:
        outcome = reboot(machine, seconds=6)
        preview = plan(way(machine), RebootRequest(0), deadline=Deadline(10))
        assert boot_id(machine) == old
        # Its end is waited for.
        machine.console("(sleep 3; pkill -f 'sleep 1000') >/dev/null 2>&1 &")
        waited = reboot(machine, seconds=60)
    finally:
        machine.console("pkill -f 'sleep 1000'")
    assert (outcome.verdict, outcome.summary) == (Verdict.FAILED, f"not rebooted: {holds}")
    assert (preview.verdict, preview.reason) == (
        Verdict.NOT_PROVEN,
        f"{holds}; it would be waited for, and may last",
    )
    assert waited.verdict is Verdict.PROVEN
    assert ("wait", holds) in [(step.name, step.text) for step in waited.steps]


def test_a_container_that_shows_its_hosts_boot_id_is_proven_by_its_first_process(machine: Machine) -> None:
    """systemd-nspawn hides the host's boot id below one of the container's own, which is taken away here."""
    shown = "/proc/sys/kernel/random/boot_id"
    unit = (
        "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target ssh.service\n"
        f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=umount {shown}\n"
        "[Install]\nWantedBy=sysinit.target\n"
    )
    path = "/etc/systemd/system/hosts-boot-id.service"
    machine.console(f'printf %s "$1" >{path}; systemctl daemon-reload', unit)
    machine.console("systemctl enable --now hosts-boot-id")
    hosts = Path(shown).read_text().strip()
    assert boot_id(machine) == hosts
    try:
        outcome = reboot(machine)
        assert boot_id(machine) == hosts
    finally:
        machine.console("systemctl disable hosts-boot-id")
        machine.console(f"rm {path}; systemctl daemon-reload")
    assert re.fullmatch(
        rf"up again after \d+\.\d s \(a new first process, boot id {hosts[:4]} as before\)"
        r"(, system degraded: .*)?",
        outcome.summary,
    )
    assert outcome.verdict is Verdict.PROVEN
    assert outcome.facts_before["boot_id"] == outcome.facts_after["boot_id"] == hosts
    assert outcome.facts_before["first_process"] != outcome.facts_after["first_process"]
    assert machine.console("ls /run/imap4-recovery.rebooting 2>&1 >/dev/null") != ""


def test_reboot_without_privilege_names_the_lines(machine: Machine) -> None:
    old = boot_id(machine)
    with pytest.raises(PrivilegeMissing) as missing:
        reboot(machine, account="plain")
    assert str(missing.value) == (
        "sudo on the machine said 'sudo: a password is required': add to its sudoers (visudo): "
        "plain ALL=(root) NOPASSWD: /usr/bin/touch /run/imap4-recovery.rebooting; "
        "plain ALL=(root) NOPASSWD: /usr/bin/systemctl --no-block reboot"
    )
    assert boot_id(machine) == old


def test_plan_says_what_would_be_done_and_does_nothing(machine: Machine) -> None:
    old = boot_id(machine)
    lines = plan(way(machine), RebootRequest(0), deadline=Deadline(10)).lines
    assert lines[0] == "the machine runs systemd"
    assert lines[2:] == (
        "would reboot cleanly",
        "would wait for another boot id, for the marker in /run to be gone and for the system to run",
    )
    assert boot_id(machine) == old


def test_machine_that_takes_the_order_and_does_nothing_is_a_failure(machine: Machine) -> None:
    old = boot_id(machine)
    machine.console("printf '#!/bin/sh\\nexit 0\\n' >/run/nothing; chmod 755 /run/nothing")
    machine.console("mount --bind /run/nothing /usr/bin/systemctl")
    try:
        outcome = reboot(machine, seconds=4)
    finally:
        machine.console("umount /usr/bin/systemctl; rm /run/imap4-recovery.rebooting")
    assert outcome.summary == f"did not reboot within 4.0 s: it still is the old run (boot id {old[:4]})"
    assert outcome.verdict is Verdict.FAILED


def test_machine_that_does_not_come_back_is_a_failure(machine: Machine) -> None:
    machine.comes_back = False
    try:
        outcome = reboot(machine, account="admin", seconds=12)
    finally:
        machine.comes_back = True
        machine.start()
    assert re.fullmatch(
        r"did not come back within 12\.0 s: mail1\.example \(127\.0\.0\.9 port \d+\): "
        r"no SSH connection: connection refused",
        outcome.summary,
    )
    assert outcome.verdict is Verdict.FAILED


def test_another_machine_at_the_address_is_not_our_machine_up_again(
    machine: Machine, sysv_machine: Machine, tmp_path: Path
) -> None:
    """A virtual address moves to the other node while ours is down."""
    relay = Relay(machine.ssh_port)
    known = tmp_path / "known_hosts"
    lines = [each.known_hosts_line(relay.port).partition(" ")[2] for each in (machine, sysv_machine)]
    known.write_text("".join(f"[{machine.name}]:{relay.port} {line}" for line in lines))
    # The other machine takes the same key.
    sysv_machine.console(
        "cat >>~root/.ssh/authorized_keys <<END\n$1\nEND", (machine.folder / "key.pub").read_text()
    )
    credential = credential_for(machine)

    def connect(deadline: Deadline) -> Transport:
        link = connect_to(
            target_of(machine, relay.port), credential, deadline=deadline, known_hosts=[str(known)]
        )
        if not machine.comes_back:
            relay.lead_to(sysv_machine.ssh_port)
        return link

    machine.comes_back = False
    try:
        outcome = run(connect, RebootRequest(0), deadline=Deadline(15))
    finally:
        machine.comes_back = True
        relay.close()
        machine.start()
    assert outcome.verdict is Verdict.FAILED
    assert re.fullmatch(
        r"did not come back within 15\.0 s: another machine answers at its address \(host key SHA256:\S+ -> "
        r"SHA256:\S+\)",
        outcome.summary,
    )
