"""``make completion``: completion of all programs for bash, zsh and fish, made from their parsers by shtab.

Usage: completion.py FOLDER

Writes FOLDER/bash, FOLDER/zsh and FOLDER/fish, each file under the name that its shell looks for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import shtab

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from imap4.arguments import Parser  # noqa: E402
from imap4.check.options import _parser as check  # noqa: E402 - the checkout is not installed
from imap4.monitor.options import make_parser as monitor  # noqa: E402
from imap4.worker.cli import _parser as worker_parser  # noqa: E402
from imap4.worker.sweep.cli import _parser as sweep_parser  # noqa: E402
from recovery.cli import make_parser as recovery  # noqa: E402


def worker() -> Parser:
    """The worker with its commands as commands: the sweep is a program of its own behind the same name."""
    parser = _without_command()
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for name, of in (("run", _without_command), ("status", _without_command), ("sweep", sweep_parser)):
        commands.add_parser(name, help=f"imap4-worker {name}")  # shtab hides what has no help
        commands.choices[name] = child = of()
        child.prog = f"imap4-worker {name}"
    return parser


def _without_command() -> Parser:
    parser = worker_parser()
    command = next(action for action in parser._actions if action.dest == "command")
    parser._actions.remove(command)
    for group in parser._action_groups:
        if command in group._group_actions:
            group._group_actions.remove(command)
    return parser


PROGRAMS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "check_imap4": check,
    "imap4-monitor": monitor,
    "imap4-worker": worker,
    "imap4-recovery": recovery,
}
SHELLS = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}
"""The shell, and the file's name in the folder that it looks into."""


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _actions(child)


def complete(program: str, shell: str) -> str:
    """The file for one program and shell."""
    parser = PROGRAMS[program]()
    for action in _actions(parser):
        if action.metavar in ("FILE", "PATH", "DEFINITIONS"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in ("DIR", "FOLDER"):
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell=shell))


def main(folder: Path) -> None:
    """Write all files."""
    for shell, name in SHELLS.items():
        (folder / shell).mkdir(parents=True, exist_ok=True)
        for program in PROGRAMS:
            (folder / shell / name.format(program)).write_text(complete(program, shell))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
