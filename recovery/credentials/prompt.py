"""Reads secrets from a terminal, standard input or a file descriptor; never from the command line."""

from __future__ import annotations

import getpass
import os
import sys

from recovery.errors import UsageError
from recovery.model import Secret

_LIMIT = 65536
STDIN = 0


def from_descriptor(descriptor: int, what: str, *, whole: bool = False) -> Secret:
    """What is to be read from an open file descriptor, to its end.

    Args:
        what: what is read, for errors: ``the password``.
        whole: keep it as it is (a private key); else one newline at the end is dropped.

    Raises:
        UsageError: it cannot be read, is empty, too long, or no UTF-8 text.
    """
    place = "standard input" if descriptor == STDIN else f"file descriptor {descriptor}"
    data = b""
    try:
        # In parts: a pipe gives what is there, which may be half a key.
        while len(data) <= _LIMIT and (part := os.read(descriptor, _LIMIT)):
            data += part
    except OSError as error:
        raise UsageError(f"cannot read {what} from {place}: {error.strerror}") from None
    if len(data) > _LIMIT:
        raise UsageError(f"{what} on {place} is longer than {_LIMIT} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # "from None": the error's own text would quote the secret.
        raise UsageError(f"{what} on {place} is not UTF-8 text") from None
    if not whole:
        text = text.removesuffix("\n").removesuffix("\r")
    return _checked(text, f"{what} on {place}", whole)


def from_prompt(what: str, *, twice: bool) -> Secret:
    """What a person types on the terminal, unseen.

    Raises:
        UsageError: there is no terminal, it is empty, or the second time differs from the first.
    """
    try:
        # getpass would fall back to an echoing standard input where there is no terminal.
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise UsageError(f"there is no terminal to ask for {what}; use the -stdin or -fd option") from None
    try:
        first = getpass.getpass(f"{what[0].upper()}{what[1:]}: ")
        if twice and getpass.getpass("Once more: ") != first:
            raise UsageError(f"{what}: the second one differs from the first; nothing was changed")
    except (EOFError, KeyboardInterrupt):
        print(file=sys.stderr)
        raise UsageError(f"{what} was not given; nothing was changed") from None
    return _checked(first, what, whole=False)


def _checked(text: str, what: str, whole: bool) -> Secret:
    if not text:
        raise UsageError(f"{what} is empty")
    if "\0" in text or (not whole and ("\n" in text or "\r" in text)):
        raise UsageError(f"{what} has more than one line, or a NUL character")
    return Secret(text)
