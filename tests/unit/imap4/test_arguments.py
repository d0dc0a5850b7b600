"""What all command lines share."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

import pytest

from imap4.arguments import Parser, documents, duration, leaves, show_examples, whole


@pytest.fixture
def parser() -> Parser:
    """A command line with one option of each kind."""
    made = Parser(prog="x")
    made.add_argument("--wait", type=duration(0.5, 60))
    made.add_argument("--count", type=whole(1, 1000))
    made.add_argument("--kind", choices=("fast", "slow"))
    return made


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--wait", "soon"], "argument --wait: 'soon' is not a duration; write 30s, 5m, 1h30m or 2d"),
        (["--wait", "2m"], "argument --wait: '2m' is too long: at most 1m"),
        (["--count", "0"], "argument --count: '0' is not a whole number from 1 to 1000"),
        (["--count", "\u0663"], "argument --count: '\u0663' is not a whole number from 1 to 1000"),
        (["--coun", "1"], "there is no option --coun; did you mean --count?"),
        (["--counts=hunter2"], "there is no option --counts; did you mean --count?"),
        (["--secret", "hunter2"], "there is no option --secret"),
        (["--\x1b[31m"], "there is no option '--\\x1b[31m'"),
        (["stray"], "unrecognized arguments: stray"),
        (["--kind", "fsat"], "argument --kind: 'fsat' is none of fast, slow; did you mean fast?"),
        (["--kind", "\n"], "argument --kind: '\\n' is none of fast, slow"),
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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["strat"], "x: argument COMMAND: 'strat' is none of start, stop; did you mean start?; see x --help"),
        (["sta"], "x: argument COMMAND: 'sta' is none of start, stop; did you mean start?; see x --help"),
        # The one that is missing is the one that was meant.
        (
            ["start", "--names", "a"],
            "x start: there is no option --names; did you mean --name?; see x start --help",
        ),
        (["start"], "x start: the following arguments are required: --name; see x start --help"),
    ],
)
def test_a_wrong_command_or_option_of_one_is_told_with_what_is_like_it(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    made = Parser(prog="x")
    commands = made.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    commands.add_parser("start").add_argument("--name", required=True)
    commands.add_parser("stop")
    with pytest.raises(SystemExit) as ended:
        made.parse_args(arguments)
    assert ended.value.code == 3
    assert capsys.readouterr() == ("", f"{told}\n")


def test_what_stands_after_two_dashes_is_no_option() -> None:
    made = Parser(prog="x")
    made.add_argument("words", nargs="*")
    assert made.parse_args(["--", "--nothing"]).words == ["--nothing"]


def programs() -> list[Parser]:
    """The parsers of all programs."""
    from imap4.check.options import _parser as check
    from imap4.monitor.engines.nagios.pace_program import _parser as pace
    from imap4.monitor.options import make_parser as monitor
    from imap4.worker.cli import _parser as worker
    from imap4.worker.sweep.cli import _parser as sweep
    from recovery.cli import make_parser as recovery

    made: list[Any] = [check(), monitor(), worker(), sweep(), recovery(), pace()]
    return made


def test_every_program_has_this_parser() -> None:
    pending: list[argparse.ArgumentParser] = [*programs()]
    count = 0
    while pending:
        parser = pending.pop()
        count += 1
        assert isinstance(parser, Parser)
        assert not parser.allow_abbrev
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                pending += action.choices.values()
    assert count > 20


# The pacing handler is the engine's to run, never a person's.
LEAVES = [leaf for parser in programs() for leaf in leaves(parser) if not leaf.prog.endswith(" pace")]


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.prog)
def test_the_help_of_every_command_has_two_examples_that_can_be_read(leaf: argparse.ArgumentParser) -> None:
    text = leaf.format_help()
    begin = text.index("\nexamples:\n") + len("\nexamples:\n")
    examples = text[begin:].partition("\n\n")[0].splitlines()
    assert len(examples) >= 2
    for example in examples:
        words = shlex.split(example.rpartition(" | ")[2])
        words = words[words.index(leaf.prog.split()[0]) :]
        # What stands behind -- is the machine's command.
        words = words[: words.index("--")] if "--" in words else words
        assert words[: len(leaf.prog.split())] == leaf.prog.split()
        leaf.parse_args(words[len(leaf.prog.split()) :])


def test_help_folds_what_is_one_line_and_keeps_what_is_several(capsys: pytest.CaptureFixture[str]) -> None:
    made = Parser(prog="x", description="word " * 40, epilog="a\n  b\n\n" + "word " * 40)
    show_examples(made, {"x": ("x one", "x two")})
    lines = made.format_help().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[lines.index("examples:") :][:7] == ["examples:", "  x one", "  x two", "", "a", "  b", ""]


def test_every_help_says_where_the_documents_are(parser: Parser) -> None:
    last = parser.format_help().splitlines()[-1]
    assert last == f"documentation: {documents()}"
    assert documents().endswith("/docs/README.md")
    assert Path(documents()).is_file()
