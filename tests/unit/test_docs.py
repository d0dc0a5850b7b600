"""The documents: what they name is there, and what must be named is."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "contrib").rglob("*.md")),
]

_PATH = re.compile(r"`((?:imap4|recovery|tests|tools|benchmarks|docs|contrib)/[A-Za-z0-9_./*-]*)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    missing = [path for path in _PATH.findall(text) if "NAME" not in path and not list(ROOT.glob(path))]
    assert missing == []
    assert [link for link in _LINK.findall(text) if not (page.parent / link).exists()] == []


def test_every_folder_has_its_place_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    # The rooms and what is right inside; what is smaller is told by its room.
    folders = {
        path.parent.name for package in ("imap4", "recovery") for path in ROOT.glob(f"{package}/*/*.py")
    }
    assert {folder for folder in folders if f"{folder}/" not in text} == set()


def test_every_dependency_is_explained() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    lines = [line.strip() for text in lists for line in text.splitlines()]
    names = {re.split(r"[\[<>=~! ;]", line)[0] for line in lines if line and line[0] not in "#"} - {
        "check_imap4"
    }
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Dependencies")[2]
    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", text)} == set()


def test_the_index_names_every_page() -> None:
    text = (ROOT / "docs/README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in text} == set()


def test_the_links_within_the_questions_lead_somewhere() -> None:
    text = (ROOT / "docs/questions.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == anchors
