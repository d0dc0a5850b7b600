"""User certificates: what an authority says of a key (OpenSSH's PROTOCOL.certkeys, ssh-keygen(1))."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from recovery.errors import LoginFailed
from recovery.model import Credential

SUFFIX = "-cert.pub"
_LIMIT = 65536
_FOREVER = (1 << 64) - 1


@dataclass(frozen=True)
class UserCertificate:
    """A certificate for the key of a credential."""

    text: str
    """The line of its file."""
    where: str
    """``the stored certificate``, or its file."""
    principals: tuple[str, ...]
    """The accounts that it is for; the machine may map them to others."""
    begins: int
    """Seconds since 1970; so is its end."""
    ends: int

    def problem(self, now: float | None = None) -> str:
        """Why no machine would take it now; "" where its time fits.

        Args:
            now: seconds since 1970; None is now.
        """
        now = time.time() if now is None else now
        if now >= self.ends:
            return f"{self.where} expired on {_day(self.ends)}"
        if now < self.begins:
            return f"{self.where} is not valid before {_day(self.begins)}"
        return ""

    @property
    def told(self) -> str:
        """What it is for, for a person."""
        until = "for ever" if self.ends == _FOREVER else f"until {_day(self.ends)}"
        return f"{self.where} for {', '.join(self.principals) or 'nobody'} is valid {until}"


def certificate_of(credential: Credential, key: paramiko.PKey) -> UserCertificate | None:
    """The certificate that belongs to the key of ``credential``: the stored one, or as with ``ssh`` the file
    beside the key's; None where there is none.

    Raises:
        LoginFailed: it is no user certificate, or not one for this key.
    """
    if credential.certificate:
        return parse(credential.certificate, key, f"credential {credential.name}: the stored certificate")
    if not credential.private_key_file:
        return None
    path = credential.private_key_file + SUFFIX
    text = read(path)
    return None if text is None else parse(text, key, f"credential {credential.name}: certificate {path}")


def read(path: str) -> str | None:
    """The text of a certificate's file; None where there is none. It is no secret, so that its mode is no
    matter.

    Raises:
        LoginFailed: it cannot be read.
    """
    try:
        # Not to wait for whoever might write into a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LoginFailed(f"certificate {path}: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LoginFailed(f"certificate {path}: it is no plain file")
        return file.read(_LIMIT).decode("utf-8", "replace")


def parse(text: str, key: paramiko.PKey, where: str) -> UserCertificate:
    """The certificate in ``text``.

    Raises:
        LoginFailed: it is no user certificate, or not one for ``key``.
    """
    words = text.split()
    try:
        found = load_ssh_public_identity(" ".join(words[:2]).encode())
        if not isinstance(found, SSHCertificate) or found.type is not SSHCertificateType.USER:
            raise ValueError
        public = found.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise LoginFailed(
            f"{where} is not a user certificate (ssh-keygen -s AUTHORITY -I ID -n ACCOUNT KEY.pub)"
        ) from None
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    if line.split()[1] != key.get_base64():
        raise LoginFailed(f"{where} is for another key")
    principals = tuple(name.decode("utf-8", "replace") for name in found.valid_principals)
    return UserCertificate(" ".join(words[:2]), where, principals, found.valid_after, found.valid_before)


def certified(key: paramiko.PKey, certificate: UserCertificate) -> paramiko.PKey:
    """The key, which from now on shows its certificate."""
    key.load_certificate(certificate.text)
    return key


def _day(moment: int) -> str:
    # Years beyond what the C library can write are ones that nobody meant.
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(min(moment, 253402300799)))
