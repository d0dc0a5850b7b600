"""The manual's pages: one for each command, with all that its help has, and fit for every pager."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imap4.arguments import leaves
from imap4.worker.cli import _parser as worker
from imap4.worker.sweep.cli import _parser as sweep
from tools.completion import PROGRAMS
from tools.manpages import main, pages

pytestmark = pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")

COMMANDS = {
    leaf.prog: leaf
    for parser in (*(PROGRAMS[name]() for name in PROGRAMS if name != "imap4-worker"), worker(), sweep())
    for leaf in leaves(parser)
    if leaf.add_help or leaf.prog == "check_imap4"
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make man`` writes."""
    made = tmp_path_factory.mktemp("man")
    main(made)
    return made


def shown(page: Path) -> str:
    """What a reader sees, in one line; groff must have nothing to say about the page."""
    command = ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=500n", str(page)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stderr) == (0, ""), page.name
    # Other signs stand for a minus that may be copied, and for a quote.
    return " ".join(ended.stdout.replace("\u2212", "-").replace("\u2010", "-").split())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_page_with_all_of_its_help(folder: Path, command: str) -> None:
    text = shown(folder / f"{command.replace(' ', '-')}.1")
    leaf = COMMANDS[command]
    assert re.search(rf"NAME {command.replace(' ', '-')} - \w", text)
    for action in leaf._actions:
        for option in action.option_strings:
            if action.help != "==SUPPRESS==" and option not in ("-h", "--help"):
                assert option in text
    examples = (leaf.epilog or "").partition("examples:\n")[2].partition("\n\n")[0]
    assert examples
    for line in examples.splitlines():
        assert " ".join(line.split()) in text


def test_a_program_lists_its_commands_and_ends_with_its_exit_codes(folder: Path) -> None:
    text = shown(folder / "imap4-recovery.1")
    assert "COMMANDS imap4-recovery restart-service restart services, with dependents" in text
    assert "EXIT STATUS 0 done and proven, or skipped for the reason printed 1 done, but not proven" in text
    assert "as man imap4-recovery COMMAND." in text


def test_the_names_can_be_found_by_what_they_do(folder: Path) -> None:
    if not shutil.which("lexgrog"):
        pytest.skip("man-db is not installed")
    for page in folder.iterdir():
        ended = subprocess.run(["lexgrog", str(page)], capture_output=True, text=True, timeout=30)
        assert ended.returncode == 0, page.name


def test_the_same_pages_come_out_again(folder: Path) -> None:
    assert {path.stem: path.read_text() for path in folder.iterdir()} == pages()
