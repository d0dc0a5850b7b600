"""What a definition file says, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field

from imap4.monitor.states import Rules

ACTIONS = ("restart-service", "reboot-server", "external-process")


@dataclass(frozen=True)
class AlertRange:
    """The alerts (numbered from 1) for which something is done; ``last`` None is open."""

    first: int = 1
    last: int | None = None

    def __contains__(self, alert: int) -> bool:
        return self.first <= alert and (self.last is None or alert <= self.last)

    def __str__(self) -> str:
        if self.last is None:
            return f"{self.first}-"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Contact:
    """Somebody whom the engine knows, and the alerts that go there."""

    name: str
    alerts: AlertRange = AlertRange()
    group: bool = False


@dataclass(frozen=True)
class Tls:
    """How the connection is encrypted, in the check's own terms."""

    mode: str = "none"
    """``none``, ``tls`` from the first byte, or ``starttls``."""
    verify: bool = True
    ca_file: str | None = None
    server_name: str | None = None
    minimum: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


@dataclass(frozen=True)
class Action:
    """One repair, and the alerts at which it is tried."""

    name: str
    """``restart-service``, ``reboot-server`` or ``external-process``."""
    alerts: AlertRange = AlertRange()
    command: tuple[str, ...] = ()
    """The program and its arguments, for ``external-process``."""
    timeout: int | None = None
    """Seconds that the whole action may take; None is the action's own default."""


@dataclass(frozen=True)
class Recovery:
    """What is repaired, as whom, and when."""

    machine: str = ""
    credential: str = ""
    services: tuple[str, ...] = ()
    verify: bool = True
    """Whether the monitor's own test must pass before a repair counts as proven."""
    actions: tuple[Action, ...] = ()
    port: int | None = None
    """Where the machine's sshd or WinRM listens; None is what is usual for the credential's method."""
    jump: tuple[str, ...] = ()
    """The SSH hosts to go through, the nearest first: ``CREDENTIAL@HOST:PORT`` (``jumps.py``)."""


@dataclass(frozen=True)
class Monitor:
    """One IMAP4 monitor."""

    name: str
    address: str
    host: str
    """The engine's name of the host that the service belongs to."""
    id: str = ""
    """What engines, records and history call it, whatever its name becomes; left out, the name."""
    enabled: bool = True
    statistics: bool = True
    port: int = 143
    test_duration: int = 10
    """Seconds that a test may take."""
    logout: str = "critical"
    """What a LOGOUT that fails means: ``critical``, or ``ignore``."""
    options: tuple[str, ...] = ()
    """More options of ``check_imap4``, as they stand on its command line."""
    tls: Tls = Tls()
    rules: Rules = field(default_factory=Rules)
    contacts: tuple[Contact, ...] = ()
    period: str = ""
    """The engine's time period in which people are told and repairs are run; empty: always."""
    recovery: Recovery = field(default_factory=Recovery)

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", self.name)  # how a frozen dataclass fills in a field

    @property
    def service(self) -> str:
        """The name of the service in the engines: the monitor's id, without what no engine allows in one."""
        return object_name(self.id)


@dataclass(frozen=True)
class Definition:
    """A whole file, or several together."""

    source: str
    monitors: tuple[Monitor, ...]
    lines: tuple[int | None, ...] = field(default=(), compare=False)
    """Where in the file each monitor begins, if it came from one."""


# Nagios' illegal_object_name_chars, what external commands and Icinga's names are split at, and the
# backslash, which at the end of a line of configuration joins it to the next one.
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("`~!$%^&*|'\"<>?,()=;\\", "_"))


def object_name(text: str) -> str:
    """``text`` as every engine takes it for the name of an object; ``display_name`` keeps the original.

    To Nagios, a ``+`` at the beginning means "in addition to the template's", and ``null`` means nothing
    (its manual, "Object Inheritance").
    """
    plain = text.translate(_NOT_IN_NAMES)
    if plain.startswith("+"):
        return "_" + plain[1:]
    return plain + "_" if plain == "null" else plain
