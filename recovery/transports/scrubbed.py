"""What a machine says, without the secrets of the credential that we came with.

It is done where the text arrives: whoever cuts it later, to 200 characters or to a line, must not cut a
secret into something that nobody recognises any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from imap4.deadline import Deadline
from imap4.scrub import Scrubber
from recovery.model import CommandResult, Credential, Transport


def scrubber_for(*credentials: Credential) -> Scrubber:
    """Knows the credentials' secrets, also as they stand in JSON, in which PowerShell answers."""
    held = [each for one in credentials for each in (one.password, one.passphrase, one.private_key)]
    texts = [secret.reveal() for secret in held if secret]
    escaped = [json.dumps(text, ensure_ascii=plain)[1:-1] for text in texts for plain in (True, False)]
    return Scrubber([*texts, *escaped])


class ScrubbedTransport:
    """A transport, every result of which is without secrets."""

    def __init__(self, transport: Transport, scrubber: Scrubber) -> None:
        self._transport = transport
        self._scrubber = scrubber
        self.language = transport.language
        self.host_key: str = getattr(transport, "host_key", "")

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        deadline: Deadline,
        become: bool = False,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        keep: int = 65536,
    ) -> CommandResult:
        """As :meth:`recovery.model.Transport.run`."""
        result = self._transport.run(
            script,
            arguments,
            deadline=deadline,
            become=become,
            stdin=stdin,
            environment=environment,
            keep=keep,
        )
        return replace(
            result,
            stdout=self._scrubber.data(result.stdout, result.truncated),
            stderr=self._scrubber.data(result.stderr, result.truncated),
        )

    def work_seconds(self, deadline: Deadline) -> float:
        """As :meth:`recovery.model.Transport.work_seconds`."""
        return self._transport.work_seconds(deadline)

    def close(self) -> None:
        """End the link; never raises."""
        self._transport.close()
