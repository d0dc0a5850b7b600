"""The words that all of recovery shares: frozen data, and the seam to a transport.

``cli`` -> ``actions`` -> ``platforms`` -> ``transports``. An action knows what to do and how to prove
it; a platform knows how one kind of machine states its facts and obeys; a transport only carries a
script there and a result back. Nothing in this module touches the network, a file or a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from imap4.deadline import Deadline


class Secret:
    """A text that must not be seen: ``str``, ``repr`` and formatting show ``***``."""

    # No __dict__: vars() of it, as a dump of locals makes it, shows nothing.
    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; call it only where a library must have it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Credential:
    """A named set: who to be on a machine, how to prove it, and what it may be used for."""

    name: str
    account: str
    """``name``, ``DOMAIN\\name``, ``.\\name`` or ``name@domain``."""
    method: str
    """``ssh-password``, ``ssh-key`` or ``ssh-agent``; WinRM's methods begin with ``winrm-``."""
    password: Secret | None = None
    private_key: Secret | None = None
    """The key's own text (OpenSSH or PEM); None where ``private_key_file`` names it."""
    private_key_file: str | None = None
    passphrase: Secret | None = None
    become: bool = False
    """Whether commands that need root are run through ``sudo -n``."""
    description: str = ""
    machines: tuple[str, ...] = ()
    """Patterns (``*.example.org``) and networks (``192.0.2.0/24``) that it may be used on; () is none."""
    actions: tuple[str, ...] = ()
    """Actions that it may be used for; () is none."""
    certificate: str = ""
    """SSH: the user certificate of a key that is stored here; that of a key file lies beside it."""


@dataclass(frozen=True)
class Target:
    """A machine as the caller named it, and where that was found to be."""

    machine: str
    address: str
    """"" where only a jump host looks it up."""
    port: int | None = None
    scheme: str | None = None
    """WinRM: ``https`` or ``http`` (sealed messages); None is HTTPS, but HTTP on port 5985."""
    ca_file: str | None = None
    """WinRM: PEM certificates to trust instead of the system's."""
    spn: str | None = None
    """WinRM with Kerberos: the machine's service principal; None is ``HTTP/`` and its name."""

    @property
    def found(self) -> str:
        """``mail1 is 192.0.2.1``, for a person."""
        return f"{self.machine} is {self.address or 'looked up by the jump host'}"


@dataclass(frozen=True)
class Hop:
    """A jump host on the way to a machine, and who to be there."""

    target: Target
    credential: Credential


class Ended(Enum):
    """How a command on the machine ended; these are never confused with one another."""

    EXITED = "exited"
    SIGNALLED = "killed by a signal"
    TIMED_OUT = "killed by the time-out"
    LINK_LOST = "link lost"


@dataclass(frozen=True)
class CommandResult:
    """What a command on the machine did."""

    ended: Ended
    exit_status: int | None
    """The exit status where ``ended`` is EXITED, else None."""
    signal: int | None = None
    """The signal's number where ``ended`` is SIGNALLED, else None."""
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    """Whether a stream was longer than what is kept of it."""
    seconds: float = 0.0
    unstoppable: bool = False
    """TIMED_OUT, and processes were still there: another account's, which ours may not end."""
    notes: tuple[str, ...] = ()
    """What else there is to tell, a sentence each: what was killed, what was left running."""

    @property
    def ok(self) -> bool:
        """Whether it ran to its end with exit status 0."""
        return self.ended is Ended.EXITED and self.exit_status == 0


class Transport(Protocol):
    """An authenticated link to one machine."""

    language: str
    """What its scripts are written in: ``sh`` or ``powershell``."""

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
        """Run a reviewed script of this package with ``arguments``, none of them interpreted.

        Args:
            script: text in the language of the machine's platform (POSIX sh, PowerShell).
            deadline: the remote side ends the whole process group at it, also if this side dies.
            become: let the script's commands that need root have it; on Unix those are the ones it calls
                through ``as_root``, so that sudo can allow exactly them.
            keep: how many bytes of each stream are kept; the rest is read and thrown away.

        Raises:
            RecoveryError: one of its kinds, where not even the start of the script is certain.
        """
        ...

    def work_seconds(self, deadline: Deadline) -> float:
        """How long a script that is started now may run. What else is left of ``deadline`` is kept for ending
        it there, and for its report's way back."""
        ...

    def close(self) -> None:
        """End the link; never raises."""
        ...


class Verdict(Enum):
    """How an action ended."""

    PROVEN = "proven"
    SKIPPED = "skipped"
    NOT_PROVEN = "not proven"
    FAILED = "failed"

    @property
    def exit_code(self) -> int:
        """The exit code of ``imap4-recovery``."""
        # A plugin's codes: engines and people know what 0, 1 and 2 mean.
        return {"proven": 0, "skipped": 0, "not proven": 1, "failed": 2}[self.value]


@dataclass(frozen=True)
class Step:
    """One thing an action did, for the history and for ``-v``."""

    name: str
    """Short and in the imperative: ``connect``, ``facts before``, ``restart``, ``proof``, ``verify`` ..."""
    at: float
    """Seconds since the action began."""
    text: str


StepListener = Callable[[Step], None]
"""Is told each step as it happens."""


@dataclass(frozen=True)
class Plan:
    """What an action would do to a machine, judged by what judges the action itself."""

    lines: tuple[str, ...]
    """Sentences for a person."""
    verdict: Verdict | None = None
    """How it would end before anything was done; None where it would be done."""
    reason: str = ""
    """Why, where there is a verdict."""


@dataclass(frozen=True)
class Outcome:
    """What an action did to a machine, and how that was proved."""

    verdict: Verdict
    summary: str
    """One line for a person: ``running again after 4.1 s (invocation 3f2a -> 9c11), IMAP4 OK``."""
    facts_before: Mapping[str, object] = field(default_factory=dict)
    facts_after: Mapping[str, object] = field(default_factory=dict)
    proof: str = ""
    verify: str = ""
    """The first line that the ``--verify`` command printed last."""
    steps: tuple[Step, ...] = ()
    seconds: float = 0.0
    acted: bool = True
    """Whether anything was asked of the machine that could change it; limits count nothing else."""
