"""What can be asked for, as frozen data: the command line is read into it at the door, and only there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imap4.monitor.jumps import Jump
from recovery.decision.event import Event
from recovery.decision.policy import Rules
from recovery.paths import Paths


@dataclass(frozen=True)
class AccessRequest:
    """Which machine, as whom, and for how long: names, of which nothing was looked up yet."""

    machine: str
    """FQDN, NetBIOS name or IP address."""
    credential: str
    """The name of a stored credential."""
    timeout: float
    """Seconds for everything together."""
    port: int | None = None
    known_hosts: tuple[str, ...] | None = None
    """SSH: files of host keys; None is the user's and the system's."""
    scheme: str | None = None
    """WinRM: ``https`` or ``http``; None is HTTPS, but HTTP on port 5985."""
    ca_file: str | None = None
    """WinRM: PEM certificates to trust; None is the usual file, or else the system's."""
    spn: str | None = None
    """WinRM with Kerberos: the service principal, ``HTTP/HOST``; None is that of the machine's name."""
    become: bool = False
    """Whether to use sudo also where the credential does not say so."""
    jumps: tuple[Jump, ...] = ()
    """The jump hosts on the way, the first one first."""


@dataclass(frozen=True)
class RestartRequest:
    """Which services to restart, and how long they must hold out to be called running."""

    services: tuple[str, ...]
    dependents: bool = True
    """Whether what depends on them is restarted with them."""
    settle: float = 3.0
    """Seconds for which every service must stay the same run."""
    kill: bool = False
    """Windows: whether the process of a service that does not stop may be ended."""


@dataclass(frozen=True)
class RebootRequest:
    """Reboot the machine, unless it came up less than ``min_uptime`` seconds ago."""

    min_uptime: float = 600.0
    during_updates: bool = False
    """Windows: whether to reboot while it installs updates or programs."""


@dataclass(frozen=True)
class ProcessRequest:
    """A command for the machine; nothing of it is interpreted by any shell."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    cwd: str | None = None
    success_exit_status: tuple[int, ...] = (0,)
    command_line: str = ""
    """Windows: what follows the program on its command line, exactly; "" where ``arguments`` say it."""


@dataclass(frozen=True)
class ProcessTemplate:
    """A :class:`ProcessRequest` before its tokens are filled from an event, and before its input is read."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin_file: str | None = None
    cwd: str | None = None
    success_exit_status: tuple[int, ...] = (0,)
    command_line: str = ""
    """Windows: what follows the program on its command line, exactly; "" where ``arguments`` say it."""


ActionRequest = RestartRequest | RebootRequest | ProcessRequest


@dataclass(frozen=True)
class OutputOptions:
    """What is printed besides the last line, and how."""

    json: bool = False
    verbose: bool = False
    explain: bool = False
    """Whether each rule's answer is told."""
    engine: Mapping[str, str] = field(default_factory=dict)
    """Where the engine is told what came of it, by the variables' names; they win where they are set."""


@dataclass(frozen=True)
class RecoveryRequest:
    """One call of an action, whole: what travels from the command line to the last line."""

    action: str
    """``restart-service``, ``reboot-server`` or ``external-process``."""
    subject: str
    """The services or the program; empty for a reboot."""
    work: RestartRequest | RebootRequest | ProcessTemplate
    access: AccessRequest
    event: Event | None
    """What the engine said; None is a person at work."""
    rules: Rules
    paths: Paths
    verify: str | None = None
    """A plugin command whose exit code 0 proves the repair."""
    # One for all requests: it is frozen.
    output: OutputOptions = OutputOptions()
    dry_run: bool = False
    detach: bool = False
    taken_over: int | None = None
    """The number of the recovery that this process goes on with, in the background."""

    @property
    def title(self) -> str:
        """``restart-service dovecot on mail1``, and the jump hosts on the way: ``through gate1, gate2``."""
        way = ", ".join(jump.host for jump in self.access.jumps)
        where = f" on {self.access.machine}" + (f" through {way}" if way else "")
        return f"{self.action} {self.subject}".strip() + where
