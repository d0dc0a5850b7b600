"""The command line's common parts: one-line errors with exit code 3, and options that commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from imap4 import arguments
from imap4.durations import DurationError, above_zero, spell
from imap4.monitor import jumps
from imap4.monitor.jumps import Jump
from recovery.errors import UsageError
from recovery.machines.access import CA_FILE, CA_FILE_VARIABLE
from recovery.paths import Paths, find_paths
from recovery.requests import AccessRequest

T = TypeVar("T")


class Parser(arguments.Parser):
    """The parser of all commands, whose errors are raised (as :class:`UsageError`): main() tells them all."""

    def __init__(self, *args: object, **settings: object) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise the error instead of printing it."""
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")


def read(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a whole command line of ``imap4-recovery``.

    Raises:
        UsageError: they are wrong.
    """
    command: list[str] = []
    before = list(arguments)
    # What stands after the first -- belongs to the machine's command, another -- included.
    if before[:1] == ["external-process"] and "--" in before:
        split = before.index("--")
        before, command = before[:split], before[split + 1 :]
    return parser.parse_args(before, argparse.Namespace(command=command))


def kind(read: Callable[[str], T]) -> Callable[[str], T]:
    """``read`` as an argparse type whose errors become argparse's own, which name the option."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except (UsageError, DurationError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def number(text: str) -> int:
    """A whole number from 1 on."""
    # isdigit alone takes other alphabets' digits; int() takes long for very many of them.
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:10]) <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def port(text: str) -> int:
    """A TCP port."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def descriptor(text: str) -> int:
    """An open file's number."""
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a file descriptor's number")
    return int(text)


def add_files(parser: argparse.ArgumentParser, *, store: bool = True, history: bool = True) -> None:
    """The options that say where the files are: those of the store, and of the history."""
    group = parser.add_argument_group("files")
    if history:
        group.add_argument(
            "--state-folder",
            metavar="FOLDER",
            help="the folder of history and locks (IMAP4_RECOVERY_STATE; /var/lib/check_imap4)",
        )
    if not store:
        return
    group.add_argument(
        "--credentials",
        metavar="FILE",
        help="the credential store (IMAP4_RECOVERY_CREDENTIALS; /etc/check_imap4/credentials)",
    )
    group.add_argument(
        "--key",
        metavar="FILE",
        help="its key (IMAP4_RECOVERY_KEY; imap4-recovery.key in systemd's $CREDENTIALS_DIRECTORY; "
        "/etc/check_imap4/credentials.key)",
    )


def paths_of(options: argparse.Namespace) -> Paths:
    """The files' places, from options and environment."""
    said = vars(options)  # a command has only the options for the files that it uses
    return find_paths(
        os.environ, credentials=said.get("credentials"), key=said.get("key"), state=said.get("state_folder")
    )


def add_machine(parser: argparse.ArgumentParser, limit: float, *, credential: bool = True) -> None:
    """The options that say which machine, as whom, and for how long.

    Args:
        limit: the default time-out for the whole action, in seconds.
        credential: whether the credential must be an option; else it may be one, too.
    """
    group = parser.add_argument_group("machine")
    group.add_argument(
        "--machine", required=True, metavar="NAME", help="the machine: FQDN, NetBIOS name or IP address"
    )
    group.add_argument(
        "--credential",
        required=credential,
        metavar="NAME",
        help="the stored credential to log in with" if credential else argparse.SUPPRESS,
    )
    group.add_argument("--port", type=port, metavar="N", help="TCP port on the machine (SSH 22, WinRM 5986)")
    group.add_argument(
        "--jump",
        action="extend",
        default=[],
        type=_jumps,
        metavar="CREDENTIAL@HOST[:PORT]",
        help="an SSH host to go through, as ssh -J does; repeatable, or a comma list, the nearest first; "
        "without CREDENTIAL it is the machine's",
    )
    group.add_argument(
        "--known-hosts",
        action="append",
        metavar="FILE",
        help="host keys to trust, instead of ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts; repeatable",
    )
    group.add_argument(
        "--scheme",
        choices=("https", "http"),
        help="WinRM: https, or http with sealed messages (https; http where --port is 5985)",
    )
    group.add_argument(
        "--ca-file",
        metavar="FILE",
        help=f"WinRM: PEM certificates to trust, instead of the system's ({CA_FILE_VARIABLE}; {CA_FILE})",
    )
    group.add_argument(
        "--spn",
        type=_spn,
        metavar="SERVICE/HOST",
        help="WinRM with Kerberos: the machine's service principal, such as WSMAN/mail2.example.org "
        "(HTTP/ and the machine's name)",
    )
    group.add_argument(
        "--timeout",
        type=kind(above_zero),
        default=limit,
        metavar="TIME",
        help=f"for everything together, such as 90s or 5m ({spell(limit)})",
    )


def _spn(text: str) -> str:
    service, slash, host = text.partition("/")
    if not service.isalnum() or not slash or not host or "/" in host or not host.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no service principal, such as HTTP/mail2.example.org")
    return text


def _jumps(text: str) -> list[Jump]:
    try:
        found = [jumps.parse(word.strip()) for word in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if len(found) > jumps.MOST:
        raise argparse.ArgumentTypeError(f"more than {jumps.MOST} jump hosts")
    return found


def access_of(options: argparse.Namespace, *, become: bool = False) -> AccessRequest:
    """What the options of :func:`add_machine` say.

    Args:
        become: whether sudo is asked for, where the command has that option.
    """
    return AccessRequest(
        options.machine,
        options.credential,
        options.timeout,
        options.port,
        tuple(options.known_hosts) if options.known_hosts else None,
        options.scheme,
        options.ca_file,
        options.spn,
        become,
        tuple(options.jump),
    )
