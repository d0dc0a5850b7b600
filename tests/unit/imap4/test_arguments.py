"""What all command lines share."""

from __future__ import annotations

import pytest

from imap4.arguments import Parser, duration, whole


@pytest.fixture
def parser() -> Parser:
    """A command line with one option of each kind."""
    made = Parser(prog="x")
    made.add_argument("--wait", type=duration(0.5, 60))
    made.add_argument("--count", type=whole(1, 1000))
    return made


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--wait", "soon"], "argument --wait: 'soon' is not a duration; write 30s, 5m, 1h30m or 2d"),
        (["--wait", "2m"], "argument --wait: '2m' is too long: at most 1m"),
        (["--count", "0"], "argument --count: '0' is not a whole number from 1 to 1000"),
        (["--count", "\u0663"], "argument --count: '\u0663' is not a whole number from 1 to 1000"),
        (["--coun", "1"], "unrecognized arguments: --coun 1"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_3(
    parser: Parser, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 3
    assert capsys.readouterr() == ("", f"x: {told}; see x --help\n")


def test_values_are_read(parser: Parser) -> None:
    given = parser.parse_args(["--wait", "1m", "--count", "1000"])
    assert (given.wait, given.count) == (60.0, 1000)
