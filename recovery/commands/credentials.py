"""``imap4-recovery credentials``: the options, and the commands that look or remove."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields, replace
from typing import Any

from imap4.deadline import Deadline
from recovery.commands.credential_parts import about, parts_of
from recovery.commands.parsing import Parser, access_of, add_files, add_machine, descriptor, kind, paths_of
from recovery.credentials.login_methods import METHODS
from recovery.credentials.restrictions import read_actions, read_machines
from recovery.credentials.store import Store, check_name, check_whole
from recovery.errors import UsageError
from recovery.machines.access import permitted_access
from recovery.machines.interface import Machines
from recovery.model import Credential

_ABOUT = """\
Named sets of an account and how it proves itself, in one encrypted file. A credential may be used
only on the machines and for the actions that it names: without --machines it is of no use yet.

Secrets are asked for on the terminal, or read from standard input or a file descriptor:
  imap4-recovery credentials add mail --account recovery --private-key-file ~/.ssh/recovery \\
      --become --machines 'mail*.example.org,192.0.2.0/24' --actions restart-service
  pass show mail9 | imap4-recovery credentials add mail9 --account root --password-stdin --machines mail9
"""


def add_parser(commands: Any) -> None:
    """Add ``credentials`` and its subcommands to the top parser's ``commands``."""
    parser = commands.add_parser(
        "credentials",
        help="add, list, show, set, remove, test or rekey stored credentials",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, function, text in (
        ("add", add, "add a credential"),
        ("set", change, "change parts of a credential; what is not named stays"),
    ):
        one = group.add_parser(name, help=text, description=text)
        one.add_argument("name", metavar="NAME")
        _add_parts(one, adding=name == "add")
        add_files(one, history=False)
        one.set_defaults(run=function)
    for name, function, text in (
        ("list", list_all, "list the credentials, without their secrets"),
        ("show", show, "show one credential, without its secrets"),
        ("remove", remove, "remove a credential"),
        ("rekey", rekey, "encrypt the store with a new key, and forget the old one"),
        ("test", test, "log in to a machine with a credential, and do nothing there"),
    ):
        one = group.add_parser(name, help=text, description=text)
        if name in ("show", "remove"):
            one.add_argument("name", metavar="NAME")
        if name == "test":
            # As its siblings have it; --credential, as the commands that act have it, will do.
            one.add_argument("name", metavar="NAME", nargs="?")
        if name in ("list", "show"):
            one.add_argument("--json", action="store_true", help="print JSON")
        if name == "test":
            add_machine(one, 30.0, credential=False)
        add_files(one, history=False)
        one.set_defaults(run=function)


_WAYS = ("prompt", "stdin", "fd")
_PARTS = (
    *("account", "method", "description", "machines", "actions", "certificate"),
    *(f"{name}_{way}" for name in ("password", "passphrase") for way in _WAYS),
    *(f"private_key_{way}" for way in ("file", "import", "stdin", "fd")),
)


def _add_parts(parser: argparse.ArgumentParser, adding: bool) -> None:
    parser.add_argument(
        "--account", required=adding, metavar="NAME", help=r"name, DOMAIN\name, .\name or name@domain"
    )
    parser.add_argument("--method", metavar="METHOD", help=", ".join(METHODS))
    _add_secret(parser, "password", "the password")
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--private-key-file", metavar="FILE", help="the key stays in FILE, and is read at each use"
    )
    key.add_argument("--private-key-import", metavar="FILE", help="copy the key in FILE into the store")
    key.add_argument("--private-key-stdin", action="store_true", help="read the key from standard input")
    key.add_argument("--private-key-fd", type=descriptor, metavar="N", help="read the key from a descriptor")
    _add_secret(parser, "passphrase", "the key's passphrase")
    parser.add_argument(
        "--certificate",
        metavar="FILE",
        help="the key's SSH user certificate, to be stored (FILE-cert.pub beside an imported key; the one "
        "beside a --private-key-file is read at each use)",
    )
    parser.add_argument(
        "--become",
        # None is "not said": "set" then leaves it as it is.
        action=argparse.BooleanOptionalAction,
        default=None,
        help="use sudo -n for what needs root",
    )
    parser.add_argument("--description", metavar="TEXT")
    parser.add_argument(
        "--machines",
        type=kind(read_machines),
        metavar="LIST",
        help="where it may be used: mail1,*.example.org,192.0.2.0/24; none by default",
    )
    parser.add_argument(
        "--actions",
        type=kind(read_actions),
        metavar="LIST",
        help="what for: restart-service,reboot-server,external-process or all; none by default",
    )


