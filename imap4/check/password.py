"""Where ``--login`` gets its password from: a file or a descriptor, never the command line."""

from __future__ import annotations

import os
import select

from imap4 import secrets
from imap4.check.options import Options, UsageError
from imap4.deadline import Deadline


def read_password(options: Options, deadline: Deadline) -> str:
    """The first line of the file or descriptor that the options name, without its end.

    Raises:
        UsageError: it cannot be read, is empty, is not UTF-8, or does not come before the deadline; or the
            file is not as :func:`imap4.secrets.read` wants it. Root's may be readable for a group.
    """
    if options.password_file is not None:
        try:
            return secrets.read_line(options.password_file, "", group=True)
        except secrets.SecretError as error:
            raise UsageError(f"argument --password-file: {error}") from None
    assert options.password_fd is not None
    data = _read_descriptor(options.password_fd, deadline)
    try:
        return secrets.first_line(data, f"descriptor {options.password_fd}")
    except secrets.SecretError as error:
        raise UsageError(f"argument --password-fd: {error}") from None


def _read_descriptor(descriptor: int, deadline: Deadline) -> bytes:
    data = b""
    try:
        os.fstat(descriptor)  # select(2) waits in vain for a number beyond the table of descriptors
        while b"\n" not in data and len(data) < secrets.LIMIT:
            if not select.select([descriptor], [], [], deadline.left)[0]:
                raise UsageError(f"argument --password-fd: nothing came on descriptor {descriptor} in time")
            part = os.read(descriptor, secrets.LIMIT)
            if not part:
                break
            data += part
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"argument --password-fd: cannot read descriptor {descriptor}: {reason}") from None
    return data
