"""The page says what the engines' tests compare."""

from __future__ import annotations

from tests.engines.situations_table import PAGE, page, table


def test_the_page_has_the_table_of_situations() -> None:
    text = PAGE.read_text()
    assert table() in text, "make docs writes it anew"
    assert page(text) == text
