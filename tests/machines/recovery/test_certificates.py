"""User certificates of keys before a real sshd that trusts an authority and knows no key."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.errors import LoginFailed
from recovery.machines.doctor_unix import examine
from recovery.model import Credential, Secret
from recovery.transports import connect
from tests.machines.recovery.gates import Gate
from tests.machines.recovery.machine import Machine


class Authority:
    """Signs users' keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = folder / "authority"
        _make_key(self._key, "ed25519")
        self.public = self._key.with_suffix(".pub").read_text()

    def certified(self, kind: str, *options: str, principals: str = "plain") -> Path:
        """A new key with its certificate beside it."""
        path = self._folder / f"id_{kind}_{len(list(self._folder.iterdir()))}"
        _make_key(path, kind)
        sign = ["ssh-keygen", "-q", "-s", str(self._key), "-I", "monitoring", "-n", principals, *options]
        subprocess.run([*sign, f"{path}.pub"], check=True)
        return path


def _make_key(path: Path, kind: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(path)], check=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(
    machine: Machine, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gate]:
    """An sshd that takes what the authority signed, and its own one key."""
    gate = Gate(machine, tmp_path_factory.mktemp("server") / "1", "signed.example", "127.0.0.13")
    machine.console(
        'mkdir -p /etc/gates/signed.example; printf %s "$1" >/etc/gates/signed.example/ca', authority.public
    )
    gate.start("TrustedUserCAKeys /etc/gates/signed.example/ca")
    yield gate
    gate.stop()


def who(server: Gate, credential: Credential) -> str:
    known = server.folder / "known_hosts"
    known.write_text(server.known_hosts_line)
    link = connect(server.hop().target, credential, deadline=Deadline(30), known_hosts=[str(known)])
    try:
        return link.run("id -un", deadline=Deadline(20)).stdout.decode().strip()
    finally:
        link.close()


def at(server: Gate) -> str:
    return f"signed.example ({server.address} port {server.port})"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_certificate_beside_a_key_file_logs_in(server: Gate, authority: Authority, kind: str) -> None:
    path = authority.certified(kind, "-V", "-1h:+1h")
    credential = Credential("mail", "plain", "ssh-key", private_key_file=str(path))
    assert who(server, credential) == "plain"
    Path(f"{path}-cert.pub").unlink()
    with pytest.raises(LoginFailed, match="is its public half in the account's authorized_keys"):
        who(server, credential)


def test_a_stored_certificate_logs_in(server: Gate, authority: Authority) -> None:
    path = authority.certified("ed25519", "-V", "-1h:+1h")
    stored = Credential("mail", "plain", "ssh-key", private_key=Secret(path.read_text()))
    assert who(server, replace(stored, certificate=Path(f"{path}-cert.pub").read_text())) == "plain"


def test_a_certificate_for_another_account_is_told(server: Gate, authority: Authority) -> None:
    path = authority.certified("ed25519", "-V", "-1h:+1h", principals="admin,limited")
    with pytest.raises(LoginFailed) as refused:
        who(server, Credential("mail", "plain", "ssh-key", private_key_file=str(path)))
    said = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "THEN", str(refused.value))
    assert said == (
        f"{at(server)}: account plain of credential mail was refused with the key: is its public half in the "
        f"account's authorized_keys?; credential mail: certificate {path}-cert.pub for admin, limited is "
        "valid until THEN, and was refused too: is its authority in the machine's TrustedUserCAKeys, and the "
        "account among its principals"
    )


def test_an_expired_certificate_is_told_and_the_key_alone_tried(server: Gate, authority: Authority) -> None:
    path = authority.certified("ed25519", "-V", "-2h:-1h")
    credential = Credential("mail", "plain", "ssh-key", private_key_file=str(path))
    with pytest.raises(LoginFailed, match=rf"certificate {path}-cert.pub expired on \d{{4}}-"):
        who(server, credential)
    # The server's own key, with a certificate that is over: it is in authorized_keys.
    own = server.folder / "key"
    shutil.copy(own, path)
    subprocess.run(
        [
            *("ssh-keygen", "-q", "-s", str(path.parent / "authority"), "-I", "x", "-n", "plain"),
            *("-V", "-2h:-1h", str(server.folder / "key.pub")),
        ],
        check=True,
    )
    credential = replace(credential, private_key_file=str(own))
    try:
        assert who(server, credential) == "plain"
        known = [str(server.folder / "known_hosts")]
        found = examine(server.hop().target, credential, deadline=Deadline(30), known_hosts=known)
    finally:
        (server.folder / "key-cert.pub").unlink()
    (about,) = [one for one in found if one.title == "user certificate"]
    assert not about.ok
    assert re.match(rf"credential mail: certificate {own}-cert.pub expired on \d{{4}}-", about.detail)
    assert about.remedy == "sign the key anew; until then it counts alone, where authorized_keys has it"
    assert any(one.ok and one.title == "login" for one in found)


def test_a_certificate_of_another_key_is_told(server: Gate, authority: Authority) -> None:
    path, other = (authority.certified("ed25519", "-V", "-1h:+1h") for _ in range(2))
    shutil.copy(f"{other}-cert.pub", f"{path}-cert.pub")
    with pytest.raises(LoginFailed, match=rf"certificate {path}-cert.pub is for another key"):
        who(server, Credential("mail", "plain", "ssh-key", private_key_file=str(path)))


@pytest.mark.parametrize(
    ("setting", "kind", "theirs"),
    [
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "kex", "sntrup761x25519-sha512@openssh.com"),
        ("Ciphers chacha20-poly1305@openssh.com", "ciphers", "chacha20-poly1305@openssh.com"),
        (
            "MACs umac-64@openssh.com,umac-128@openssh.com",
            "macs",
            "umac-64@openssh.com, umac-128@openssh.com",
        ),
    ],
)
def test_no_common_algorithm_is_told_with_what_both_sides_offer(
    server: Gate, setting: str, kind: str, theirs: str
) -> None:
    more = ["Ciphers aes256-ctr"] if kind == "macs" else []
    server.start(setting, *more)
    try:
        with pytest.raises(Exception, match="this host offers") as failed:
            who(server, server.credential)
    finally:
        server.start("TrustedUserCAKeys /etc/gates/signed.example/ca")
    said = str(failed.value)
    assert said.startswith(f"{at(server)}: connected, but no SSH session: Incompatible ssh ")
    assert re.search(rf"\(no acceptable {kind}.*\); this host offers [^;]*; the machine offers ", said)
    assert said.partition("; the machine offers ")[2].startswith(theirs)
