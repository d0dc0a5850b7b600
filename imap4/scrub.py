"""Takes secrets out of every text that is printed or kept, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "***"

_SHORTEST = 4
"""A shorter secret is not looked for: taking out every "a" would make all texts unreadable."""


class Scrubber:
    """Replaces secrets by ``***``: a machine may echo what it was sent, and a library may quote it.

    Args:
        secrets: each is looked for as it is, without white space around it; one of several lines (a private
            key) line by line as well as whole. Other forms that may be echoed, such as base64, are secrets
            of their own.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = {secret.strip() for secret in secrets}
        found |= {line for text in found if "\n" in text for line in text.splitlines() if "-----" not in line}
        # The longest first: one secret may be part of another.
        self._texts = sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        for secret in self._texts:
            text = text.replace(secret, HIDDEN)
        return text

    def cut(self, text: str, limit: int) -> str:
        """The first ``limit`` characters of ``text`` without secrets: the cut comes last, and halves none."""
        return self.text(text)[:limit]

    def edges(self, text: str) -> str:
        """``text`` that was cut at either end, without secrets, nor the part of one that the cut left there.

        Cut a text only after :meth:`text`; this is for what was cut before it could be looked at.
        """
        text = self.text(text)
        for secret in self._texts:
            for length in range(len(secret) - 1, _SHORTEST - 1, -1):
                if text.endswith(secret[:length]):
                    text = text[:-length] + HIDDEN
                if text.startswith(secret[-length:]):
                    text = HIDDEN + text[length:]
        return text

    def data(self, data: bytes, cut: bool = False) -> bytes:
        """As :meth:`text`, or :meth:`edges` where ``cut``, for bytes that may be UTF-8."""
        # Surrogates stand for what is no UTF-8, and come back as they were.
        text = data.decode("utf-8", "surrogateescape")
        found = self.edges(text) if cut else self.text(text)
        return data if found == text else found.encode("utf-8", "surrogateescape")

    def value(self, value: Any) -> Any:
        """Any plain data without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
