"""Where ``--login`` gets its password from: a file or a descriptor, never the command line."""

from __future__ import annotations

import os
import select

from imap4.check.options import Options, UsageError
from imap4.deadline import Deadline
from imap4.text import clean

_MAX = 65536


def read_password(options: Options, deadline: Deadline) -> str:
    """The first line of the file or descriptor that the options name, without its end.

    Raises:
        UsageError: it cannot be read, is empty, is not UTF-8, or does not come before the deadline.
    """
    if options.password_file is not None:
        return _text(_read_file(options.password_file), f"--password-file {clean(options.password_file)}")
    assert options.password_fd is not None
    return _text(_read_descriptor(options.password_fd, deadline), f"--password-fd {options.password_fd}")


def _read_file(path: str) -> bytes:
    try:
        # Without O_NONBLOCK, a named pipe without a writer would hold us for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _MAX)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"argument --password-file: cannot read {clean(path)}: {reason}") from None


def _read_descriptor(descriptor: int, deadline: Deadline) -> bytes:
    data = b""
    try:
        os.fstat(descriptor)  # select(2) waits in vain for a number beyond the table of descriptors
        while b"\n" not in data and len(data) < _MAX:
            if not select.select([descriptor], [], [], deadline.left)[0]:
                raise UsageError(f"argument --password-fd: nothing came on descriptor {descriptor} in time")
            part = os.read(descriptor, _MAX)
            if not part:
                break
            data += part
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"argument --password-fd: cannot read descriptor {descriptor}: {reason}") from None
    return data


def _text(data: bytes, where: str) -> str:
    line = data.split(b"\n", 1)[0].removesuffix(b"\r")
    if not line or b"\0" in line:
        raise UsageError(f"argument {where}: its first line must be the password")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"argument {where}: the password is not UTF-8") from None
