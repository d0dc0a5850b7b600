"""What all command lines share: one-line errors with exit code 3, and kinds of values.

Wrong use ends with 3, UNKNOWN, as the plugin guidelines have it: 2 would be CRITICAL to an engine.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from imap4 import durations

USAGE = 3
"""Exit code of wrong use."""
_INDEX = "docs/README.md"
_DOCUMENTS = ("imap4-monitor", "check-imap4-bundle")
"""Packages that have the documents, in /usr/share/doc."""


class Parser(argparse.ArgumentParser):
    """argparse, but wrong use is one line and exit code 3, and no option is guessed from its beginning.

    An option that is an abbreviation today is ambiguous, or another one, after the next release. What is
    meant by a wrong word is said, and not done.
    """

    def __init__(self, *args: object, **settings: object) -> None:
        settings.setdefault("allow_abbrev", False)
        settings.setdefault("formatter_class", _Help)
        super().__init__(*args, **settings)  # type: ignore[arg-type]

    def format_help(self) -> str:
        """As argparse has it, and where the documents are."""
        return f"{super().format_help()}\ndocumentation: {documents()}\n"

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on standard error, and exit."""
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse has it, but a wrong option is told before a missing one: it may be the same.

        Its value is not repeated: it may be a secret.
        """
        given = sys.argv[1:] if args is None else list(args)
        # A parser of commands leaves to the command's own parser what follows it.
        if not any(isinstance(action, argparse._SubParsersAction) for action in self._actions):
            for word in given[: given.index("--")] if "--" in given else given:
                name = word.partition("=")[0]
                if name.startswith("--") and name not in self._option_string_actions:
                    known = [option for option in self._option_string_actions if option.startswith("--")]
                    self.error(f"there is no option {_shown(name)}{meant(name, known)}")
        return super().parse_known_args(given, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            told = f"{_shown(repr(value))} is none of {', '.join(names)}{meant(str(value), names)}"
            raise argparse.ArgumentError(action, told)


def documents() -> str:
    """Where the index of the documents is: in the checkout, the environment, or a package's folder."""
    checkout = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = [os.path.join(sys.prefix, "share/doc/check_imap4")]
    folders += [f"/usr/share/doc/{name}" for name in _DOCUMENTS]
    # Beside an installed package there may be anybody's docs.
    if os.path.exists(os.path.join(checkout, "setup.cfg")):
        folders.insert(0, checkout)
    found = (path for folder in folders if os.path.exists(path := os.path.join(folder, _INDEX)))
    return next(found, f"{_INDEX} of the source")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Folds a paragraph of one line, and leaves one of several as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fold, keep = argparse.HelpFormatter._fill_text, super()._fill_text
        return "\n\n".join(
            keep(part, width, indent) if "\n" in part else fold(self, part, width, indent)
            for part in text.strip("\n").split("\n\n")
        )


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of a program's commands; of a program without commands, its own."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for child in action.choices.values():
            yield from leaves(child)
    if not below:
        yield parser


def show_examples(parser: argparse.ArgumentParser, examples: Mapping[str, Sequence[str]]) -> None:
    """Put examples at the end of each command's help.

    Args:
        examples: command lines, by the program and command that they are of: ``imap4-monitor render``.
    """
    for one in leaves(parser):
        if one.prog in examples:
            told = "\n".join(["examples:", *(f"  {example}" for example in examples[one.prog])])
            one.epilog = f"{told}\n\n{one.epilog}" if one.epilog else f"{told}\n"


def meant(word: str, known: Iterable[str]) -> str:
    """``; did you mean KNOWN?``, or nothing where none of ``known`` is like ``word``."""
    from difflib import get_close_matches

    names = list(known)
    # The library's 0.6 sees --insecure in --nonsense.
    close = [name for name in names if name.startswith(word)] or get_close_matches(word, names, 1, 0.75)
    return f"; did you mean {close[0]}?" if close else ""


def _shown(word: str) -> str:
    """For a terminal, whatever somebody pasted."""
    return word if word.isprintable() else ascii(word)


def duration(least: float = 0.0, most: float | None = None) -> Callable[[str], float]:
    """A type for argparse: seconds in ``90``, ``5m`` or ``1h30m``; see :func:`imap4.durations.seconds`."""
    limits = {"least": least} if most is None else {"least": least, "most": most}

    def read(text: str) -> float:
        try:
            return durations.seconds(text, **limits)
        except durations.DurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in a range, both ends included."""

    def read(text: str) -> int:
        # Nothing is gained by reading more digits, and int() is slow with thousands of them.
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read
