"""Host keys as OpenSSH keeps and judges them (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

The library's own reader gives up at the first marker and does not know patterns, so the files are read
here. One bad line is skipped, as OpenSSH does; it never hides the others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from re import IGNORECASE, match

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from recovery.errors import HostKeyRejected

SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
CERTIFICATE = "-cert-v01@openssh.com"


@dataclass(frozen=True)
class Entry:
    """One line of a file of host keys."""

    marker: str
    """``""``, ``revoked`` or ``cert-authority``."""
    hosts: str
    key_type: str
    key: bytes
    """The key's blob, as the wire has it."""
    where: str
    """``FILE:LINE``, for messages."""

    def matches(self, name: str) -> bool:
        """Whether the line speaks of ``name``, which is ``host`` or ``[host]:port``."""
        if self.hosts.startswith("|1|"):
            return _hashed_matches(self.hosts, name)
        found = False
        for pattern in self.hosts.split(","):
            negated = pattern.startswith("!")
            if _pattern_matches(pattern.removeprefix("!"), name):
                if negated:
                    return False
                found = True
        return found


def _hashed_matches(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in hashed.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    # SHA-1 is the format's, and only hides the name.
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def _pattern_matches(pattern: str, name: str) -> bool:
    # Only * and ? are special; [ is the bracket of [host]:port.
    return match(translate(pattern.replace("[", "[[]")), name, IGNORECASE) is not None


def default_files() -> tuple[str, ...]:
    """The files that ``ssh`` reads: the user's, then the system's."""
    return tuple(os.path.expanduser(name) for name in USER_FILES) + SYSTEM_FILES


def parse(text: str, where: str) -> list[Entry]:
    """The entries of a file's ``text``; comments and lines that make no sense are left out."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = ""
        if words[0].startswith("@"):
            marker = words.pop(0)[1:].lower()
            if marker not in {"revoked", "cert-authority"}:
                continue
        if len(words) < 3:
            continue
        try:
            key = base64.b64decode(words[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        # The blob begins with its own type, which must be the one that the line names.
        if key[4 : 4 + int.from_bytes(key[:4], "big")] != words[1].encode():
            continue
        entries.append(Entry(marker, words[0], words[1], key, f"{where}:{number}"))
    return entries


def fingerprint(key: bytes) -> str:
    """A key's fingerprint as ``ssh-keygen -l`` prints it: ``SHA256:...``."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def host_name(host: str, port: int) -> str:
    """How a file names ``host`` at ``port``: ``host``, or ``[host]:port`` where the port is not 22."""
    host = host.lower()
    return host if port == 22 else f"[{host}]:{port}"


class KnownHosts:
    """The host keys on file for one host and port."""

    def __init__(self, entries: Iterable[Entry], host: str, port: int, files: Sequence[str] = ()) -> None:
        self.host = host
        self.name = host_name(host, port)
        self.files = tuple(files)
        every = list(entries)
        named = [entry for entry in every if entry.matches(self.name)]
        for marker in ("", "cert-authority"):
            if port != 22 and not any(entry.marker == marker for entry in named):
                # As ssh does: without a port it is good for every port that has none of its own.
                named += [e for e in every if e.marker == marker and e.matches(host.lower())]
        # A revoked key is bad at every port.
        self._revoked = [
            e for e in every if e.marker == "revoked" and (e.matches(host.lower()) or e in named)
        ]
        self._plain = [e for e in named if e.marker == ""]
        self._authorities = [e for e in named if e.marker == "cert-authority"]

    @classmethod
    def read(cls, host: str, port: int, files: Sequence[str] | None) -> KnownHosts:
        """The keys that ``files`` hold for ``host``; None is the default files.

        Raises:
            HostKeyRejected: a file that was asked for by name cannot be read.
        """
        entries: list[Entry] = []
        names = tuple(os.path.expanduser(name) for name in files) if files is not None else default_files()
        for name in names:
            try:
                with open(name, encoding="utf-8", errors="replace") as stream:
                    entries += parse(stream.read(), name)
            except OSError as error:
                if files is None:
                    continue
                raise HostKeyRejected(f"known hosts file {name}: {error.strerror}") from None
        return cls(entries, host, port, names)

    def algorithms(self, offered: Sequence[str]) -> list[str]:
        """``offered`` host key algorithms, those first for which a key is on file.

        Without it a machine that has several keys may show one that is not on file.
        """
        known = {algorithm for entry in self._plain for algorithm in _algorithms_of(entry.key_type)}
        plain = [name for name in offered if not name.endswith(CERTIFICATE)]
        first = [name for name in plain if name in known]
        certificates = [name + CERTIFICATE for name in plain] if self._authorities else []
        return certificates + first + [name for name in plain if name not in known]

    def check(self, key: bytes, certificate: bytes | None = None, *, now: float | None = None) -> None:
        """Accept the key that the machine proved to hold, or raise.

        Args:
            key: the plain public key's blob.
            certificate: the blob of the certificate that came with it, if one did.
            now: seconds since 1970; None is now.

        Raises:
            HostKeyRejected: the key is revoked, unknown, another one than on file, or its certificate is bad.
        """
        shown = f"host key of {self.name} ({fingerprint(key)})"
        for entry in self._revoked:
            if entry.key == key:
                raise HostKeyRejected(f"{shown} is revoked by {entry.where}: do not trust this machine")
        if certificate is not None:
            self._check_certificate(certificate, shown, time.time() if now is None else now)
            return
        if any(entry.key == key for entry in self._plain):
            return
        if self._plain:
            where = ", ".join(sorted({entry.where for entry in self._plain}))
            raise HostKeyRejected(
                f"{shown} is not the one on file ({where}): somebody may be listening in, or the machine "
                "was installed anew; check the key on the machine's console before you replace the line"
            )
        raise HostKeyRejected(
            f"{shown} is unknown in {', '.join(self.files) or 'the given keys'}: check it on the machine "
            "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add the line that "
            "'imap4-recovery doctor' prints"
        )

    def _check_certificate(self, blob: bytes, shown: str, now: float) -> None:
        length = int.from_bytes(blob[:4], "big")
        line = blob[4 : 4 + length] + b" " + base64.b64encode(blob)
        try:
            certificate = load_ssh_public_identity(line)
            if not isinstance(certificate, SSHCertificate):
                raise HostKeyRejected(f"{shown}: what it sent as its certificate is not one")
            certificate.verify_cert_signature()
            authority = _blob(certificate)
        except (ValueError, UnsupportedAlgorithm, InvalidSignature):
            raise HostKeyRejected(f"{shown}: its certificate is damaged") from None
        for entry in self._revoked:
            if entry.key == authority:
                raise HostKeyRejected(f"{shown}: its certificate's authority is revoked by {entry.where}")
        if not any(entry.key == authority for entry in self._authorities):
            raise HostKeyRejected(
                f"{shown}: its certificate is signed by {fingerprint(authority)}, and no @cert-authority "
                f"line for {self.name} has that key"
            )
        if certificate.type is not SSHCertificateType.HOST or certificate.critical_options:
            raise HostKeyRejected(f"{shown}: its certificate is not one for a host")
        if not certificate.valid_after <= now < certificate.valid_before:
            raise HostKeyRejected(f"{shown}: its certificate is not valid at this time")
        principals = [name.decode(errors="replace") for name in certificate.valid_principals]
        if not any(_pattern_matches(name, self.host.lower()) for name in principals):
            raise HostKeyRejected(f"{shown}: its certificate is for {', '.join(principals) or 'no host'}")


def _algorithms_of(key_type: str) -> tuple[str, ...]:
    # An RSA key is "ssh-rsa" on file, but signs with SHA-2 (RFC 8332).
    return ("rsa-sha2-512", "rsa-sha2-256") if key_type == "ssh-rsa" else (key_type,)


def _blob(certificate: SSHCertificate) -> bytes:
    """The authority's public key, as the wire has it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    line = certificate.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])
