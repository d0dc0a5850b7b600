"""Simple commands are split by a pattern; it finds what the core's state machine finds."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from imap4.worker.jobs.command_line import _FOR_NAEMONS_SHELL, _FOR_THE_SHELL, _Splitter, split

PIECES = st.sampled_from(
    [b"a", b"-x", b" ", b"  ", b"'", b"''", b"'b c'", b"'=~;$'", b"=", b"~", b"#{}", b"\t", b"\\"]
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_pattern_and_state_machine_agree(command: bytes) -> None:
    assert split(command) == _Splitter(command, _FOR_THE_SHELL).split()


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_for_naemon_nothing_is_split_that_its_shell_would_read_otherwise(command: bytes) -> None:
    words = split(command, naemon=True)
    if words is not None:
        assert words == _Splitter(command, _FOR_NAEMONS_SHELL).split()
        # A shell splits at fewer kinds of space, and knows comments; a backslash is the machine's business.
        if not any(sign in command for sign in (b"\t", b"#", b"\\")):
            assert words == [word.encode() for word in shlex.split(command.decode())]


def test_quotes_around_a_whole_word_keep_naemon_from_the_shell() -> None:
    command = b"/x/imap4-monitor pace --up 300 '--state=OK' '--count='"
    words = [b"/x/imap4-monitor", b"pace", b"--up", b"300", b"--state=OK", b"--count="]
    assert split(command, naemon=True) == words
    assert split(b"/x/check_imap4 --timeout=10", naemon=True) is None
