"""The table of causes: a row for each cause that the code can raise, and none that it cannot."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import imap4.causes
from imap4.causes import CAUSES

IMAP4 = Path(imap4.causes.__file__).parent

TOLD_BY_RECOVERY_ALONE = {"engine.timeout", "engine.plugin", "none"}

# A cause as it is written in the code: "dns.timeout", or with its phase left open, "{phase}.timeout".
_NAME = re.compile(r"([a-z0-9]+|\{\})\.([a-z_]+)")


def _texts(node: ast.AST) -> list[str]:
    """The constant texts in an expression; what an f-string leaves open is ``{}``."""
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)]
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    return [text for child in ast.iter_child_nodes(node) for text in _texts(child)]


def _raised() -> set[str]:
    """Every cause in the code: the texts that look like one, in each file that raises Failed."""
    found: set[str] = set()
    phases: set[str] = set()
    for path in sorted(IMAP4.rglob("*.py")):
        source = path.read_text()
        if path.name == "causes.py" or "Failed" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            found.update(text for text in _texts(node) if _NAME.fullmatch(text))
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("_command", "read_line"):
                phases.update(text for argument in node.args[:1] for text in _texts(argument))
    closed = {cause for cause in found if "{}" not in cause}
    return closed | {cause.replace("{}", phase) for cause in found - closed for phase in phases}


def test_every_cause_that_the_code_can_raise_has_its_row_and_no_row_is_in_vain() -> None:
    assert _raised() | TOLD_BY_RECOVERY_ALONE == CAUSES.keys()


def test_no_row_is_there_twice() -> None:
    rows = Counter(row.name for row in imap4.causes._ROWS)
    assert [name for name, count in rows.items() if count > 1] == []


def test_every_row_advises_in_one_line_that_may_be_printed() -> None:
    assert [row for row in CAUSES.values() if not row.hint.isprintable() or set(row.hint) & set("|[]")] == []
