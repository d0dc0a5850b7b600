"""Private keys in every form that ``credentials add`` takes: what is stored can be used at night."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from recovery.errors import LoginFailed
from recovery.model import Credential, Secret
from recovery.transports.ssh.login import load_key
from tests.unit.recovery.conftest import Recovery

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def made(kind: str) -> Key:
    """A new key."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return (
        ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
    )


def stored(text: str, passphrase: str = "") -> Credential:
    secret = Secret(passphrase) if passphrase else None
    return Credential("mail", "recovery", "ssh-key", private_key=Secret(text), passphrase=secret)


@pytest.mark.parametrize("passphrase", ["", secrets.token_urlsafe(12)], ids=["open", "locked"])
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_pkcs8_key_can_be_used(kind: str, passphrase: str) -> None:
    locked = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    text = made(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode()
    assert kind in load_key(stored(text, passphrase)).get_name().replace("ssh-", "")
    if passphrase:
        with pytest.raises(LoginFailed, match="needs its passphrase, and none is stored"):
            load_key(stored(text))
        with pytest.raises(LoginFailed, match="cannot be opened: the stored passphrase is wrong"):
            load_key(stored(text, "another one"))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize("cipher", ["aes256-gcm@openssh.com", "aes256-ctr"])
def test_a_key_under_any_of_opensshs_ciphers_can_be_used(tmp_path: Path, cipher: str) -> None:
    path, passphrase = tmp_path / "key", secrets.token_urlsafe(12)
    # Made up for this moment, so that a command line may show it.
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-Z", cipher, "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True)
    assert load_key(stored(path.read_text(), passphrase)).get_name() == "ssh-ed25519"


def test_a_security_keys_file_is_refused_when_it_is_added(recovery: Recovery, tmp_path: Path) -> None:
    # As "ssh-keygen -t ed25519-sk" writes it, without a device: the kind's name is what is looked at.
    body = b"openssh-key-v1\0" + b"\0\0\0\4none" * 2 + b"\0\0\0\x1ask-ssh-ed25519@openssh.com" + bytes(60)
    text = base64.encodebytes(body).decode()
    path = tmp_path / "id_ed25519_sk"
    path.touch(mode=0o600)
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n")
    ran = recovery(
        *(
            "credentials",
            "add",
            "mail",
            "--account",
            "recovery",
            "--private-key-import",
            str(path),
        ),
        *("--machines", "mail*", "--actions", "all"),
    )
    assert ran.code == 3
    assert "the private key is that of a security key (FIDO), which somebody must touch" in ran.err
