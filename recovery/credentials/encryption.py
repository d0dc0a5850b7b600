"""The credential store's file: encrypted and authenticated with AES-256-GCM.

Why AES-256-GCM: ipMonitor kept its credentials under AES-256, and administrators have to state that of
its successor too; Fernet is AES-128. GCM (NIST SP 800-38D) authenticates the header with the content, so
that no byte of the file can be changed unseen. Each write draws a new random 96-bit nonce; the standard
allows 2^32 of these for one key, and ``rekey`` starts anew.

The file is two lines of text: a header with format, cipher and the key's fingerprint, and the nonce with
the ciphertext in base64. The key file holds one key a line; the first encrypts, all decrypt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import UsageError
from recovery.files import as_owner, read_private, replace_file
from recovery.model import Secret

_HEADER = "check_imap4-credentials 1 aes-256-gcm"
_KEY_WORD = "check_imap4-key-1"
_KEY_COMMENT = "# Opens check_imap4's credential store. Back it up apart from the store.\n"
_KEY_BYTES = 32
# 96 bits: the one length that GCM takes as it is, without a hash (NIST SP 800-38D, 7.1).
_NONCE_BYTES = 12
_FILE_LIMIT = 16 * 1024 * 1024


class UnknownKey(UsageError):
    """The file was encrypted with a key that is not in the key file."""


@dataclass(frozen=True)
class Key:
    """A 256-bit key; its repr shows the fingerprint only."""

    secret: Secret

    @classmethod
    def generate(cls) -> Key:
        """A new key from the system's random source."""
        return cls(Secret(base64.b64encode(os.urandom(_KEY_BYTES)).decode()))

    @property
    def octets(self) -> bytes:
        """The key itself."""
        return base64.b64decode(self.secret.reveal())

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell keys apart and say nothing about them."""
        # The key signs a fixed text, so nobody can get from what is printed to the key.
        return hmac.new(self.octets, b"check_imap4 key fingerprint", hashlib.sha256).hexdigest()[:16]


def seal(content: bytes, key: Key) -> bytes:
    """The file that holds ``content``, encrypted with ``key``."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = f"{_HEADER} {key.fingerprint}"
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key.octets).encrypt(nonce, content, header.encode())
    return f"{header}\n{base64.b64encode(nonce + sealed).decode()}\n".encode()


def key_of(file: bytes, keys: list[Key]) -> Key | None:
    """The one of ``keys`` that a file which :func:`seal` made was encrypted with."""
    fingerprint = file.partition(b"\n")[0].decode("ascii", "replace").rpartition(" ")[2]
    return next((key for key in keys if key.fingerprint == fingerprint), None)


def unseal(file: bytes, keys: list[Key], path: Path) -> bytes:
    """The content of a file that :func:`seal` made.

    Args:
        path: where ``file`` was read, for the error.

    Raises:
        UnknownKey: none of ``keys`` encrypted it.
        UsageError: it is damaged, or no credential store.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    damaged = UsageError(
        f"the credential store {path} is damaged: restore it from a backup; nothing was changed in it"
    )
    header, _, body = file.partition(b"\n")
    words = header.decode("ascii", "replace").split(" ")
    if words[0] != _HEADER.split(" ", maxsplit=1)[0]:
        raise UsageError(
            f"{path} is not a credential store, or its beginning is damaged; nothing was changed in it"
        )
    if " ".join(words[:3]) != _HEADER or len(words) != 4:
        newer = words[1:2] != ["1"]
        raise UsageError(f"the credential store {path} was written by a newer version") if newer else damaged
    key = key_of(file, keys)
    if key is None:
        has = ", ".join(key.fingerprint for key in keys)
        raise UnknownKey(
            f"wrong key: the credential store {path} was encrypted with key {words[3]}, "
            f"and the key file has {has}"
        )
    try:
        # Without "validate" what is not base64 would be skipped, and a damaged line read as another.
        sealed = base64.b64decode(body.removesuffix(b"\n"), validate=True)
        return AESGCM(key.octets).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], header)
    except (binascii.Error, InvalidTag, ValueError):
        raise damaged from None


def read_store(path: Path) -> bytes:
    """The file as it is; see :func:`recovery.files.read_private` for what is raised."""
    with as_owner(path.parent):
        return read_private(path, "the credential store", limit=_FILE_LIMIT)


def read_keys(path: Path, from_systemd: bool = False) -> list[Key]:
    """The keys in a key file, the one to encrypt with first.

    Raises:
        FileNotFoundError: there is no such file.
        UsageError: it or its folder is open to others, or it holds anything but keys.
    """
    with as_owner(path.parent):
        text = read_private(path, "the key file", limit=65536, from_systemd=from_systemd)
    keys = []
    for line in text.decode("ascii", "replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, encoded = line.strip().partition(" ")
        try:
            octets = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            octets = b""
        if word != _KEY_WORD or len(octets) != _KEY_BYTES:
            raise UsageError(
                f"the key file {path} is damaged: it has a line that is not a key; restore it from a backup"
            )
        keys.append(Key(Secret(encoded)))
    if not keys:
        raise UsageError(f"the key file {path} holds no key; restore it from a backup")
    return keys


def write_keys(path: Path, keys: list[Key]) -> None:
    """Replace the key file with one that holds ``keys``."""
    lines = "".join(f"{_KEY_WORD} {key.secret.reveal()}\n" for key in keys)
    replace_file(path, (_KEY_COMMENT + lines).encode())
