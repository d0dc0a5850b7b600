"""restart-service on the real machine: systemd decides, and we only believe its facts."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions.restart_service import plan, run
from recovery.errors import PrivilegeMissing, UsageError
from recovery.model import Outcome, Step, Transport, Verdict
from recovery.requests import RestartRequest
from recovery.transports import connect as connect_to
from tests.machines.recovery.conftest import credential_for, target_of
from tests.machines.recovery.machine import ADDRESS, Machine, wait_for
from tests.machines.recovery.relay import Relay

GREETING = Path(__file__).with_name("greeting.py")


@pytest.fixture
def verify(machine: Machine) -> str:
    return f"{sys.executable} {GREETING} {ADDRESS} {machine.imap_port}"


def way(machine: Machine, account: str = "root") -> Callable[[Deadline], Transport]:
    credential = credential_for(machine, account)
    return lambda deadline: connect_to(
        target_of(machine), credential, deadline=deadline, known_hosts=machine.known_hosts
    )


def restart(
    machine: Machine,
    *services: str,
    account: str = "root",
    become: bool = False,
    dependents: bool = True,
    settle: float = 0.5,
    seconds: float = 20,
    verify: str | None = None,
    steps: list[Step] | None = None,
) -> Outcome:
    return run(
        way(machine, account),
        RestartRequest(services, dependents, settle),
        become=become,
        deadline=Deadline(seconds),
        progress=(steps if steps is not None else []).append,
        verify=verify,
    )


def invocation(machine: Machine, unit: str) -> str:
    return machine.console('systemctl show -p InvocationID --value "$1"', unit)


def test_killed_dovecot_runs_again_with_its_dependents_and_proof(machine: Machine, verify: str) -> None:
    machine.console("systemctl kill -s KILL dovecot; until ! systemctl -q is-active dovecot; do :; done")
    machine.console("systemctl start webmail indexer; systemctl kill -s KILL dovecot")
    old = invocation(machine, "webmail")
    steps: list[Step] = []

    outcome = restart(machine, "dovecot", verify=verify, steps=steps)

    assert re.fullmatch(
        r"running again after \d+\.\d s \(invocation [0-9a-f]{4} -> [0-9a-f]{4}\), IMAP4 OK", outcome.summary
    )
    assert outcome.verdict is Verdict.PROVEN
    assert (
        machine.console("systemctl is-active dovecot webmail indexer idle")
        == "active\nactive\nactive\ninactive"
    )
    assert invocation(machine, "webmail") != old
    assert outcome.verify == "IMAP4 OK | time=0s"
    assert [step.name for step in steps[-2:]] == ["dependents", "verify"]
    assert steps == list(outcome.steps)
    assert {"dovecot.service", "webmail.service", "indexer.service"} <= set(outcome.facts_after)


def test_dependent_that_does_not_come_back_is_started(machine: Machine) -> None:
    machine.console("systemctl start dovecot webmail indexer; touch /run/indexer-fails-once")

    outcome = restart(machine, "dovecot.service")

    assert outcome.summary.endswith("), indexer.service had to be started")
    assert outcome.verdict is Verdict.PROVEN
    assert machine.console("systemctl is-active dovecot webmail indexer") == "active\nactive\nactive"


def test_dependents_stay_untouched_when_asked_for(machine: Machine) -> None:
    machine.console("systemctl start dovecot webmail indexer")
    old, old_webmail = invocation(machine, "dovecot"), invocation(machine, "webmail")

    outcome = restart(machine, "dovecot", dependents=False)

    assert outcome.verdict is Verdict.PROVEN
    assert invocation(machine, "dovecot") != old
    assert invocation(machine, "webmail") == old_webmail


def test_several_services_are_restarted_together(machine: Machine) -> None:
    outcome = restart(machine, "webmail", "dovecot")

    assert outcome.verdict is Verdict.PROVEN
    assert re.fullmatch(
        r"webmail\.service, dovecot\.service running again after \d\.\d s "
        r"\(invocation .... -> ....; invocation .... -> ....\)",
        outcome.summary,
    )


def test_unknown_service_is_a_failure_and_nothing_is_done(machine: Machine) -> None:
    outcome = restart(machine, "dovecott")
    assert outcome.summary == "dovecott.service does not exist on the machine (not-found); nothing was done"
    assert outcome.verdict is Verdict.FAILED


def test_masked_service_is_a_failure_and_nothing_is_done(machine: Machine) -> None:
    outcome = restart(machine, "masked")
    assert outcome.summary == (
        "masked.service is masked, so it cannot be started (systemctl unmask masked.service); "
        "nothing was done"
    )
    assert outcome.verdict is Verdict.FAILED


def test_service_that_fails_to_start_is_a_failure_with_its_last_words(machine: Machine) -> None:
    outcome = restart(machine, "fails")
    reason = "fails.service does not run: failed (exit-code)"
    assert outcome.summary == f"{reason}; its log ends: cannot open the mail store"
    assert outcome.verdict is Verdict.FAILED


def test_service_that_dies_after_a_second_is_a_failure(machine: Machine) -> None:
    outcome = restart(machine, "dies", settle=3)
    reason = r"dies\.service started, but died within \d\.\d s \(exit-code\)"
    assert re.fullmatch(rf"{reason}; its log ends: lost the mail store", outcome.summary)
    assert outcome.verdict is Verdict.FAILED


def test_crash_looping_service_is_not_proven(machine: Machine) -> None:
    try:
        outcome = restart(machine, "loops", settle=3)
    finally:
        machine.console("systemctl stop loops")
    assert re.match(
        r"restart asked for, but not proven: loops\.service dies and is restarted over and over \(\d+ times",
        outcome.summary,
    )
    assert outcome.verdict is Verdict.NOT_PROVEN


def test_service_that_systemd_refuses_to_start_again_is_restarted(machine: Machine) -> None:
    machine.console("touch /run/limits-fails; for i in 1 2 3; do systemctl restart limits; done")
    assert machine.console("systemctl start limits 2>&1 | head -n 1").startswith(
        "Job for limits.service failed"
    )
    machine.console("rm /run/limits-fails")

    outcome = restart(machine, "limits")

    assert outcome.verdict is Verdict.PROVEN, outcome.summary
    machine.console("systemctl stop limits")


def test_service_that_starts_too_slowly_is_not_proven(machine: Machine) -> None:
    try:
        outcome = restart(machine, "slow", seconds=4)
    finally:
        machine.console("systemctl --no-block stop slow; systemctl kill -s KILL slow")
    assert outcome.summary.startswith(
        "restart asked for, but not proven: the time was up while slow.service: activating (start-pre)"
    )
    assert outcome.verdict is Verdict.NOT_PROVEN


def test_verify_that_stays_bad_is_not_proven(machine: Machine) -> None:
    outcome = restart(machine, "webmail", seconds=4, verify=f"{sys.executable} {GREETING} {ADDRESS} 1")
    assert re.fullmatch(
        r"running again after \d\.\d s \(invocation .... -> ....\), "
        r"but verify still says: IMAP4 CRITICAL - Connection refused",
        outcome.summary,
    )
    assert outcome.verdict is Verdict.NOT_PROVEN


def test_account_that_is_not_root_and_has_no_sudo_is_told_the_line(machine: Machine) -> None:
    with pytest.raises(PrivilegeMissing) as without:
        restart(machine, "dovecot", account="plain")
    assert "Interactive authentication required" in str(without.value) or "Access denied" in str(
        without.value
    )
    with pytest.raises(PrivilegeMissing) as refused:
        restart(machine, "dovecot", account="plain", become=True)
    assert str(refused.value).startswith(
        "sudo on the machine said 'sudo: a password is required': add to its sudoers (visudo): "
        "plain ALL=(root) NOPASSWD: /usr/bin/systemctl --no-block restart dovecot.service; "
    )


def test_restart_of_which_sudo_allows_one_half_is_not_begun(machine: Machine) -> None:
    line = "limited ALL=(root) NOPASSWD: /usr/bin/systemctl --no-block restart webmail.service"
    machine.console('systemctl start webmail; printf "%s\\n" "$1" >/etc/sudoers.d/limited', line)
    old = invocation(machine, "webmail")
    try:
        with pytest.raises(PrivilegeMissing, match=r"not allowed: /usr/bin/systemctl .* dovecot.service"):
            restart(machine, "webmail", "dovecot", account="limited", become=True)
    finally:
        machine.console("rm /etc/sudoers.d/limited")
    assert invocation(machine, "webmail") == old


def test_restart_is_proven_over_a_second_link_when_the_first_is_cut(machine: Machine) -> None:
    relay = Relay(machine.ssh_port)
    known = machine.folder / "known_hosts.cut"
    known.write_text(machine.known_hosts_line(relay.port))
    target, credential = target_of(machine, relay.port), credential_for(machine)

    def cut(step: Step) -> None:
        if step.name == "restart":
            threading.Timer(0.3, relay.cut).start()

    try:
        outcome = run(
            lambda deadline: connect_to(target, credential, deadline=deadline, known_hosts=[str(known)]),
            RestartRequest(("dovecot",), settle=2),
            deadline=Deadline(20),
            progress=cut,
        )
    finally:
        relay.close()
    assert outcome.verdict is Verdict.PROVEN, outcome.summary
    assert relay.connections > 1


def test_account_with_sudo_restarts(machine: Machine) -> None:
    assert restart(machine, "dovecot", account="admin", become=True).verdict is Verdict.PROVEN


def test_plan_says_what_would_be_done_and_does_nothing(machine: Machine) -> None:
    machine.console("systemctl start dovecot webmail indexer")
    old = invocation(machine, "dovecot")

    lines = plan(way(machine), RestartRequest(("dovecot",)), deadline=Deadline(10)).lines

    assert lines[0] == "the machine runs systemd"
    assert lines[1].startswith("dovecot.service: active (running), PID ")
    assert lines[2:] == (
        "would restart dovecot.service",
        "would restart what depends on it and runs: indexer.service, webmail.service",
        "would leave alone what depends on it and does not run: idle.service",
        "would wait until all have been running for 3 s",
    )
    assert invocation(machine, "dovecot") == old


@pytest.mark.parametrize("name", ["-H", "a b", "$(reboot)", "a;b", "", "x" * 300])
def test_name_that_can_be_no_service_is_a_usage_error(machine: Machine, name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a service"):
        restart(machine, name)


def test_service_that_died_after_longer_than_it_is_watched_is_watched_longer(machine: Machine) -> None:
    machine.console("systemctl start short-lived")
    restarts = "systemctl show -p NRestarts --value short-lived"
    wait_for(lambda: int(machine.console(restarts) or 0) >= 1, 60, "it has died once")
    try:
        outcome = restart(machine, "short-lived", settle=0.5, seconds=60)
    finally:
        machine.console("systemctl stop short-lived; systemctl reset-failed short-lived")
    assert outcome.verdict is Verdict.NOT_PROVEN
    assert "short-lived.service dies and is restarted over and over" in outcome.summary


@pytest.mark.parametrize("unit", ["remains", "from-init-script"])
def test_service_without_a_process_is_not_proven_unless_verified(
    machine: Machine, verify: str, unit: str
) -> None:
    machine.console("systemctl start dovecot")
    doubt = rf"no process of {unit}\.service is left there: active \(exited\)"
    how = r"restarted after \d+\.\d s \(invocation [0-9a-f]{4}|none -> [0-9a-f]{4}\)"

    outcome = restart(machine, unit)
    assert outcome.verdict is Verdict.NOT_PROVEN
    assert re.search(rf"^{how}, but {doubt}$", outcome.summary)

    outcome = restart(machine, unit, verify=verify)
    assert outcome.verdict is Verdict.PROVEN
    assert outcome.summary.endswith(", IMAP4 OK")
    assert re.search(doubt, outcome.summary)


def test_service_that_does_its_work_and_ends_is_proven_by_its_run(machine: Machine) -> None:
    for _ in range(2):
        outcome = restart(machine, "does-its-work")
        assert outcome.verdict is Verdict.PROVEN, outcome
        assert re.fullmatch(
            r"ended well after \d+\.\d s \(does-its-work\.service did its work and ended\)", outcome.summary
        )


def test_service_that_is_starting_is_left_alone(machine: Machine) -> None:
    machine.console("systemctl --no-block start slow")
    wait_for(lambda: machine.console("systemctl is-active slow") == "activating", 20, "it is starting")
    before = invocation(machine, "slow")
    try:
        outcome = restart(machine, "slow")
        preview = plan(way(machine), RestartRequest(("slow",)), deadline=Deadline(20))
        assert invocation(machine, "slow") == before
    finally:
        machine.console("systemctl --no-block stop slow; systemctl kill -s KILL slow")
    why = (
        "not restarted: slow.service is starting (start-pre), and a restart would throw it back to the "
        "beginning"
    )
    assert (outcome.verdict, outcome.summary) == (Verdict.SKIPPED, why)
    assert (preview.verdict, preview.reason) == (Verdict.SKIPPED, why)


def test_what_systemd_refuses_is_told_at_once_with_its_reason(machine: Machine) -> None:
    put = """mkdir -p /run/systemd/system
        printf "%b" "$2" >/run/systemd/system/$1.service; systemctl daemon-reload"""
    service = "[Service]\\nExecStart=/bin/sleep infinity\\n"
    machine.console(put, "lacks", f"[Unit]\\nRequires=no-such.service\\nAfter=no-such.service\\n{service}")
    machine.console(put, "by-others", f"[Unit]\\nRefuseManualStop=yes\\n{service}")
    try:
        lacks = restart(machine, "lacks", seconds=60)
        by_others = restart(machine, "by-others", seconds=60)
    finally:
        machine.console("rm /run/systemd/system/*.service; systemctl daemon-reload")
    assert lacks.verdict is Verdict.FAILED
    assert lacks.summary == (
        "the machine refused it: Failed to restart lacks.service: Unit no-such.service not found."
    )
    assert lacks.seconds < 30
    assert (by_others.verdict, by_others.summary) == (
        Verdict.FAILED,
        "systemd lets nobody stop by-others.service by hand (RefuseManualStop=yes); nothing was done",
    )


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        ("reboot.target", "reboot.target is a target, a part of the system, and {none}"),
        ("system.slice", "system.slice is a slice, a part of the system, and {none}"),
        ("-.mount", None),
        ("systemd-poweroff", "systemd-poweroff.service has SuccessAction=poweroff-force, {set_off}"),
        ("systemd-suspend", "restarting systemd-suspend.service would start sleep.target, {ends}"),
        ("emergency", "emergency.service is part of emergency.target, {ends}"),
        ("to-reboot", "restarting to-reboot.service would start final.target, {ends}"),
        ("ends-all", "ends-all.service has FailureAction=reboot, {set_off}"),
        ("ssh", "restarting ssh.service would stop ssh.service, through which we are logged in"),
        ("under-ssh", "restarting under-ssh.service would stop ssh.service, through which we are logged in"),
    ],
)  # fmt: skip
def test_what_would_take_down_the_machine_or_our_way_in_is_refused(
    machine: Machine, unit: str, why: str | None
) -> None:
    units = {
        "to-reboot": "[Unit]\nWants=reboot.target\n[Service]\nExecStart=/bin/true\n",
        "ends-all": "[Unit]\nFailureAction=reboot\n[Service]\nExecStart=/bin/sleep infinity\n",
        "under-ssh": "[Unit]\nConflicts=ssh.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    }
    boot_id = machine.console("cat /proc/sys/kernel/random/boot_id")
    put = 'printf %s "$2" >"/run/systemd/system/$1.service"; systemctl daemon-reload'
    if unit in units:
        machine.console(f"mkdir -p /run/systemd/system; {put}", unit, units[unit])
    try:
        if why is None:
            with pytest.raises(UsageError, match="is not the name of a service"):
                restart(machine, unit)
            return
        ends, none = "which ends the running system", "no service, socket, timer or path"
        why = why.format(ends=ends, none=none, set_off="which a restart could set off")
        for attempt in (restart(machine, unit), restart(machine, unit, dependents=unit in units)):
            assert (attempt.verdict, attempt.summary) == (Verdict.FAILED, f"{why}; nothing was done")
        preview = plan(way(machine), RestartRequest((unit,)), deadline=Deadline(20))
        assert (preview.verdict, preview.reason) == (Verdict.FAILED, f"{why}; nothing was done")
    finally:
        machine.console("rm -f /run/systemd/system/*.service; systemctl daemon-reload")
    assert machine.console("cat /proc/sys/kernel/random/boot_id") == boot_id
