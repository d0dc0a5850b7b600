"""Our splitting of command lines against a real core's, which runs a program that prints its arguments."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imap4.worker.jobs.command_line import split
from tests.engines import core as core_program
from tests.engines.core_worker import CoreWorker

ALPHABET = [
    *(b"a", b"b", b"-H", b"x=y", b"0", b"\xc3\xa9", b"\xff"),
    *(b" ", b" ", b" ", b"\t", b"\r", b"\n", b"  "),
    *(b'"', b'"', b"'", b"'", b"\\", b"\\", b"\\\\", b'\\"', b"\\'", b"\\ ", b'"a b"', b"'c d'"),
    *(b"~", b"#", b"{", b"}", b"[", b"]", b"!", b"<", b">", b"=", b"%", b"^", b","),
]
SHELL = [
    b"|",
    b"&",
    b";",
    b"$",
    b"`",
    b"(",
    b")",
    b"*",
    b"?",
    b"$$",
    b"\\$",
    b"\\;",
    b'"|"',
    b"';'",
    b'"\\$"',
]


# With an empty folder in the place of /tmp, where Nagios' workers go, and as nobody: shells get random lines.
_APART = 'mount --bind "$1" /tmp && shift && exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"'
_AS_WE_ARE = 'mount --bind "$1" /tmp && shift && exec "$@"'


@pytest.fixture
def apart() -> Iterator[Path]:
    """A folder that everybody may write to, outside of /tmp."""
    with tempfile.TemporaryDirectory(prefix="imap4-splitter-", dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        for each in (folder, folder / "tmp"):
            each.chmod(0o777)
        yield folder


def in_place_of_tmp(folder: Path) -> list[str]:
    """The core's worker, as nobody where we are root, with ``folder`` as /tmp."""
    root = os.geteuid() == 0
    enter = ["unshare", "--mount"] if root else ["unshare", "--map-root-user", "--mount"]
    command = [*enter, "sh", "-c", _APART if root else _AS_WE_ARE, "sh", str(folder / "tmp")]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this machine makes no namespaces")
    return [*command, *core_program.WORKER]


@pytest.fixture
def printer(apart: Path) -> Path:
    """A program that prints its arguments and says whether a shell was its parent."""
    path = apart / "show"
    path.write_text(
        '#!/bin/sh\nread -r parent < /proc/$PPID/comm\nprintf "%s %s" "$parent" "$#"\n'
        'for word; do printf "<%s>" "$word"; done\n'
    )
    path.chmod(0o755)
    return path


def odd_commands(printer: Path, count: int) -> list[bytes]:
    chance = random.Random(20240229)  # noqa: S311 - the same commands every time
    found = []
    for number in range(count):
        parts = ALPHABET + SHELL if number % 4 == 0 else ALPHABET
        tail = b"".join(chance.choices(parts, k=chance.randint(1, 24)))
        found.append(bytes(printer) + b" " + tail)
    return found


def test_splitter_finds_what_the_core_finds(printer: Path, apart: Path) -> None:
    parent = core_program.NAME[:15].encode()  # as much as the kernel keeps
    commands = odd_commands(printer, 1500)
    alone = 0
    with CoreWorker(apart, in_place_of_tmp(apart)) as core:
        for start in range(0, len(commands), 40):
            batch = commands[start : start + 40]
            for command, answer in zip(batch, core.run(*batch), strict=True):
                words = split(command, core_program.IS_NAEMON)
                if words is None and core_program.IS_NAEMON:
                    continue  # ours leaves more to the shell than Naemon does, which then finds the same
                if words is None:
                    # The core's shell, not the core's worker, has run it, or has refused to.
                    assert not answer["outstd"].startswith(parent + b" "), command
                    continue
                alone += 1
                shown = b"".join(b"<%b>" % word for word in words[1:])
                assert answer["outstd"] == b"%b %d%b" % (parent, len(words) - 1, shown), command
    assert alone > 300
    if not core_program.IS_NAEMON:  # which stays in the root folder
        assert os.listdir(apart / "tmp"), "shells have written elsewhere"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (b'p "a\\"b c"', None),  # the quote ends early, so that the last one is left open
        (b'p "a\\" b "c"', [b"p", b"ab", b"c"]),
        (b"p ~ #x", [b"p", b"~", b"#x"]),
        (b"p a\\", [b"p", b"a"]),
        (b"p ''", [b"p", b""]),
        (b"p a|b", None),
        (b"p 'a", None),
        (b'p "$x"', None),
        (b"p '$x'", [b"p", b"$x"]),
    ],
)
def test_splitter_knows_the_known_cases(command: bytes, words: list[bytes] | None) -> None:
    assert split(command) == words


def test_splitter_leaves_to_the_shell_what_naemon_leaves_to_it() -> None:
    assert split(b"p -w ~:10", naemon=True) is None
    assert split(b"p --timeout=10", naemon=True) is None
    assert split(b"p -t 10", naemon=True) == [b"p", b"-t", b"10"]
