"""Lines of known_hosts files, as sshd(8) describes them. The keys are made up at run time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from recovery.errors import HostKeyRejected
from recovery.transports.ssh.known_hosts import KnownHosts, fingerprint, parse


def new_key() -> str:
    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


KEY, OTHER = new_key(), new_key()


def blob(key: str) -> bytes:
    return base64.b64decode(key.split()[1])


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def judge(text: str, host: str = "mail.example", port: int = 22, key: str = KEY) -> str:
    """ "" where the key is accepted, or the message."""
    try:
        KnownHosts(parse(text, "known_hosts"), host, port, ["known_hosts"]).check(blob(key))
    except HostKeyRejected as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        ("mail.example", "mail.example", 22),
        ("MAIL.example", "mail.EXAMPLE", 22),
        ("other,mail.example", "mail.example", 22),
        ("*.example", "mail.example", 22),
        ("m?il.example", "mail.example", 22),
        ("!web.example,*.example", "mail.example", 22),
        ("[mail.example]:2222", "mail.example", 2222),
        ("[*.example]:2222", "mail.example", 2222),
        ("mail.example", "mail.example", 2222),
        ("192.0.2.1", "192.0.2.1", 22),
        ("[2001:db8::1]:2222", "2001:db8::1", 2222),
        (hashed("mail.example"), "mail.example", 22),
        (hashed("[mail.example]:2222"), "mail.example", 2222),
    ],
)
def test_line_that_names_the_host_is_found(hosts: str, host: str, port: int) -> None:
    assert judge(f"{hosts} {KEY} comment\n", host, port) == ""


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        ("mail.example", "mail.example.org", 22),
        ("*.example", "example", 22),
        ("!mail.example,*.example", "mail.example", 22),
        ("[mail.example]:2222", "mail.example", 22),
        ("[mail.example]:2222", "mail.example", 2223),
        ("mail[a-z].example", "maila.example", 22),
        (hashed("web.example"), "mail.example", 22),
        ("|1|broken|", "mail.example", 22),
    ],
)
def test_line_that_names_another_host_is_not_found(hosts: str, host: str, port: int) -> None:
    assert "is unknown in known_hosts" in judge(f"{hosts} {KEY}\n", host, port)


def test_one_bad_line_hides_no_other() -> None:
    text = f"# comment\n\ngarbage\nmail.example ssh-ed25519 !!!\n@strange mail.example {OTHER}\n"
    text += f"mail.example ssh-rsa {KEY.split()[1]}\nmail.example {KEY}\n"
    assert judge(text) == ""


def test_other_key_than_on_file_is_named_with_its_line() -> None:
    message = judge(f"mail.example {OTHER}\n")
    assert message.startswith(
        f"host key of mail.example ({fingerprint(blob(KEY))}) is not the one on file (known_hosts:1)"
    )


def test_key_of_the_port_comes_before_the_key_of_the_host() -> None:
    text = f"mail.example {KEY}\n[mail.example]:2222 {OTHER}\n"
    assert "is not the one on file (known_hosts:2)" in judge(text, port=2222)


def test_revoked_key_is_refused_even_if_it_is_on_file() -> None:
    text = f"mail.example {KEY}\n@revoked * {KEY}\n"
    assert "is revoked by known_hosts:2" in judge(text)
    assert "is revoked by known_hosts:2" in judge(text, port=2222)
    assert judge(text.replace("* ", "web.example ")) == ""


def test_key_of_an_authority_is_no_host_key() -> None:
    assert "is unknown" in judge(f"@cert-authority mail.example {KEY}\n")


def test_algorithms_of_the_keys_on_file_are_asked_for_first() -> None:
    offered = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]
    rsa = base64.b64encode(b"\0\0\0\7ssh-rsa" + b"\0" * 8).decode()
    keys = KnownHosts(parse(f"mail.example ssh-rsa {rsa}\n", "f"), "mail.example", 22)
    assert keys.algorithms(offered) == ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256"]
    keys = KnownHosts(parse(f"@cert-authority *.example {KEY}\n", "f"), "mail.example", 22)
    assert keys.algorithms(offered)[0] == "ssh-ed25519-cert-v01@openssh.com"


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        (("mail.example",), True),
        (("*.example", "[mail.example]:22"), True),
        (("[mail.example]:2222",), True),
        (("web.example", "[mail.example]:993"), False),
    ],
)
def test_an_authority_without_a_port_is_one_for_every_port(lines: tuple[str, ...], asked: bool) -> None:
    text = "".join(f"@cert-authority {hosts} {KEY}\n" for hosts in lines)
    keys = KnownHosts(parse(text, "f"), "mail.example", 2222)
    assert (keys.algorithms(["ssh-ed25519"])[0] == "ssh-ed25519-cert-v01@openssh.com") is asked


def test_damaged_certificate_is_refused() -> None:
    keys = KnownHosts(parse(f"@cert-authority *.example {KEY}\n", "f"), "mail.example", 22)
    with pytest.raises(HostKeyRejected, match="its certificate is damaged"):
        keys.check(blob(KEY), b"\0\0\0\4what")


def test_file_that_was_named_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(HostKeyRejected, match="No such file or directory"):
        KnownHosts.read("mail.example", 22, [str(tmp_path / "missing")])
