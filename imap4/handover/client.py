"""Asks the worker that serves on this machine. Imports nothing that Python has not loaded already.

The protocol, over a Unix socket: a request is its length (4 bytes, the highest first) and fields that are
divided by NUL: what is wanted, the sender's code, its surroundings, the files that its arguments name, and
the arguments. While the worker is busy with it, it sends a NUL every half a second, or more often. The answer
is ``N`` (not here: do it yourself), or ``D`` with six words (the exit code, when the verdict was known in
seconds since the epoch, whether the output tells what goes wrong with the record, and the lengths of three
texts), a line feed, and the texts: standard output, a folder, and a line that the asker is to record there.
"""

from __future__ import annotations

import posix
import sys
import time

SOCKET = "/run/imap4-worker/check.sock"
"""Where a worker serves, unless the variable says something else."""
VARIABLE = b"IMAP4_WORKER"
"""The environment variable that names another socket; what does not begin with ``/`` means none at all."""

NOTHING = "-"
"""What is said of a file that cannot be looked at."""

_SILENCE = 1.0, 2.0
"""Seconds without a sign of life after which the worker is given up: a quarter of the duration, between
these."""
_LATE = 1.0
"""Seconds after the maximum duration within which the worker has to answer."""
_LARGEST = 1024 * 1024
"""Bytes of an answer that are read."""
_CREDENTIALS = 12
"""struct ucred of unix(7): pid, uid, gid, of four bytes each."""
_OPENS = (b"LD_", b"SSL_", b"OPENSSL_", b"RES_", b"GLIBC_", b"NSS_", b"LOCALDOMAIN", b"HOSTALIASES")
"""Beginnings of variables by which the loader, OpenSSL and the resolver behave differently."""
_ROOM_OF_OTHERS = 0o022
_FOLDER, _SOCKET, _KIND, _STICKY = 0o040000, 0o140000, 0o170000, 0o1000


class Answer:
    """What the worker has found, to be printed and to be recorded."""

    __slots__ = ("code", "folder", "line", "now", "output", "verbose")

    def __init__(self, code: int, now: float, verbose: bool, texts: tuple[bytes, bytes, bytes]) -> None:
        self.code = code
        self.now = now
        """When the verdict was known, in seconds since the epoch."""
        self.verbose = verbose
        """Whether the output says so where the line could not be recorded."""
        self.output, folder, self.line = texts
        self.folder = folder.decode()
        """Where ``line`` is to be recorded; empty for nowhere."""


def place() -> str | None:
    """The socket to ask at; None where nobody is to be asked, or nobody serves.

    Every folder on the way must be root's or ours, and nobody else's to change: who could put a socket of
    their own there could say OK.
    """
    given = posix.environ.get(VARIABLE)
    path = SOCKET if given is None else given.decode("utf-8", "surrogateescape")
    if not path.startswith("/"):
        return None
    ours = (0, posix.geteuid())
    way = path.split("/")
    for count in range(1, len(way) + 1):
        last = count >= len(way) - 1
        try:
            found = posix.lstat("/".join(way[:count]) or "/")
        except (OSError, ValueError):
            return None
        wanted = _FOLDER if count < len(way) else _SOCKET
        if found.st_uid not in ours or found.st_mode & _KIND != wanted:
            return None
        if wanted == _FOLDER and found.st_mode & _ROOM_OF_OTHERS and (last or not found.st_mode & _STICKY):
            return None
    return path


def identity(path: str) -> str:
    """What tells a file from another one, or from its older self; empty where it cannot be looked at."""
    try:
        found = posix.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{found.st_dev}.{found.st_ino}.{found.st_mtime_ns}.{found.st_size}"


def code() -> str:
    """Whose code this is, and which: that of another installation may judge otherwise."""
    return identity(__file__)


def surroundings() -> str:
    """What a check depends on beside its arguments: where it is, and what its libraries are told.

    Empty where that cannot be said, as without /proc: it is nobody else's then.
    """
    told = sorted(b"%b=%b" % pair for pair in posix.environ.items() if pair[0].startswith(_OPENS))
    places = ("/proc/self/ns/net", "/", "/etc/resolv.conf")
    # Of folders, the device and the number: they change with every file that comes and goes.
    seen = [".".join(identity(path).split(".")[:2]) for path in places]
    if not (seen[0] and seen[1]):
        return ""
    return "\n".join([*seen, posix.uname().nodename, *map(repr, told)])


def files(arguments: list[str]) -> str:
    """The files that arguments may name, as they are to be seen from here: one for each that has a ``/``."""
    return " ".join([identity(path_in(each)) or NOTHING for each in arguments if "/" in each])


def path_in(argument: str) -> str:
    """The path in an argument, as in ``--option=/path`` and ``-H/path``."""
    return argument[argument.index("/") :]


def ask(path: str, kind: str, arguments: list[str], duration: float) -> Answer | None:
    """Have something done.

    Args:
        path: the worker's socket, as :func:`place` found it.
        duration: the longest that it may take, in seconds.

    Returns:
        None where it is to be done here: the worker is gone, busy, silent, another version, or somebody
        else's, or it cannot do this. Never raises.
    """
    try:
        import _socket

        fields = (kind, code(), surroundings(), files(arguments), *arguments)
        if not (fields[1] and fields[2]):
            return None  # the one-file plugin, whose code no worker has; or nobody knows where we are
        # What is not UTF-8, or would be read in another encoding there, is an error here.
        if sys.getfilesystemencoding() != "utf-8" and not "".join(arguments).isascii():
            return None
        request = "\0".join(fields).encode()
        end = time.monotonic() + duration + _LATE
        patience = max(_SILENCE[0], min(_SILENCE[1], duration / 4))
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            sock.settimeout(patience)
            sock.connect(path)
            if not _is_ours(sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS)):
                return None
            sock.sendall(len(request).to_bytes(4, "big") + request)
            data = b""
            while len(data) < _LARGEST and time.monotonic() < end:
                part = sock.recv(65536)
                data = (data + part).lstrip(b"\0") if not data else data + part
                answer = _read(data)
                if answer is not None or not part or data[:1] == b"N":
                    return answer
        finally:
            sock.close()
    except Exception:
        return None
    return None


def _is_ours(credentials: bytes) -> bool:
    """Whether it is root or we who listen there; others could say OK, or learn what is tested."""
    return int.from_bytes(credentials[4:8], sys.byteorder) in (0, posix.geteuid())


def _read(data: bytes) -> Answer | None:
    """The answer; None where it is not whole yet.

    Raises:
        ValueError: it is no answer.
    """
    head, end, rest = data.partition(b"\n")
    if not end:
        return None
    done, exit_code, now, verbose, *lengths = head.split(b" ")
    output, folder, line = map(int, lengths)
    if done != b"D" or exit_code not in (b"0", b"1", b"2", b"3") or min(output, folder, line) < 0:
        raise ValueError
    if len(rest) < output + folder + line:
        return None
    texts = rest[:output], rest[output : output + folder], rest[output + folder : output + folder + line]
    return Answer(int(exit_code), float(now), verbose == b"1", texts)


def answered(
    exit_code: int, now: float, output: bytes, folder: bytes = b"", line: bytes = b"", verbose: bool = False
) -> bytes:
    """The worker's answer; see :class:`Answer`."""
    head = b"D %d %.3f %d %d %d %d\n" % (exit_code, now, verbose, len(output), len(folder), len(line))
    return head + output + folder + line
