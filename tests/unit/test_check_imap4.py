"""What the plugin knows of its arguments before it has a parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from check_imap4 import _duration
from imap4.check.options import HelpWanted, UsageError, parse_arguments

TEXT = """
-t -t5 -t2.5:ok --timeout --timeout=3 --timeout= -vt -vvt4 -4t7s -St1m -v -4 -S --tls -w -w5 -c9 -p143
--name -Htest -Dt -et --insecure 5 2.5 10s 1m 1h30m .5 1e3 nan inf 1_0 5:critical 5:x t -1
"""
WORDS = st.sampled_from(TEXT.split())


@given(st.lists(WORDS, max_size=5))
def test_the_duration_is_what_the_parser_reads_or_nothing(words: list[str]) -> None:
    """Where the words are right; where they are wrong, nobody tests anything for so long."""
    arguments = ["-H", "mail", *words]
    found = _duration(arguments)
    try:
        options = parse_arguments(arguments)
    except (UsageError, HelpWanted):
        return
    assert found in (0.0, options.timeout)


@pytest.mark.parametrize("words", [(), ("-t", "10"), ("-vt10:ok",), ("--timeout=10s",), ("-t", "9", "-t10")])
def test_usual_durations_are_known(words: tuple[str, ...]) -> None:
    assert _duration(["-H", "mail", *words]) == 10
