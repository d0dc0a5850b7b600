"""The store of named credentials: read by every recovery, changed by administrators.

One encrypted file (:mod:`recovery.credentials.encryption`). A reader needs no lock: it sees the old file or
the new. A writer holds a lock from reading to replacing, so that two at once lose nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

from recovery import home
from recovery.credentials import encryption
from recovery.credentials.login_methods import METHODS, NEEDING_PASSWORD, WITH_KEY, is_winrm
from recovery.errors import UsageError
from recovery.files import locked, make_folder, remove_leftovers, replace_file
from recovery.model import Credential, Secret
from recovery.paths import Paths

SECRETS = ("password", "private_key", "passphrase")
# It stands in engines' configuration and on command lines: nothing that these read as their own.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", re.ASCII)
_ACCOUNT = re.compile(r"(?:[^\\@\s]+\\)?[^\\\s]+(?:@[^\\@\s]+)?")
_READ_ATTEMPTS = 5


def check_name(name: str) -> None:
    """Raises UsageError where ``name`` cannot name a credential."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a credential: at most 64 letters, digits, _ . @ and -, "
            "with a letter or digit first"
        )


def check_whole(credential: Credential) -> None:
    """Raises UsageError where parts of ``credential`` are missing or do not fit its method."""
    check_name(credential.name)
    if not _ACCOUNT.fullmatch(credential.account) or not credential.account.isprintable():
        raise UsageError(
            f"--account {credential.account!r} is none of name, DOMAIN\\name, .\\name and name@domain"
        )
    if credential.method not in METHODS:
        raise UsageError(f"--method {credential.method!r} is none of {', '.join(METHODS)}")
    has_key = bool(credential.private_key or credential.private_key_file)
    if credential.method in NEEDING_PASSWORD and not credential.password:
        raise UsageError(f"method {credential.method} needs a password: --password-prompt, -stdin or -fd")
    if credential.method in WITH_KEY and not has_key:
        raise UsageError(
            f"method {credential.method} needs a key: --private-key-file, --private-key-import, -stdin or -fd"
        )
    if credential.become and is_winrm(credential.method):
        raise UsageError(
            f"method {credential.method} knows no sudo: leave --become out and grant rights there"
        )


class Store:
    """The credentials in one file. Nothing is read before it is asked for."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self.path = paths.credentials

    def load(self) -> dict[str, Credential]:
        """All credentials by name; none where there is no file yet.

        Raises:
            UsageError: a file is damaged, open to others or unreadable, or the key is the wrong one.
        """
        for attempt in range(_READ_ATTEMPTS):
            try:
                return self._read()
            except encryption.UnknownKey:
                # Key first, store second: between the two, a rekey may have replaced both.
                if attempt == _READ_ATTEMPTS - 1:
                    raise
        raise AssertionError("not reached")

    def get(self, name: str) -> Credential:
        """The credential called ``name``.

        Raises:
            UsageError: as :meth:`load`, or there is no such credential.
        """
        found = self.load()
        if name not in found:
            known = ", ".join(sorted(found)) or "none"
            raise UsageError(f"there is no credential {name!r} in {self.path}; it holds {known}")
        return found[name]

    @contextmanager
    def change(self) -> Iterator[dict[str, Credential]]:
        """The credentials by name, to be changed in place; written when the block ends without an error.

        Raises:
            UsageError: as :meth:`load`, or the file cannot be written. The old one is then untouched.
        """
        for folder in (self.path.parent, self._paths.key.parent):
            make_folder(folder)
        with locked(self.path):
            remove_leftovers(self.path)
            held = self._read()
            yield held
            replace_file(self.path, encryption.seal(_to_json(held), self._first_key()))

    def rekey(self) -> str:
        """Encrypt the store with a new key, and return that key's fingerprint.

        The key file holds the new and the old key until the store is written, so that a crash at any
        moment leaves a store that its key file opens.

        Raises:
            UsageError: as :meth:`load`, or the key file is not ours to write.
        """
        self._refuse_systemd("rekey")
        with locked(self.path):
            remove_leftovers(self.path)
            remove_leftovers(self._paths.key)
            held = self._read()
            if not self.path.exists():
                raise UsageError(f"there is no credential store {self.path} to rekey")
            used = encryption.key_of(encryption.read_store(self.path), encryption.read_keys(self._paths.key))
            assert used is not None  # it has just opened the store
            new = encryption.Key.generate()
            encryption.write_keys(self._paths.key, [new, used])
            replace_file(self.path, encryption.seal(_to_json(held), new))
            encryption.write_keys(self._paths.key, [new])
        return new.fingerprint

    def _read(self) -> dict[str, Credential]:
        home.refuse_others(self.path.parent, os.R_OK | os.X_OK)
        try:
            keys = encryption.read_keys(self._paths.key, self._paths.key_from_systemd)
        except FileNotFoundError:
            keys = []
        try:
            # Key first, store second: rekey writes the key file with both keys before the store.
            file = encryption.read_store(self.path)
        except FileNotFoundError:
            return {}
        if not keys:
            raise UsageError(
                f"the credential store {self.path} is there, but its key file {self._paths.key} is not; "
                "restore it from a backup, or name it with --key"
            )
        return _from_json(encryption.unseal(file, keys, self.path))

    def _first_key(self) -> encryption.Key:
        """The key to encrypt with; made where there is neither a key nor a store yet."""
        try:
            return encryption.read_keys(self._paths.key, self._paths.key_from_systemd)[0]
        except FileNotFoundError:
            key = encryption.Key.generate()
            encryption.write_keys(self._paths.key, [key])
            return key

    def _refuse_systemd(self, what: str) -> None:
        if self._paths.key_from_systemd:
            raise UsageError(
                f"{what}: systemd handed us a copy of the key; name the key file itself with --key"
            )


def _to_json(credentials: dict[str, Credential]) -> bytes:
    def plain(value: object) -> object:
        return value.reveal() if isinstance(value, Secret) else value

    entries = [
        {field.name: plain(getattr(one, field.name)) for field in fields(one)} for one in credentials.values()
    ]
    return json.dumps({"credentials": entries}).encode()


def _from_json(content: bytes) -> dict[str, Credential]:
    known = {field.name for field in fields(Credential)}
    credentials = {}
    for entry in json.loads(content)["credentials"]:
        if unknown := set(entry) - known:
            # Writing it back without what we do not know would lose it.
            raise UsageError(
                f"the credential store was written by a newer version ({', '.join(sorted(unknown))})"
            )
        for name in SECRETS:
            entry[name] = None if entry.get(name) is None else Secret(entry[name])
        for name in ("machines", "actions"):
            entry[name] = tuple(entry.get(name, ()))
        credentials[entry["name"]] = Credential(**entry)
    return credentials
