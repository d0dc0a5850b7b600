"""Takes a credential's secrets out of what a repair found and did."""

from __future__ import annotations

from dataclasses import replace

from imap4.scrub import Scrubber
from recovery.model import Credential, Outcome, Step


class OutcomeScrubber(Scrubber):
    """Knows the secrets of some credentials; of none, it changes nothing."""

    def __init__(self, *credentials: Credential) -> None:
        held = [each for one in credentials for each in (one.password, one.passphrase, one.private_key)]
        super().__init__(secret.reveal() for secret in held if secret)

    def step(self, step: Step) -> Step:
        """A step without secrets."""
        return replace(step, text=self.text(step.text))

    def outcome(self, outcome: Outcome) -> Outcome:
        """An outcome without secrets."""
        after = self.value(outcome.facts_after)
        if outcome.facts_after.get("truncated"):
            after |= {name: self.edges(after[name]) for name in ("stdout", "stderr") if name in after}
        return replace(
            outcome,
            summary=self.text(outcome.summary),
            proof=self.text(outcome.proof),
            verify=self.text(outcome.verify),
            facts_before=self.value(outcome.facts_before),
            facts_after=after,
            steps=tuple(self.step(step) for step in outcome.steps),
        )
