"""What can be wrong with records; the text is for the person who asked."""

from __future__ import annotations


class RecordsError(Exception):
    """Records cannot be read or collected: the text says which, why, and what to do."""
