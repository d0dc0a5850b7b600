"""What can be wrong with records; the text is for the person who asked."""

from __future__ import annotations


def one_line(error: Exception) -> str:
    """What a library says, on one line."""
    return " ".join(str(error).split())[:300]


class RecordsError(Exception):
    """Records cannot be read or collected: the text says which, why, and what to do."""
