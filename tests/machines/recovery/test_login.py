"""Connecting to a real sshd: host keys, passwords, keys, agents; what goes wrong is told exactly."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions.external_process import run as run_process
from recovery.actions.restart_service import plan as plan_restart
from recovery.actions.restart_service import run as restart_service
from recovery.errors import ConnectFailed, HostKeyRejected, LoginFailed, PrivilegeMissing, RecoveryError
from recovery.model import Credential, Secret, Target, Transport, Verdict
from recovery.requests import ProcessRequest, RestartRequest
from recovery.transports import connect
from tests.machines.recovery.conftest import credential_for, target_of
from tests.machines.recovery.machine import ADDRESS, Machine, free_port
from tests.machines.recovery.relay import Relay


def log_in(machine: Machine, credential: Credential, known_hosts: list[str] | None = None) -> str:
    link = connect(
        target_of(machine),
        credential,
        deadline=Deadline(20),
        known_hosts=machine.known_hosts if known_hosts is None else known_hosts,
    )
    try:
        return link.run("id -un", deadline=Deadline(10)).stdout.decode().strip()
    finally:
        link.close()


def password_of(machine: Machine, account: str = "plain") -> Credential:
    return Credential("mail", account, "ssh-password", password=Secret(machine.password))


def at(machine: Machine) -> str:
    return f"mail1.example (127.0.0.9 port {machine.ssh_port})"


@pytest.mark.parametrize("account", ["plain", ".\\plain"])
def test_password_logs_in(machine: Machine, account: str) -> None:
    assert log_in(machine, password_of(machine, account)) == "plain"


def test_password_logs_in_by_keyboard_interactive(machine: Machine) -> None:
    settings = "/etc/ssh/sshd_config.d/test.conf"
    machine.console(f"cp {settings} /root/saved.conf; sed -i '/^PasswordAuth/s/yes/no/' {settings}")
    machine.console(f"echo KbdInteractiveAuthentication yes >>{settings}")
    machine.restart_sshd()
    try:
        assert log_in(machine, password_of(machine)) == "plain"
    finally:
        machine.console(f"cp /root/saved.conf {settings}")
        machine.restart_sshd()


def test_wrong_password_is_a_refused_login_that_tells_no_secret(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "wrong-" + machine.password
    with pytest.raises(LoginFailed) as refused:
        log_in(machine, dataclasses.replace(password_of(machine), password=Secret(wrong)))
    assert (
        str(refused.value) == f"{at(machine)}: account plain of credential mail was refused with the password"
    )
    assert machine.password not in caplog.text + repr(refused.value) + repr(password_of(machine))


def test_stored_key_logs_in(machine: Machine) -> None:
    assert log_in(machine, credential_for(machine, "plain")) == "plain"


def test_key_with_passphrase_logs_in(machine: Machine) -> None:
    locked = Credential(
        "mail", "plain", "ssh-key",
        private_key_file=str(machine.folder / "key-locked"), passphrase=Secret(machine.passphrase),
    )  # fmt: skip
    assert log_in(machine, locked) == "plain"


@pytest.mark.parametrize(
    ("passphrase", "message"),
    [
        (None, "needs its passphrase, and none is stored"),
        (Secret("not it"), "cannot be opened: the stored passphrase is wrong"),
    ],
)
def test_passphrase_that_is_missing_or_wrong_is_told(
    machine: Machine, passphrase: Secret | None, message: str
) -> None:
    path = machine.folder / "key-locked"
    locked = Credential("mail", "plain", "ssh-key", private_key_file=str(path), passphrase=passphrase)
    with pytest.raises(LoginFailed) as refused:
        log_in(machine, locked)
    assert str(refused.value) == f"credential mail: key file {path} {message}"


def test_key_file_that_others_can_read_is_refused(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "key"
    shutil.copy(machine.folder / "key", path)
    path.chmod(0o644)
    with pytest.raises(LoginFailed, match="is open to group or others"):
        log_in(machine, Credential("mail", "plain", "ssh-key", private_key_file=str(path)))


def test_key_that_the_machine_does_not_know_is_told(machine: Machine) -> None:
    strange = Credential("mail", "plain", "ssh-key", private_key_file=str(machine.folder / "host_key"))
    with pytest.raises(LoginFailed) as refused:
        log_in(machine, strange)
    assert str(refused.value) == (
        f"{at(machine)}: account plain of credential mail was refused with the key: "
        "is its public half in the account's authorized_keys?"
    )


@pytest.fixture
def agent(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    try:
        while not socket.exists():
            assert process.poll() is None
        subprocess.run(["ssh-add", "-q", str(machine.folder / "key")], check=True)
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.usefixtures("agent")
def test_agent_logs_in(machine: Machine) -> None:
    assert log_in(machine, Credential("mail", "plain", "ssh-agent")) == "plain"


def test_agent_is_not_used_unless_asked_for(machine: Machine, agent: None) -> None:
    with pytest.raises(LoginFailed):
        log_in(machine, dataclasses.replace(password_of(machine), password=Secret("wrong")))


def test_agent_that_is_missing_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(LoginFailed, match="no SSH agent with keys is there"):
        log_in(machine, Credential("mail", "plain", "ssh-agent"))


def test_unknown_host_key_is_refused_before_the_password_is_sent(machine: Machine, tmp_path: Path) -> None:
    empty = tmp_path / "known_hosts"
    empty.touch()
    with pytest.raises(HostKeyRejected) as rejected:
        log_in(machine, password_of(machine), [str(empty)])
    assert str(rejected.value).startswith(f"host key of [mail1.example]:{machine.ssh_port} (SHA256:")
    assert f") is unknown in {empty}: check it on the machine" in str(rejected.value)


def test_other_host_key_than_on_file_is_refused(machine: Machine, tmp_path: Path) -> None:
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"[{machine.name}]:{machine.ssh_port} {(machine.folder / 'key.pub').read_text()}")
    with pytest.raises(HostKeyRejected, match=rf"is not the one on file \({wrong}:1\)"):
        log_in(machine, password_of(machine), [str(wrong)])


def test_revoked_host_key_is_refused(machine: Machine, tmp_path: Path) -> None:
    revoked = tmp_path / "known_hosts"
    line = machine.known_hosts_line()
    revoked.write_text(f"{line}@revoked * {line.split(' ', 1)[1]}")
    with pytest.raises(HostKeyRejected, match=rf"is revoked by {revoked}:2"):
        log_in(machine, password_of(machine), [str(revoked)])


def test_names_hashed_by_openssh_are_understood(machine: Machine, tmp_path: Path) -> None:
    hashed = tmp_path / "known_hosts"
    shutil.copy(machine.known_hosts[0], hashed)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(hashed)], check=True, capture_output=True)
    assert machine.name not in hashed.read_text()
    assert log_in(machine, password_of(machine), [str(hashed)]) == "plain"


def test_host_certificate_of_a_known_authority_is_trusted(machine: Machine, tmp_path: Path) -> None:
    authority = tmp_path / "authority"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
    public = tmp_path / "host.pub"
    shutil.copy(machine.folder / "host_key.pub", public)
    machine_key = "/etc/ssh/ssh_host_ed25519_key"
    known = tmp_path / "known_hosts"

    def certify(*options: str) -> None:
        sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *options, str(public)]
        subprocess.run(sign, check=True)
        certificate = (tmp_path / "host-cert.pub").read_text()
        machine.console(f'printf %s "$1" >{machine_key}-cert.pub', certificate)
        machine.restart_sshd()

    settings = "/etc/ssh/sshd_config.d/test.conf"
    machine.console(f"echo HostCertificate {machine_key}-cert.pub >>{settings}")
    known.write_text(f"@cert-authority *.example,[*.example]:* {authority.with_suffix('.pub').read_text()}")
    try:
        certify("-h", "-n", machine.name, "-V", "-1h:+1h")
        assert log_in(machine, password_of(machine), [str(known)]) == "plain"
        known.write_text(f"@cert-authority *.example {authority.with_suffix('.pub').read_text()}")
        assert log_in(machine, password_of(machine), [str(known)]) == "plain"
        certify("-h", "-n", "other.example", "-V", "-1h:+1h")
        with pytest.raises(HostKeyRejected, match=r"its certificate is for other\.example"):
            log_in(machine, password_of(machine), [str(known)])
        certify("-h", "-n", machine.name, "-V", "-2h:-1h")
        with pytest.raises(HostKeyRejected, match="is not valid at this time"):
            log_in(machine, password_of(machine), [str(known)])
    finally:
        machine.console(f"sed -i /HostCertificate/d {settings}")
        machine.restart_sshd()


def test_an_authority_without_a_port_is_judged_as_openssh_judges_it(machine: Machine, tmp_path: Path) -> None:
    authority = tmp_path / "authority"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
    public, known = tmp_path / "host.pub", tmp_path / "known_hosts"
    shutil.copy(machine.folder / "host_key.pub", public)
    sign = [
        "ssh-keygen",
        "-q",
        "-s",
        str(authority),
        "-I",
        "x",
        "-h",
        "-n",
        ADDRESS,
        "-V",
        "-1h:+1h",
        str(public),
    ]
    subprocess.run(sign, check=True)
    key, settings = "/etc/ssh/ssh_host_ed25519_key-cert.pub", "/etc/ssh/sshd_config.d/test.conf"
    machine.console(f'printf %s "$1" >{key}', (tmp_path / "host-cert.pub").read_text())
    machine.console(f"echo HostCertificate {key} >>{settings}")
    machine.restart_sshd()
    options = [f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes"]
    options += ["BatchMode=yes", "PreferredAuthentications=none"]
    command = [
        "ssh",
        *(word for one in options for word in ("-o", one)),
        "-p",
        str(machine.ssh_port),
        ADDRESS,
    ]
    target = dataclasses.replace(target_of(machine), machine=ADDRESS)
    verdicts = {}
    try:
        for hosts in (ADDRESS, f"[{ADDRESS}]:{machine.ssh_port}", f"[{ADDRESS}]:22", "127.0.0.8"):
            known.write_text(f"@cert-authority {hosts} {authority.with_suffix('.pub').read_text()}")
            theirs = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=60).stderr
            try:
                connect(target, password_of(machine), deadline=Deadline(20), known_hosts=[str(known)]).close()
                verdicts[hosts] = (True, "Permission denied" in theirs)
            except HostKeyRejected:
                verdicts[hosts] = (False, "Permission denied" in theirs)
    finally:
        machine.console(f"sed -i /HostCertificate/d {settings}")
        machine.restart_sshd()
    assert [ours for ours, _ in verdicts.values()] == [theirs for _, theirs in verdicts.values()], verdicts
    assert verdicts[ADDRESS] == (True, True)
    assert verdicts["127.0.0.8"] == (False, False)


def test_refused_connection_is_told() -> None:
    port = free_port()
    with pytest.raises(ConnectFailed) as failed:
        connect(Target("old", ADDRESS, port), Credential("c", "a", "ssh-agent"), deadline=Deadline(5))
    assert str(failed.value) == f"old (127.0.0.9 port {port}): no SSH connection: connection refused"


def test_server_of_another_protocol_is_told(machine: Machine) -> None:
    with pytest.raises(ConnectFailed, match="connected, but no SSH session"):
        connect(target_of(machine, machine.imap_port), password_of(machine), deadline=Deadline(4))


def test_account_without_a_shell_is_told(machine: Machine) -> None:
    machine.console("usermod -s /usr/sbin/nologin limited")
    try:
        with pytest.raises(ConnectFailed, match=r"did not start /bin/sh .*not available"):
            log_in(machine, password_of(machine, "limited"))
    finally:
        machine.console("usermod -s /bin/bash limited")


def test_unknown_method_is_told() -> None:
    with pytest.raises(RecoveryError, match="unknown method telnet"):
        connect(Target("w", ADDRESS), Credential("c", "a", "telnet"), deadline=Deadline(1))


def test_no_secret_is_on_a_command_line(machine: Machine) -> None:
    """Ours and the machine's, while a process runs there through sudo."""
    link = connect(
        target_of(machine),
        dataclasses.replace(password_of(machine, "admin"), become=True),
        deadline=Deadline(20),
        known_hosts=machine.known_hosts,
    )
    script = 'as_root sh -c \'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"\''
    result = link.run(script, deadline=Deadline(10), become=True, keep=1 << 22)
    link.close()
    own = "".join(
        Path(f"/proc/{pid}/cmdline").read_text(errors="replace") for pid in ("self", str(os.getppid()))
    )
    assert b"sh" in result.stdout
    assert machine.password not in result.stdout.decode(errors="replace") + own


