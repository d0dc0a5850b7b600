"""Makes a credential from options: reads its secrets, and tries a key before it is stored."""

from __future__ import annotations

import argparse
import base64
import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from recovery.credentials.login_methods import NEEDING_PASSWORD, SSH, WITH_KEY, WITH_PASSWORD, is_winrm
from recovery.credentials.prompt import STDIN, from_descriptor, from_prompt
from recovery.errors import LoginFailed, UsageError
from recovery.model import Credential, Secret

_KEY_LIMIT = 65536


def parts_of(options: argparse.Namespace, base: Credential) -> Credential:
    """``base`` with the parts that ``options`` name; secrets are read here.

    Raises:
        UsageError: a secret or a key cannot be read, or two are to come from one place.
    """
    _refuse_shared_inputs(options)
    password = _secret(options, "password", "the password")
    key, key_file = _key(options)
    passphrase = _secret(options, "passphrase", "the passphrase")
    method = options.method or base.method or _method(password, key, key_file)
    if options.method is None and base.method in SSH and (password or key or key_file):
        # A new kind of secret says which method is meant.
        method = _method(password, key, key_file)
    if method in NEEDING_PASSWORD and not (password or base.password):
        password = from_prompt("the password", twice=True)
    changes: dict[str, object] = {
        "account": options.account,
        "method": method,
        "password": password,
        "passphrase": passphrase,
        "become": options.become,
        "description": options.description,
        "machines": options.machines,
        "actions": options.actions,
    }
    made = replace(base, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    if key or key_file:
        # Another key has another certificate.
        made = replace(
            made, private_key=key, private_key_file=key_file, passphrase=passphrase, certificate=""
        )
    certificate = _certificate(options)
    made = _without_other_methods(replace(made, certificate=certificate or made.certificate))
    if options.certificate and made.method != "ssh-key":
        raise UsageError("--certificate goes with an SSH key: give that, or --method ssh-key")
    if made.method in WITH_KEY and (key or key_file or passphrase or certificate):
        made = _tried(made)
    return made


def _certificate(options: argparse.Namespace) -> str:
    """The user certificate that is to be stored: what is named, or what lies beside an imported key."""
    named = options.certificate
    path = named or (options.private_key_import and f"{options.private_key_import}-cert.pub")
    if not path:
        return ""
    # Here and not above: paramiko takes 0.1 s to load.
    from recovery.transports.ssh.certificate import read

    try:
        found = read(str(Path(path).expanduser()))
    except LoginFailed as error:
        raise UsageError(str(error)) from None
    if named and found is None:
        raise UsageError(f"there is no certificate {path}")
    return (found or "").strip()


def about(credential: Credential) -> str:
    """What is to be said of a credential when it was stored, beside that: sentences with a space before."""
    from recovery.transports.ssh.login import AGENT_HINT, about_certificate

    if credential.method == "ssh-agent":
        return f" Mind that {AGENT_HINT}."
    try:
        told, fits = about_certificate(credential)
    except LoginFailed:
        return ""  # a key file of another user's, which nobody could try here
    if not told:
        return ""
    told = told.removeprefix(f"credential {credential.name}: ")
    return f" {told[0].upper()}{told[1:]}." + ("" if fits else " Sign the key anew.")


def _method(password: Secret | None, key: Secret | None, key_file: str | None) -> str:
    return "ssh-key" if (key or key_file) and not password else "ssh-password"


def _without_other_methods(credential: Credential) -> Credential:
    """A secret that the method does not use is not kept."""
    if credential.method not in WITH_PASSWORD:
        credential = replace(credential, password=None)
    if credential.method not in WITH_KEY:
        credential = replace(credential, private_key=None, private_key_file=None, passphrase=None)
    if credential.method != "ssh-key":
        credential = replace(credential, certificate="")
    return credential


def _refuse_shared_inputs(options: argparse.Namespace) -> None:
    names = ("password", "private_key", "passphrase")
    sources = [STDIN for name in names if getattr(options, f"{name}_stdin")]
    sources += [n for name in names if (n := getattr(options, f"{name}_fd")) is not None]
    if len(set(sources)) != len(sources):
        raise UsageError(
            "two secrets cannot be read from the same input; give each a file descriptor of its own, "
            "such as "
            "--password-fd 3 and --passphrase-fd 4"
        )


def _secret(options: argparse.Namespace, name: str, what: str) -> Secret | None:
    if getattr(options, f"{name}_prompt"):
        return from_prompt(what, twice=True)
    if getattr(options, f"{name}_stdin"):
        return from_descriptor(STDIN, what)
    descriptor = getattr(options, f"{name}_fd")
    return None if descriptor is None else from_descriptor(descriptor, what)


def _key(options: argparse.Namespace) -> tuple[Secret | None, str | None]:
    """The key's text, or the file in which it stays."""
    if options.private_key_stdin:
        return from_descriptor(STDIN, "the private key", whole=True), None
    if options.private_key_fd is not None:
        return from_descriptor(options.private_key_fd, "the private key", whole=True), None
    if options.private_key_import:
        return Secret(_read_key(Path(options.private_key_import).expanduser())), None
    if options.private_key_file:
        # The engine runs in another folder and with another home.
        return None, str(Path(options.private_key_file).expanduser().absolute())
    return None, None


def _read_key(path: Path) -> str:
    from recovery.files import read_private

    try:
        return read_private(path, "the private key", limit=_KEY_LIMIT).decode()
    except FileNotFoundError:
        raise UsageError(f"there is no private key {path}") from None
    except UnicodeDecodeError:
        raise UsageError(
            f"the private key {path} is not text; give the private half, in OpenSSH or PEM form"
        ) from None


def _tried(credential: Credential) -> Credential:
    """The credential, its key opened once, so that a wrong passphrase shows now and not at night.

    Asks for a passphrase where the key needs one and there is a terminal.
    """
    if credential.private_key:
        text = credential.private_key.reveal()
    elif credential.private_key_file:
        path = Path(credential.private_key_file)
        if _is_anothers(path):
            return credential
        text = _read_key(path)
    else:
        return credential
    if is_winrm(credential.method):
        text = _key_beside_certificate(text)
    _refuse_security_key(text)
    if credential.passphrase is None and _is_locked(text):
        credential = replace(credential, passphrase=from_prompt("the passphrase", twice=False))
    _open_key(text, credential.passphrase)
    if not is_winrm(credential.method):
        _refuse_unusable(credential)
    return credential


def _refuse_unusable(credential: Credential) -> None:
    """What is stored is opened by what will use it."""
    from recovery.transports.ssh.login import refuse_unusable

    try:
        refuse_unusable(credential)
    except LoginFailed as error:
        raise UsageError(str(error)) from None


def _is_anothers(path: Path) -> bool:
    """Whether we may not read the file, or not even see it; the engine's user may well read it."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return not os.access(path, os.R_OK)


def _key_beside_certificate(text: str) -> str:
    """The key's part of a PEM text that must hold a client certificate too."""
    key = re.search(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", text, re.DOTALL)
    if key is None or "-----BEGIN CERTIFICATE-----" not in text:
        raise UsageError(
            "method winrm-certificate needs the certificate and its private key in one PEM file (cat them)"
        )
    return key[0] + "\n"


def _is_locked(text: str) -> bool:
    """Whether the key asks for a passphrase."""
    try:
        _load(text, None)
    except TypeError:
        return True
    except ValueError:
        return False  # _open_key tells what is wrong with it
    return False


def _refuse_security_key(text: str) -> None:
    """A FIDO key's file holds no key, only the name of one in a device that somebody must touch."""
    body = "".join(line for line in text.splitlines() if "-----" not in line)
    with suppress(ValueError):
        if b"sk-ssh-ed25519@openssh.com" in (data := base64.b64decode(body)) or b"sk-ecdsa-" in data:
            raise UsageError(
                "the private key is that of a security key (FIDO), which somebody must touch: no recovery "
                "could use it at night; make one with ssh-keygen -t ed25519"
            )


def _open_key(text: str, passphrase: Secret | None) -> None:
    # cryptography tells a key that needs a passphrase, or has none, by TypeError; all else by ValueError.
    try:
        _load(text, passphrase)
    except TypeError:
        raise UsageError("the private key has no passphrase, but one was given") from None
    except Exception:  # its texts are OpenSSL's; any failure means that the key is of no use here
        hint = "the passphrase is wrong, or it is" if passphrase else "it is"
        raise UsageError(f"the private key cannot be opened: {hint} not in OpenSSH or PEM form") from None


def _load(text: str, passphrase: Secret | None) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    data, phrase = text.encode(), passphrase.reveal().encode() if passphrase else None
    if "BEGIN OPENSSH PRIVATE KEY" in text:
        load_ssh_private_key(data, phrase)
    else:
        load_pem_private_key(data, phrase)
