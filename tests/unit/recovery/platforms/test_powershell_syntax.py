"""The PowerShell scripts parse, with no finding, and keep to what Windows PowerShell 5.1 has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

import recovery

SCRIPTS = sorted((Path(recovery.__file__).parent / "platforms" / "windows").glob("*.ps1"))
NEWER = re.compile(r"\?\?|\?\.|&&|\|\||-Parallel|ArgumentList\.Add|\s\?\s")
"""What only PowerShell 7 has, as far as a pattern can tell."""


def findings(text: str) -> list[str]:
    """Where the grammar finds something that is not PowerShell."""
    tree = Parser(Language(tree_sitter_powershell.language())).parse(text.encode())

    def walk(node: Node) -> Iterator[Node]:
        yield node
        for child in node.children:
            yield from walk(child)

    return [
        f"line {node.start_point.row + 1}: {(node.text or b'').decode()[:60]!r}"
        for node in walk(tree.root_node)
        if node.is_error or node.is_missing
    ]


def test_there_are_scripts_and_each_part_of_them_is_used() -> None:
    wanted = {"about", "bootstrap", "events", "guard", "machine", "process", "reboot", "restart", "services"}
    wanted |= {"turns"}
    parts = {
        name
        for path in SCRIPTS
        for line in re.findall(r"^# with: (.*)$", path.read_text("utf-8"), re.MULTILINE)
        for name in line.split()
    }
    assert {path.stem for path in SCRIPTS} == wanted | parts


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_is_powershell(path: Path) -> None:
    assert findings(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_is_ascii_and_needs_no_newer_powershell(path: Path) -> None:
    text = path.read_text("ascii")
    assert not [line for line in text.splitlines() if NEWER.search(line)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_broken_script_would_be_found(path: Path) -> None:
    assert findings(path.read_text("utf-8") + "\nif ($true { 'no' }\n")


def test_commands_in_the_documentation_are_powershell() -> None:
    text = (Path(recovery.__file__).parents[1] / "docs" / "windows.md").read_text("utf-8")
    blocks = re.findall(r"^```powershell\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert findings(block) == []
