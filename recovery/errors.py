"""The errors that all of recovery shares: what a person is told, and which exit code it makes."""

from __future__ import annotations


class RecoveryError(Exception):
    """Something on our side of the repair went wrong: the text says what was tried, on which host and
    port, what happened and what to do. The command exits with 2."""


class UsageError(RecoveryError):
    """Wrong options or a bad file: nothing was tried. The command exits with 3."""


class Refused(RecoveryError):
    """A restriction forbids it: nothing was tried."""


class NameNotFound(RecoveryError):
    """The machine's name has no address."""


class NameNotResolved(RecoveryError):
    """Whether the machine's name has an address is not known: no name server said so."""


class ConnectFailed(RecoveryError):
    """No connection, or no answer of the right protocol."""

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing
        """Whether it may be over in a moment: the port was closed, or what listens there hung up."""


class HostKeyRejected(RecoveryError):
    """The machine's key is unknown, revoked or not the one on file."""


class LoginFailed(RecoveryError):
    """The machine does not take the credential."""


class PrivilegeMissing(RecoveryError):
    """The account may not do it; the text names the missing sudoers line."""


class DeadlineExceeded(RecoveryError):
    """The action's time-out ended it."""
