"""``make man``: a manual page for each program and each command, made from their parsers by argparse-manpage.

Usage: manpages.py FOLDER

A command's page is found as git's are: ``man imap4-recovery pause``.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

# Both are asked for by the library: the width that texts are folded to, and the page's date.
from tools.commit import commit_of, epoch_of, version_of  # noqa: E402 - the checkout is not installed

os.environ.update(COLUMNS="80", SOURCE_DATE_EPOCH=str(epoch_of(ROOT)))

from argparse_manpage.manpage import Manpage  # noqa: E402

from imap4.worker.cli import _parser as worker  # noqa: E402
from imap4.worker.sweep.cli import _parser as sweep  # noqa: E402
from tools.completion import PROGRAMS  # noqa: E402

ABOUT = {
    "check_imap4": "Nagios and Icinga plugin that tests IMAP4 servers",
    "imap4-monitor": "IMAP4 monitors described once, for Nagios, Naemon and Icinga 2",
    "imap4-recovery": "repairs the machine behind a monitored service, and proves it",
    "imap4-worker": "runs check_imap4 for Nagios and Naemon without forking",
    "imap4-worker sweep": "tests all monitors of a definitions file in one process",
}
_HEADINGS = {"examples:": "EXAMPLES", "exit codes:": "EXIT STATUS"}


def pages() -> dict[str, str]:
    """The text of each page by its name, such as ``imap4-recovery-pause``."""
    # Copies, since they are changed, and the check keeps its own.
    parsers = [copy.deepcopy(PROGRAMS[name]()) for name in ("check_imap4", "imap4-monitor", "imap4-recovery")]
    found = [each for parser in parsers for each in _tree(parser, ABOUT[parser.prog])]
    found += [(parser, ABOUT[parser.prog]) for parser in (worker(), sweep())]
    names = [parser.prog for parser, _ in found]
    return {parser.prog.replace(" ", "-"): _page(parser, about, names) for parser, about in found}


def _tree(parser: argparse.ArgumentParser, about: str) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """A parser and those of its commands, each with what it is for in a few words."""
    yield parser, about
    for commands in _commands(parser):
        about_each = {each.dest: each.help or "" for each in commands._choices_actions}
        for name, child in commands.choices.items():
            if child.add_help:  # the others are for engines alone, and take nothing
                yield from _tree(child, about_each.get(name) or about)


def _commands(parser: argparse.ArgumentParser) -> list[argparse._SubParsersAction[argparse.ArgumentParser]]:
    return [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]


def _page(parser: argparse.ArgumentParser, about: str, names: list[str]) -> str:
    """The page of one parser: what the library makes of it, with our texts in sections of their own."""
    description, parser.description = parser.description or "", None
    epilog, parser.epilog = parser.epilog or "", None
    commands = _commands(parser)
    for group in parser._action_groups:
        if group.title == "positional arguments":
            group.title = "commands" if commands else "arguments"
    for each in commands:
        # They have pages of their own. (choices is this very dictionary.)
        each._name_parser_map.clear()
    page = Manpage(parser)
    page.prog = parser.prog.replace(" ", "-")
    page.description = about
    page.manual = "check_imap4"
    # The library's own is of this machine's time zone.
    page.date = time.strftime("%Y-%m-%d", time.gmtime(epoch_of(ROOT)))
    page.source = _version()
    page.synopsis = [parser.prog, *page.synopsis[len(parser.prog.split()) :]]
    page.add_section("DESCRIPTION", "=", "\n.PP\n".join(map(_paragraph, _paragraphs(description))))
    for heading, content in _sections(epilog):
        page.add_section(heading, ">", content)
    if commands:
        told = rf"Each command has a page of its own, as \fBman {_roff(parser.prog)} COMMAND\fR."
        page.add_section("NOTES", "<", f".PP\n{told}\n")
    also = [rf"\fB{_roff(name.replace(' ', '-'))}\fR(1)" for name in _near(parser.prog, names)]
    page.add_section("SEE ALSO", "=", ", ".join(also))
    return str(page)


def _near(prog: str, names: list[str]) -> Iterator[str]:
    """The pages that a page names: those on the way to it, and the programs'."""
    words = prog.split()
    on_the_way = [" ".join(words[:count]) for count in range(1, len(words))]
    return (name for name in names if name != prog and name in (*on_the_way, *ABOUT))


def _sections(epilog: str) -> Iterator[tuple[str, str]]:
    """The end of a help as sections."""
    for paragraph in _paragraphs(epilog):
        heading = next((each for each in _HEADINGS if paragraph.startswith(each)), "")
        rest = paragraph.removeprefix(heading).strip("\n")
        if heading and "\n" in paragraph:
            yield _HEADINGS[heading], f".nf\n{_roff(textwrap.dedent(rest))}\n.fi"
        else:
            yield _HEADINGS.get(heading, "NOTES"), f".PP\n{_paragraph(rest.strip())}\n"


def _paragraphs(text: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", text.strip("\n")) if part]


def _paragraph(text: str) -> str:
    """A paragraph: one with columns keeps its lines, any other is filled."""
    if re.search(r"\S  +\S", text):
        return f".nf\n{_roff(textwrap.dedent(text))}\n.fi"
    return _roff(text)


def _roff(text: str) -> str:
    """Text as it is: no line of it is a request, and no letter an escape (groff(7))."""
    lines = text.replace("\\", r"\e").replace("-", r"\-").splitlines()
    return "\n".join(rf"\&{line}" if line.startswith((".", "'")) else line for line in lines)


def _version() -> str:
    commit = commit_of(ROOT)
    return version_of(ROOT) + (f"+g{commit}" if commit else "")


def main(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / f"{name}.1").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
