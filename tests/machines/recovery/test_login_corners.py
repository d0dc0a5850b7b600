"""Logins that a machine stands in the way of: its words are on the line, and no repair is begun in part."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from imap4.deadline import Deadline
from recovery.actions.external_process import run as run_process
from recovery.actions.restart_service import plan as plan_restart
from recovery.actions.restart_service import run as restart_service
from recovery.errors import DeadlineExceeded, PrivilegeMissing, RecoveryError
from recovery.machines.doctor_unix import examine
from recovery.model import Credential, Outcome, Secret, Transport, Verdict
from recovery.requests import ProcessRequest, RestartRequest
from recovery.transports import connect
from tests.machines.recovery.conftest import credential_for, target_of
from tests.machines.recovery.machine import Machine, wait_for

SETTINGS = "/etc/ssh/sshd_config.d/test.conf"
START_FILE = "printf '%s\\n' \"$1\" >/home/limited/.bashrc"
ELSEWHERE = (
    "look at its shell, at its start files such as ~/.bashrc, and for a ForceCommand in sshd_config or a "
    "command= in authorized_keys"
)
NO_SHELL = "the account's login shell did not start /bin/sh (exit status"
EXPIRED = "; the machine says: Your account has expired; please contact your system administrator."
READS = "125: a start file of the account, such as .bashrc, reads what is meant for the command"


def way(machine: Machine, credential: Credential) -> Callable[[Deadline], Transport]:
    def make(deadline: Deadline) -> Transport:
        return connect(target_of(machine), credential, deadline=deadline, known_hosts=machine.known_hosts)

    return make


def run(machine: Machine, credential: Credential, *command: str, seconds: float = 40) -> Outcome:
    return run_process(way(machine, credential), ProcessRequest(command), deadline=Deadline(seconds))


@pytest.mark.parametrize("method", ["ssh-key", "ssh-password"])
@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("chage -E 0 limited", f"the connection ended during the login of limited{EXPIRED}"),
        (
            "chage -d 2020-01-01 -M 30 -I 5 limited",
            f"the connection ended during the login of limited{EXPIRED}",
        ),
        (
            "chage -d 0 limited",
            f"{NO_SHELL} 1: WARNING: Your password has expired. Password change required but no TTY "
            "available.); give it a new password, or one that never expires (chage -M -1)",
        ),
    ],
    ids=["account expired", "password inactive", "password to be changed"],
)
def test_an_account_that_has_expired_is_told(machine: Machine, before: str, said: str, method: str) -> None:
    credential = credential_for(machine, "limited")
    if method == "ssh-password":
        credential = replace(credential, method=method, private_key=None, password=Secret(machine.password))
    machine.console(before)
    try:
        with pytest.raises(RecoveryError) as failed:
            run(machine, credential, "true")
    finally:
        machine.console("chage -E -1 -I -1 -M 99999 -d 2025-01-01 limited")
    assert str(failed.value) == f"mail1.example (127.0.0.9 port {machine.ssh_port}): {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo welcome; echo beware >&2", ""),
        ("echo go away; exit 3", f"{NO_SHELL} 3: go away); {ELSEWHERE}"),
        ("exit 0", f"{NO_SHELL} 0); {ELSEWHERE}"),
        ("read answer", f"{NO_SHELL} {READS}); {ELSEWHERE}"),
        ("read answer; read other", f"{NO_SHELL} {READS}); {ELSEWHERE}"),
        ("cat >/dev/null", f"{NO_SHELL} {READS}); {ELSEWHERE}"),
        ("exec echo fish", f"{NO_SHELL} 0: fish); {ELSEWHERE}"),
    ],
    ids=["prints", "exits", "exits silently", "reads a line", "reads two", "reads all", "becomes another"],
)
def test_a_start_file_in_the_way_is_told(machine: Machine, text: str, said: str) -> None:
    machine.console(START_FILE, text)
    try:
        if not said:
            outcome = run(machine, credential_for(machine, "limited"), "echo", "hello")
            assert (outcome.verdict, outcome.facts_after["stdout"]) == (Verdict.PROVEN, "hello\n")
            return
        with pytest.raises(RecoveryError) as failed:
            run(machine, credential_for(machine, "limited"), "touch", "/tmp/was-run")  # noqa: S108 - there
    finally:
        machine.console("rm /home/limited/.bashrc")
    assert str(failed.value) == f"mail1.example (127.0.0.9 port {machine.ssh_port}): {said}"
    # What a start file has read a part of is not run by half.
    assert machine.console("ls /tmp/was-run 2>/dev/null") == ""


def test_what_a_start_file_holds_up_is_not_done_when_nobody_waits_for_it_any_more(machine: Machine) -> None:
    machine.console(START_FILE, "echo one moment; sleep 8; touch /tmp/start-file-ended")
    try:
        outcome = run(machine, credential_for(machine, "limited"), "touch", "/tmp/was-run", seconds=4)  # noqa: S108
        wait_for(lambda: machine.console("ls /tmp/start-file-ended"), 60, "the start file's end")
        wait_for(lambda: not machine.console("pgrep -u limited"), 60, "the end of the account's processes")
        assert machine.console("ls /tmp/was-run 2>/dev/null") == ""
    finally:
        machine.console("rm -f /home/limited/.bashrc /tmp/start-file-ended /tmp/was-run")
    assert outcome.verdict is Verdict.NOT_PROVEN
    assert outcome.summary.endswith(
        "; until then the account's login shell had not started /bin/sh (one moment)"
    )


@pytest.mark.parametrize(
    ("forced", "said"),
    [
        ("echo this account may only read mail", "0: this account may only read mail"),
        ("/bin/false", "1"),
        ("cat", "0: what was sent to it came back"),
        ("internal-sftp", "1: This service allows sftp connections only."),
    ],
)
def test_a_forced_command_is_told(machine: Machine, forced: str, said: str) -> None:
    machine.console(f"printf 'Match User limited\\n  ForceCommand %s\\n' \"$1\" >>{SETTINGS}", forced)
    machine.restart_sshd()
    try:
        with pytest.raises(RecoveryError) as failed:
            run(machine, credential_for(machine, "limited"), "true")
    finally:
        machine.console(f"sed -i '/^Match User/,$d' {SETTINGS}")
        machine.restart_sshd()
    where = f"mail1.example (127.0.0.9 port {machine.ssh_port})"
    assert str(failed.value) == f"{where}: {NO_SHELL} {said}); {ELSEWHERE}"


@pytest.mark.parametrize("pam", ["yes", "no"])
def test_the_documented_account_logs_in_with_and_without_pam(machine: Machine, pam: str) -> None:
    """One that ``useradd`` locks with ``!`` is refused where sshd does without PAM."""
    name = f"repairer-{pam}"
    key = (machine.folder / "key.pub").read_text()
    machine.console(
        'useradd --system --create-home --shell /bin/sh "$1"; mkdir -p "/home/$1/.ssh"; '
        'printf %s "$2" >"/home/$1/.ssh/authorized_keys"; chown -R "$1:" "/home/$1"',
        name,
        key,
    )
    machine.console(f"echo UsePAM {pam} >>{SETTINGS}")
    machine.restart_sshd()
    credential = credential_for(machine, name)
    try:
        if pam == "no":
            found = examine(
                target_of(machine), credential, deadline=Deadline(40), known_hosts=machine.known_hosts
            )
            (login,) = [one for one in found if one.title == "login"]
            assert not login.ok
            assert f"usermod -p '*' {name}" in login.remedy
        machine.console(f"usermod -p '*' {name}")
        assert run(machine, credential, "id", "-un").facts_after["stdout"] == f"{name}\n"
    finally:
        machine.console(f"sed -i /UsePAM/d {SETTINGS}; userdel -rf {name}")
        machine.restart_sshd()


def test_a_slow_login_has_all_the_time_that_there_is(machine: Machine) -> None:
    machine.console(
        "cp /etc/pam.d/sshd /root; echo 'account optional pam_exec.so /bin/sleep 17' >>/etc/pam.d/sshd"
    )
    try:
        with pytest.raises(DeadlineExceeded, match="the login of limited had no answer within the time"):
            run(machine, credential_for(machine, "limited"), "true", seconds=3)
        assert run(machine, credential_for(machine, "limited"), "true", seconds=90).verdict is Verdict.PROVEN
    finally:
        machine.console("mv /root/sshd /etc/pam.d")


@pytest.mark.parametrize("lines", ["ALL", "the printed ones"])
def test_sudo_that_asks_for_a_password_to_list_is_told(machine: Machine, lines: str) -> None:
    account = "admin" if lines == "ALL" else "limited"
    credential = replace(credential_for(machine, account), become=True)
    target, known = target_of(machine), machine.known_hosts

    def look() -> list[tuple[bool, str, str]]:
        found = examine(target, credential, ["dovecot"], deadline=Deadline(60), known_hosts=known)
        return [(one.ok, one.title, one.remedy) for one in found if one.title in ("privilege", "sudoers")]

    ((_, _, printed),) = [one for one in look() if one[1] == "sudoers"]
    text = f"{printed}\n" if account == "limited" else ""
    machine.console('printf %s "$1" >/etc/sudoers.d/limited', text)
    assert ("privilege", True) in [(title, ok) for ok, title, _ in look()]
    machine.console("echo 'Defaults listpw=always' >/etc/sudoers.d/listing")
    said = (
        "sudo on the machine said 'sudo: a password is required': it runs commands without one, and asks for "
        "it only where it is asked what it allows, which is done before anything is begun: add "
        f"'Defaults:{account} listpw=never' to sudoers (visudo)"
    )
    request = RestartRequest(("dovecot",), settle=0.5)
    connects = way(machine, credential)
    try:
        with pytest.raises(PrivilegeMissing, match=f"^{re.escape(said)}$"):
            restart_service(connects, request, become=True, deadline=Deadline(60))
        plan = plan_restart(connects, request, become=True, deadline=Deadline(60))
        assert (plan.verdict, plan.reason) == (Verdict.FAILED, said)
        assert (False, "privilege", f"Defaults:{account} listpw=never") in look()
        machine.console(f"echo 'Defaults:{account} listpw=never' >>/etc/sudoers.d/listing")
        done = restart_service(connects, request, become=True, deadline=Deadline(60))
        assert done.verdict is Verdict.PROVEN
    finally:
        machine.console("rm -f /etc/sudoers.d/listing /etc/sudoers.d/limited")
