"""Through jump hosts to the machine: two real sshds stand before it, each with its own key and account."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions.reboot_server import run as reboot
from recovery.errors import ConnectFailed, DeadlineExceeded, HostKeyRejected, LoginFailed, RecoveryError
from recovery.machines.doctor_unix import examine
from recovery.model import Hop, Target, Transport, Verdict
from recovery.requests import RebootRequest
from recovery.transports import connect
from tests.machines.recovery.conftest import credential_for
from tests.machines.recovery.gates import Gate
from tests.machines.recovery.machine import ADDRESS, Machine, free_port
from tests.machines.winrm.links import SCRIPT, Echo
from tests.machines.winrm.links import credential as windows_credential
from tests.machines.winrm.links import target as windows_target
from tests.machines.winrm.listeners import HOST as WINDOWS
from tests.machines.winrm.listeners import make_site

Gates = tuple[Gate, Gate]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def gates(
    machine: Machine, sysv_machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gates]:
    """On another machine than the one behind them, which reboots."""
    folder = tmp_path_factory.mktemp("gates")
    first = Gate(sysv_machine, folder / "1", "gate1.example", "127.0.0.10")
    second = Gate(sysv_machine, folder / "2", "gate2.example", "127.0.0.11", "limited")
    # Names that only the jump hosts know.
    sysv_machine.console(
        "cp /etc/hosts /etc/hosts.saved; printf '%s\\n' \"$1\" >>/etc/hosts",
        f"{second.address} {second.name}\n{ADDRESS} {machine.name}\n127.0.0.1 {WINDOWS}",
    )
    for gate in (first, second):
        gate.start()
    yield first, second
    for gate in (first, second):
        gate.stop()
    sysv_machine.console("mv /etc/hosts.saved /etc/hosts; rm -r /etc/gates")


@pytest.fixture
def known(machine: Machine, gates: Gates, tmp_path: Path) -> Path:
    path = tmp_path / "known_hosts"
    path.write_text(machine.known_hosts_line() + "".join(gate.known_hosts_line for gate in gates))
    return path


def behind(machine: Machine, port: int | None = None) -> Target:
    """The machine as somebody names it who cannot look it up."""
    return Target(machine.name, "", port or machine.ssh_port)


def hops(gates: Gates) -> tuple[Hop, Hop]:
    return gates[0].hop(), gates[1].hop(address="")


def logins(gates: Gates) -> list[int]:
    """How many each of them has taken so far."""
    return [gate.log().count("Accepted publickey") for gate in gates]


def go(
    machine: Machine, way: Sequence[Hop], known: Path, *, target: Target | None = None, seconds: float = 30
) -> str:
    """Who we are at the end of the way, and where."""
    link = connect(
        target or behind(machine),
        credential_for(machine),
        deadline=Deadline(seconds),
        known_hosts=[str(known)],
        hops=way,
    )
    try:
        return link.run('echo "$(id -un) on $(hostname)"', deadline=Deadline(20)).stdout.decode().strip()
    finally:
        link.close()


def test_two_jump_hosts_lead_to_a_machine_that_only_they_know(
    machine: Machine, gates: Gates, known: Path
) -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(machine.name, None)
    assert go(machine, hops(gates), known) == f"root on {machine.name}"
    for gate in gates:
        assert f"Accepted publickey for {gate.account}" in gate.log()


def test_a_jump_host_that_refuses_to_forward_is_told(machine: Machine, gates: Gates, known: Path) -> None:
    gates[1].start("AllowTcpForwarding no")
    try:
        with pytest.raises(ConnectFailed) as failed:
            go(machine, hops(gates), known)
    finally:
        gates[1].start()
    port = machine.ssh_port
    assert str(failed.value) == (
        f"mail1.example (port {port} through gate1.example, gate2.example): the jump host gate2.example "
        f"refuses to forward connections to mail1.example:{port} (open failed): its sshd_config "
        "(AllowTcpForwarding, PermitOpen, DisableForwarding) or the key's line in authorized_keys "
        "(restrict, permitopen) forbids it"
    )
    assert not failed.value.passing


def test_a_machine_that_the_jump_host_does_not_reach_is_told(
    machine: Machine, gates: Gates, known: Path
) -> None:
    port = free_port()
    through = (
        f"(port {port} through gate1.example, gate2.example): no connection: the jump host gate2.example"
    )
    with pytest.raises(ConnectFailed) as failed:
        go(machine, hops(gates), known, target=behind(machine, port))
    assert str(failed.value) == (
        f"mail1.example {through} does not reach mail1.example:{port}: connection refused"
    )
    assert failed.value.passing
    with pytest.raises(ConnectFailed) as failed:
        go(machine, hops(gates), known, target=Target("nobody.example", "", port))
    begins = f"nobody.example {through} does not reach nobody.example:{port}: "
    assert str(failed.value).startswith(begins)
    # In the C library's words: the name is not known, or nobody could be asked.
    assert "name" in str(failed.value).removeprefix(begins)


def test_each_host_must_show_the_key_that_is_on_file_for_it(
    machine: Machine, gates: Gates, known: Path
) -> None:
    lines = [machine.known_hosts_line(), *(gate.known_hosts_line for gate in gates)]
    for number, said in enumerate(
        (
            f"host key of [mail1.example]:{machine.ssh_port} (",
            f"jump host 1 of 2: host key of [gate1.example]:{gates[0].port} (",
            f"jump host 2 of 2: host key of [gate2.example]:{gates[1].port} (",
        )
    ):
        # The other lines stay, and none of them is good for this host.
        known.write_text("".join(line for place, line in enumerate(lines) if place != number))
        before = logins(gates)
        with pytest.raises(HostKeyRejected) as rejected:
            go(machine, hops(gates), known)
        assert str(rejected.value).startswith(said)
        assert f" is unknown in {known}: check it on the machine" in str(rejected.value)
        accepted = [
            gate.log().count("Accepted publickey") - count for gate, count in zip(gates, before, strict=True)
        ]
        # Nobody logged in beyond the hosts whose keys were right.
        assert accepted == [[1, 1], [0, 0], [1, 0]][number]


def test_authorities_and_hashed_names_hold_for_jump_hosts(
    machine: Machine, gates: Gates, known: Path, tmp_path: Path
) -> None:
    authority = tmp_path / "authority"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
    sign = [
        "ssh-keygen",
        "-q",
        "-s",
        str(authority),
        "-I",
        "gate",
        "-h",
        "-n",
        gates[1].name,
        "-V",
        "-1h:+1h",
    ]
    subprocess.run([*sign, str(gates[1].folder / "host_key.pub")], check=True)
    known.write_text(machine.known_hosts_line() + gates[0].known_hosts_line)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    assert "gate1" not in known.read_text()
    with known.open("a") as file:
        file.write(f"@cert-authority gate2.example {authority.with_suffix('.pub').read_text()}")
    gates[1].start(f"HostCertificate /etc/gates/{gates[1].name}/host_key-cert.pub")
    try:
        assert go(machine, hops(gates), known) == f"root on {machine.name}"
    finally:
        (gates[1].folder / "host_key-cert.pub").unlink()
        gates[1].start()


def test_a_jump_host_that_does_not_take_the_key_is_told(machine: Machine, gates: Gates, known: Path) -> None:
    first, second = hops(gates)
    way = first, replace(second, credential=replace(first.credential, account="limited"))
    with pytest.raises(LoginFailed) as refused:
        go(machine, way, known)
    assert str(refused.value) == (
        f"jump host 2 of 2: gate2.example (port {gates[1].port} through gate1.example): account limited of "
        "credential gate1 was refused with the key: is its public half in the account's authorized_keys?"
    )


def test_one_deadline_holds_for_all_hosts(machine: Machine, gates: Gates, known: Path) -> None:
    with socket.create_server(("127.0.0.12", 0)) as silent:
        port = silent.getsockname()[1]
        way = gates[0].hop(), replace(gates[1].hop(), target=Target("gate2.example", "127.0.0.12", port))
        began = time.monotonic()
        with pytest.raises((ConnectFailed, DeadlineExceeded)) as failed:
            go(machine, way, known, seconds=4)
    assert time.monotonic() - began < 30
    assert str(failed.value).startswith(
        f"jump host 2 of 2: gate2.example (127.0.0.12 port {port} through gate1.example): connected, but no "
        "SSH session: "
    )


def test_the_line_that_doctor_prints_allows_the_one_connection(
    machine: Machine, gates: Gates, known: Path
) -> None:
    """On the gate, the key opens the way to the machine, no shell, no other port, and no port there."""

    def look() -> list[str]:
        found = examine(
            behind(machine),
            credential_for(machine),
            deadline=Deadline(60),
            known_hosts=[str(known)],
            hops=[gates[0].hop()],
        )
        assert all(one.ok for one in found), found
        shown = [f"{one.title}: {one.detail}" for one in found]
        assert f"login: jump host gate1.example: {gates[0].account} with ssh-key" in shown
        assert "name: mail1.example is looked up by the jump host" in shown
        return [one.detail for one in found if one.title == "authorized_keys"]

    line, last = look()
    public = " ".join((gates[0].folder / "key.pub").read_text().split()[:2])
    assert line == (
        f'from="127.0.0.1",restrict,port-forwarding,permitopen="mail1.example:{machine.ssh_port}",'
        f'permitlisten="localhost:1",command="/bin/false" {public}'
    )
    assert last.startswith("restrict ssh-ed25519 ")
    gates[0].start(keys=f"{line}\n")
    try:
        look()
        target = behind(machine, free_port())
        with pytest.raises(ConnectFailed, match="refuses to forward connections to mail1"):
            go(machine, [gates[0].hop()], known, target=target)
        ssh = ["ssh", "-F", "none", "-i", str(gates[0].folder / "key"), "-p", str(gates[0].port)]
        ssh += ["-o", f"UserKnownHostsFile={known}", "-o", f"HostKeyAlias=[{gates[0].name}]:{gates[0].port}"]
        ssh += ["-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "IdentityAgent=none"]
        to = f"{gates[0].account}@{gates[0].address}"
        shell = subprocess.run([*ssh, to, "echo in"], capture_output=True, text=True, timeout=60)
        assert (shell.returncode, shell.stdout) == (1, "")
        listen = subprocess.run(
            [*ssh, "-N", "-R", f"{free_port()}:127.0.0.1:1", to], capture_output=True, text=True, timeout=60
        )
        assert "remote port forwarding failed" in listen.stderr
    finally:
        gates[0].start()


def test_a_reboot_behind_a_jump_host_is_proven(machine: Machine, gates: Gates, known: Path) -> None:
    def way(deadline: Deadline) -> Transport:
        return connect(
            behind(machine),
            credential_for(machine),
            deadline=deadline,
            known_hosts=[str(known)],
            hops=[gates[0].hop()],
        )

    outcome = reboot(way, RebootRequest(0), deadline=Deadline(90))
    assert outcome.verdict is Verdict.PROVEN


def test_the_secrets_of_jump_hosts_are_taken_out_of_what_a_machine_says(
    machine: Machine, gates: Gates, known: Path
) -> None:
    link = connect(
        behind(machine),
        credential_for(machine),
        deadline=Deadline(30),
        known_hosts=[str(known)],
        hops=[gates[0].hop()],
    )
    key = (gates[0].folder / "key").read_text().splitlines()[1]
    try:
        said = link.run('echo "$1"', [f"it is {key} here"], deadline=Deadline(20)).stdout.decode()
    finally:
        link.close()
    assert said == "it is *** here\n"


def test_a_jump_host_that_is_gone_is_told(machine: Machine, gates: Gates, known: Path) -> None:
    port = free_port()
    hop = gates[0].hop()
    way = [replace(hop, target=replace(hop.target, port=port))]
    with pytest.raises(RecoveryError) as failed:
        go(machine, way, known)
    assert str(failed.value) == (
        f"jump host: gate1.example (127.0.0.10 port {port}): no SSH connection: connection refused"
    )


def test_the_program_goes_through_and_says_which_way(
    machine: Machine, gates: Gates, known: Path, tmp_path: Path
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "IMAP4_RECOVERY_CREDENTIALS": str(tmp_path / "credentials"),
        "IMAP4_RECOVERY_KEY": str(tmp_path / "store-key"),
        "IMAP4_RECOVERY_STATE": str(tmp_path / "state"),
    }

    def program(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "recovery", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    for name, account, key, where, what in (
        ("mail", "root", machine.folder, machine.name, "external-process"),
        ("gate1", gates[0].account, gates[0].folder, gates[0].address, "jump"),
        ("gate2", gates[1].account, gates[1].folder, "gate2.*", "all"),
    ):
        added = program(
            *("credentials", "add", name, "--account", account, "--private-key-stdin"),
            *("--machines", where, "--actions", what),
            stdin=(key / "key").read_text(),
        )
        assert added.stdout == f"Added {name}.\n"
    # The first one is named by its address, as its credential allows it.
    text = known.read_text().replace(gates[0].name, gates[0].address)
    known.write_text(text)
    way = f"gate1@{gates[0].address}:{gates[0].port},gate2@{gates[1].name}:{gates[1].port}"
    there = ["--machine", machine.name, "--port", str(machine.ssh_port), "--credential", "mail"]
    there += ["--known-hosts", str(known), "--jump", way]
    through = f"external-process hostname on {machine.name} through 127.0.0.10, gate2.example"
    refused = program("external-process", *there, "--", "hostname")
    assert (refused.returncode, refused.stdout) == (
        2,
        f"CRITICAL - {through}: jump host gate2.example: credential gate2 may not be used for jump: it is "
        "for restart-service, reboot-server, external-process (imap4-recovery credentials set gate2 "
        "--actions ... changes that)\n",
    )
    program("credentials", "set", "gate2", "--actions", "jump")
    ran = program("external-process", *there, "--", "hostname")
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    assert re.fullmatch(
        rf"OK - {re.escape(through)}: hostname ended after \d+\.\d s \(exit status 0\)\n", ran.stdout
    )
    shown = json.loads(program("history", "show", "2", "--json").stdout)
    assert shown["steps"][0]["name"] == "way"
    assert shown["steps"][0]["text"] == (
        "through 127.0.0.10 with credential gate1, then gate2.example with credential gate2"
    )
    assert (shown["machine"], shown["address"]) == (machine.name, "")
    tested = program("credentials", "test", "mail", *there[:4], *there[6:])
    assert (tested.returncode, tested.stdout) == (
        0,
        "OK - mail logs in to mail1.example: as root; the machine runs systemd\n",
    ), tested
    examined = program("doctor", *there)
    assert examined.returncode == 0, examined
    assert f"jump host gate2.example: {gates[1].account} with ssh-key\n" in examined.stdout
    assert program("services", *there, "dovecot*").stdout.startswith("dovecot.service: active")


@pytest.mark.parametrize(
    ("method", "scheme"),
    [("winrm-ntlm", "http"), ("winrm-ntlm", "https"), ("winrm-certificate", "https")],
)
def test_windows_is_reached_through_jump_hosts(
    gates: Gates, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, scheme: str
) -> None:
    """The stand-in of the WinRM tests, which listens on this host."""
    monkeypatch.setenv("NTLM_USER_FILE", str(tmp_path / "users"))  # and not where another site has its own
    site, echo = make_site(tmp_path), Echo()
    opened = site.https(echo) if scheme == "https" else site.http(echo)
    with opened as endpoint:
        link = connect(
            windows_target(site, endpoint, address=""),
            windows_credential(site, method),
            deadline=Deadline(40),
            known_hosts=[str(known)],
            hops=[gates[0].hop()],
        )
        try:
            result = link.run(SCRIPT, ["a b"], deadline=Deadline(20), stdin=b"\0" * 300_000)
        finally:
            link.close()
        closed = windows_target(site, endpoint, address="", port=free_port())
        with pytest.raises(ConnectFailed) as failed:
            connect(
                closed,
                windows_credential(site, method),
                deadline=Deadline(20),
                known_hosts=[str(known)],
                hops=[gates[0].hop()],
            )
    assert json.loads(result.stdout)["arguments"] == ["a b"]
    assert not endpoint.shells.open
    where = f"(port {closed.port} through gate1.example)"
    assert f"{where}: no connection: the jump host gate1.example does not reach " in str(failed.value)
