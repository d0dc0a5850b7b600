"""Addresses of NetBIOS names (RFC 1001, 1002), asked for with Samba's ``nmblookup``.

Why a program: no well-kept Python library does it, and Samba's knows broadcast, WINS (from smb.conf) and
the host's interfaces.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

from imap4.deadline import Deadline
from recovery.errors import NameNotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_$-]{0,14}")
_ANSWER = re.compile(r"^(\d+\.\d+\.\d+\.\d+) .*<[0-9a-f]{2}>", re.MULTILINE)


def is_netbios_name(name: str) -> bool:
    """Whether ``name`` can be one: at most 15 characters, no dot."""
    return _NAME.fullmatch(name) is not None


def lookup(name: str, deadline: Deadline, options: Sequence[str] = ()) -> str:
    """The IPv4 address of the machine called ``name``, by broadcast or as smb.conf says.

    Args:
        options: more of nmblookup(1)'s options, such as ``-U SERVER -R`` for a WINS server.

    Raises:
        NameNotFound: nobody answers to the name, or nmblookup is not installed.
    """
    program = shutil.which("nmblookup")
    if program is None:
        raise NameNotFound(
            f"{name}: DNS does not know it, and for NetBIOS names nmblookup is needed "
            "(Debian: samba-common-bin)"
        )
    try:
        done = subprocess.run(
            # "--": a name that begins with a dash is no option.
            [program, *options, "--", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=max(0.1, deadline.left),
        )
    except subprocess.TimeoutExpired:
        raise NameNotFound(f"{name}: no answer to the NetBIOS name within {deadline.seconds:.0f} s") from None
    answer = _ANSWER.search(done.stdout.decode("ascii", "replace"))
    if answer is None:
        raise NameNotFound(f"{name}: neither DNS nor the NetBIOS name service knows it")
    return answer[1]
