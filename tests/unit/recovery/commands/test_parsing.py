"""What is wrong on a command line is told once, in one line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from recovery.cli import make_parser
from recovery.errors import UsageError


def all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser with those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from all_parsers(one)


def test_no_error_names_its_option_twice() -> None:
    """Every option of every command that reads its value by a rule, with values that break most rules."""
    told = [
        (name, error)
        for parser in all_parsers(make_parser())
        for action in parser._actions
        if action.type is not None
        for name in action.option_strings[-1:]
        for wrong in ("10.0.0.1/8", "\0, '", "")
        if f"argument {name}:" in (error := complaint(parser, name, wrong))
    ]
    assert len(told) > 60
    assert [error for name, error in told if error.count(name) != 1] == []


def complaint(parser: argparse.ArgumentParser, *arguments: str) -> str:
    """The error about ``arguments``; empty where there is none."""
    try:
        parser.parse_known_args(arguments)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--machines", "10.0.0.1/8", "argument --machines: '10.0.0.1/8' has host bits set; write 10.0.0.0/8"),
        ("--machines", "a b", "argument --machines: 'a b' is no name pattern; write mail1, "),
        ("--actions", "dance", "argument --actions: 'dance' is no action; actions are restart-service, "),
    ],
)
def test_what_a_credential_is_for_is_read_at_the_door(option: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_parser().parse_args(["credentials", "add", "mail", "--account", "x", option, value])
    assert f"imap4-recovery credentials add: {said}" in str(caught.value)
