"""Our splitting of command lines against a real core's, which runs a program that prints its arguments."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from imap4.worker.jobs.command_line import split
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


@pytest.fixture(scope="module")
def printer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints its arguments and says whether a shell was its parent."""
    path = tmp_path_factory.mktemp("printer") / "show"
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


def test_splitter_finds_what_the_core_finds(printer: Path, tmp_path: Path) -> None:
    commands = odd_commands(printer, 1500)
    alone = 0
    with CoreWorker(tmp_path) as core:
        for start in range(0, len(commands), 40):
            batch = commands[start : start + 40]
            for command, answer in zip(batch, core.run(*batch), strict=True):
                words = split(command)
                if words is None:
                    # The core's shell, not the core's worker, has run it, or has refused to.
                    assert not answer["outstd"].startswith(b"nagios4 "), command
                    continue
                alone += 1
                shown = b"".join(b"<%b>" % word for word in words[1:])
                assert answer["outstd"] == b"nagios4 %d%b" % (len(words) - 1, shown), command
    assert alone > 400


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