class _Never(argparse.Action):
    """An option that must not be: everybody on the machine can read a command line."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        option = self.option_strings[0]
        parser.error(
            f"{option} would show it to everybody; use {option}-prompt, {option}-stdin or {option}-fd"
        )


def _add_secret(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    # Without this, "unrecognized arguments" would print the secret that somebody typed.
    parser.add_argument(f"--{name}", nargs="?", action=_Never, help=argparse.SUPPRESS)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(f"--{name}-prompt", action="store_true", help=f"ask for {what} on the terminal")
    ways.add_argument(f"--{name}-stdin", action="store_true", help=f"read {what} from standard input")
    ways.add_argument(f"--{name}-fd", type=descriptor, metavar="N", help=f"read {what} from a descriptor")


def add(options: argparse.Namespace, machines: Machines) -> int:
    """Add one that is not there yet."""
    check_name(options.name)
    store = Store(paths_of(options))
    if options.name in store.load():
        raise UsageError(f"there is a credential {options.name} already; change it with credentials set")
    new = parts_of(options, Credential(options.name, options.account, ""))
    check_whole(new)
    # Looked up again under the lock: the secret was typed in the meantime, by a slow hand.
    with store.change() as held:
        if options.name in held:
            raise UsageError(f"there is a credential {options.name} already; change it with credentials set")
        held[options.name] = new
    print(f"Added {options.name}." + _warning(new) + _about(new))
    return 0


def change(options: argparse.Namespace, machines: Machines) -> int:
    """Change the parts that are named."""
    store = Store(paths_of(options))
    # Secrets are asked for before the lock is taken: a person at a prompt must not block other writers.
    before = store.get(options.name)
    if not any(getattr(options, part) not in (None, False) for part in _PARTS) and options.become is None:
        raise UsageError(f"nothing to change in {options.name}: name a part, such as --machines")
    after = parts_of(options, before)
    with store.change() as held:
        if options.name not in held:
            raise UsageError(f"{options.name} was removed in the meantime; nothing was changed")
        merged = merge(held[options.name], before, after)
        check_whole(merged)
        held[options.name] = merged
    print(f"Changed {options.name}." + _warning(merged) + _about(merged))
    return 0


def merge(held: Credential, before: Credential, after: Credential) -> Credential:
    """``held`` with what changed between ``before`` and ``after``: another writer's parts stay."""
    changed = {
        field.name: getattr(after, field.name)
        for field in fields(Credential)
        if getattr(after, field.name) != getattr(before, field.name)
    }
    return replace(held, **changed)


def _about(credential: Credential) -> str:
    # Only these have anything to be said of, and it loads paramiko.
    return about(credential) if credential.method in ("ssh-key", "ssh-agent") else ""


def _warning(credential: Credential) -> str:
    missing = [part for part in ("machines", "actions") if not getattr(credential, part)]
    if not missing:
        return ""
    return f" It has no {' and no '.join(missing)}: it may be used for nothing until --{missing[0]} is set."


def remove(options: argparse.Namespace, machines: Machines) -> int:
    """Remove one."""
    store = Store(paths_of(options))
    store.get(options.name)
    with store.change() as held:
        held.pop(options.name, None)
    print(f"Removed {options.name}.")
    return 0


def rekey(options: argparse.Namespace, machines: Machines) -> int:
    """Encrypt the store anew."""
    fingerprint = Store(paths_of(options)).rekey()
    print(
        f"The store is encrypted with the new key {fingerprint}. Back up the key file apart from the store."
    )
    return 0


def list_all(options: argparse.Namespace, machines: Machines) -> int:
    """List all, one a line."""
    held = Store(paths_of(options)).load()
    found = [held[name] for name in sorted(held)]
    if options.json:
        print(json.dumps([_public(credential) for credential in found], indent=2))
        return 0
    for one in found:
        where, what_for = ",".join(one.machines) or "none", ",".join(one.actions) or "none"
        print(f"{one.name}: {one.account}, {one.method}, machines {where}, actions {what_for}")
    if not found:
        path = paths_of(options).credentials
        how = "make one with: imap4-recovery credentials add NAME --account ACCOUNT ..."
        print(f"imap4-recovery: no credential in {path} yet; {how}", file=sys.stderr)
    return 0


def show(options: argparse.Namespace, machines: Machines) -> int:
    """Show one; of its secrets only whether they are there."""
    public = _public(Store(paths_of(options)).get(options.name))
    if options.json:
        print(json.dumps(public, indent=2))
        return 0
    for name, value in public.items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{name}: {'none' if text in (None, '') else 'yes' if text is True else text or 'no'}")
    return 0


def test(options: argparse.Namespace, machines: Machines) -> int:
    """Log in, and say what was found."""
    named = {options.name, options.credential} - {None}
    if len(named) != 1:
        raise UsageError("imap4-recovery credentials test: name one credential, as in: credentials test mail")
    options.credential = named.pop()
    request = access_of(options)
    store = Store(paths_of(options))
    access = permitted_access(request, None, store, machines, Deadline(request.timeout))
    print(f"OK - {request.credential} logs in to {request.machine}: {machines.test(access)}")
    return 0


def _public(credential: Credential) -> dict[str, Any]:
    """What may be seen of a credential."""
    return {
        "name": credential.name,
        "account": credential.account,
        "method": credential.method,
        "password": "stored" if credential.password else None,
        "private_key": "stored" if credential.private_key else None,
        "private_key_file": credential.private_key_file,
        "passphrase": "stored" if credential.passphrase else None,
        "certificate": "stored" if credential.certificate else None,
        "become": credential.become,
        "description": credential.description,
        "machines": list(credential.machines),
        "actions": list(credential.actions),
    }
