"""Takes a credential's secrets out of every text that is printed or kept, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from recovery.model import Credential, Outcome, Secret, Step

_SHORTEST = 4
"""A shorter secret is not looked for: taking out every "a" would make all texts unreadable."""


class Scrubber:
    """Replaces secrets by ``***``: a machine may echo what it was sent, and a library may quote it."""

    def __init__(self, credential: Credential | None = None) -> None:
        secrets: list[Secret | None] = []
        if credential is not None:
            secrets = [credential.password, credential.passphrase, credential.private_key]
        found = {secret.reveal().strip() for secret in secrets if secret}
        # A key shows up line by line as well as whole.
        found |= {line for text in found if "\n" in text for line in text.splitlines() if "-----" not in line}
        self._texts = sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        for secret in self._texts:
            text = text.replace(secret, "***")
        return text

    def value(self, value: Any) -> Any:
        """Any plain data without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def step(self, step: Step) -> Step:
        """A step without secrets."""
        return replace(step, text=self.text(step.text))

    def outcome(self, outcome: Outcome) -> Outcome:
        """An outcome without secrets."""
        return replace(
            outcome,
            summary=self.text(outcome.summary),
            proof=self.text(outcome.proof),
            verify=self.text(outcome.verify),
            facts_before=self.value(outcome.facts_before),
            facts_after=self.value(outcome.facts_after),
            steps=tuple(self.step(step) for step in outcome.steps),
        )