def test_the_first_connection_is_tried_again_where_sshd_hangs_up(machine: Machine, tmp_path: Path) -> None:
    """As at MaxStartups, while sshd is restarted, or under PerSourcePenalties."""
    relay = Relay(machine.ssh_port)
    relay.hang_ups = 2
    known = tmp_path / "known_hosts"
    known.write_text(machine.known_hosts_line(relay.port))
    credential = credential_for(machine, "plain")

    def way(deadline: Deadline) -> Transport:
        return connect(
            target_of(machine, relay.port), credential, deadline=deadline, known_hosts=[str(known)]
        )

    try:
        outcome = run_process(way, ProcessRequest(("true",)), deadline=Deadline(60))
    finally:
        relay.close()
    assert outcome.verdict is Verdict.PROVEN
    assert relay.hang_ups == 0


def test_the_servers_own_text_on_a_refused_login_is_told(machine: Machine) -> None:
    machine.console("echo 'Closed for repairs until four' >/etc/nologin")
    try:
        with pytest.raises(RecoveryError, match=r"; the machine says: .*Closed for repairs until four"):
            log_in(machine, credential_for(machine, "plain"))
    finally:
        machine.console("rm /etc/nologin")


def test_a_machine_that_goes_down_or_comes_up_is_tried_again(machine: Machine) -> None:
    """As systemd-user-sessions has it; that unit is not on this machine."""
    text = "System is going down. Unprivileged users are not permitted to log in anymore."
    machine.console('echo "$1" >/run/nologin', text)
    try:
        with pytest.raises(ConnectFailed, match=r"account plain is not let in now; .* going down"):
            log_in(machine, credential_for(machine, "plain"))
        machine.console("(sleep 3; rm /run/nologin) >/dev/null 2>&1 &")
        credential = credential_for(machine, "plain")
        outcome = run_process(
            lambda deadline: connect(
                target_of(machine), credential, deadline=deadline, known_hosts=machine.known_hosts
            ),
            ProcessRequest(("true",)),
            deadline=Deadline(60),
        )
    finally:
        machine.console("rm -f /run/nologin")
    assert outcome.verdict is Verdict.PROVEN


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "echo 'Defaults requiretty' >/etc/sudoers.d/tty",
            "rm /etc/sudoers.d/tty",
            "sudo: sorry, you must have a tty to run sudo': add 'Defaults:admin !requiretty' to sudoers",
        ),
        (
            "mv /usr/bin/sudo /root",
            "mv /root/sudo /usr/bin",
            "not found': sudo is not installed there: install it",
        ),
        (
            "chmod u-s /usr/bin/sudo",
            "chmod u+s /usr/bin/sudo",
            "setuid bit set': run there as root: chown root:root /usr/bin/sudo",
        ),
    ],
    ids=["requiretty", "missing", "not setuid"],
)
def test_sudo_that_refuses_for_another_reason_is_told_so(
    machine: Machine, before: str, after: str, said: str
) -> None:
    credential = credential_for(machine, "admin")

    def way(deadline: Deadline) -> Transport:
        return connect(target_of(machine), credential, deadline=deadline, known_hosts=machine.known_hosts)

    machine.console(before)
    try:
        with pytest.raises(PrivilegeMissing) as missing:
            restart_service(way, RestartRequest(("dovecot",)), become=True, deadline=Deadline(30))
        preview = plan_restart(way, RestartRequest(("dovecot",)), become=True, deadline=Deadline(30))
    finally:
        machine.console(after)
    assert said in str(missing.value)
    assert preview.verdict is Verdict.FAILED
    assert said in preview.reason
