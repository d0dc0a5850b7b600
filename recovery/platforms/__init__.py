"""How a kind of machine states its facts and obeys; each platform says it in scripts of its own language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from imap4.deadline import Deadline
from recovery.errors import Refused, UsageError
from recovery.model import CommandResult
from recovery.transports.link import Link

_UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*")
MARKER = "/run/imap4-recovery.rebooting"
"""A file in memory: gone after a reboot."""


@dataclass(frozen=True)
class ServiceFacts:
    """What a machine says of one service."""

    name: str
    exists: bool
    state: str
    """``active``, ``inactive``, ``failed``, ``activating``, ``deactivating`` ..., as systemd(1) has them."""
    detail: str = ""
    """The finer state, such as ``running``, ``auto-restart``; or why there is none."""
    masked: bool = False
    run: str = ""
    """Which run of the service this is: another value is another run. "" where there is none."""
    pid: int = 0
    restarts: int = 0
    """How often the machine restarted it by itself."""
    busy: bool = False
    """Whether something is being done to it at this moment."""
    result: str = ""
    ends: bool = False
    """Whether the service does its work and ends; being inactive is then no failure."""
    lived: float = 0.0
    """Seconds that its main process has lived, or its last one had; 0 where that is not told."""
    pause: float = 0.0
    """Seconds that the machine waits before it restarts it by itself."""
    empty: bool = False
    """It counts as running though no process of it is left, as what systemd makes of an init script may."""
    refuses: str = ""
    """What the machine refuses to do to it when asked: ``start``, ``stop``; "" for nothing."""
    dependents: tuple[str, ...] = ()
    """What is stopped when this is stopped."""
    description: str = ""
    file: str = ""
    """Where it is written what the service is; "" where that is not known."""
    hindrance: str = ""
    """Why the machine itself would not restart it; "" if it would, or does not say."""

    @property
    def running(self) -> bool:
        return self.state in {"active", "reloading"}

    def as_dict(self) -> dict[str, object]:
        """The facts for the history."""
        return asdict(self)


@dataclass(frozen=True)
class MachineFacts:
    """Which run of the machine this is."""

    boot_id: str
    first_process: str
    """When process 1 began, in ticks since the kernel did."""
    uptime: float
    """Seconds since process 1 began."""
    marker: bool
    """Whether the file MARKER is there."""
    reboot: str = ""
    """Why a reboot is already under way; "" if none is."""
    users: tuple[str, ...] = ()
    """Who is logged on at the machine and would lose their work; () where that is not known."""
    servicing: str = ""
    """What is at work that a reboot would cut short, such as updates; "" if nothing is."""
    machine_id: str = ""
    """Which machine this is, whatever its name or address (machine-id(5)); "" where it has none."""
    scheduled: str = ""
    """What is scheduled: ``reboot``, ``poweroff`` ...; "" if nothing is."""
    scheduled_in: float = 0.0
    """Seconds until then."""

    def as_dict(self) -> dict[str, object]:
        """The facts for the history."""
        return asdict(self)


class RebootUnderWay(Refused):
    """The machine is being rebooted, or will be, by somebody else: how that was seen."""


class RepairUnderWay(Refused):
    """The machine itself says that another repair of ours is at work on it; nothing was done."""


class Platform(Protocol):
    """One kind of machine. What only looks may be asked again and again; what acts is done once."""

    name: str
    memory: str
    """Where its marker is, which no reboot survives."""
    refused_logins: int | None
    """How many refused logins in a row to bear while it comes up; None is any number.

    Windows locks an account after a few, and refuses all while it has no domain controller yet.
    """

    reboot_settle: float
    """Seconds that the machine must stay up, in the same run, to be called up again: 0 where its own init
    says that it has started. Windows may reboot a second time by itself, to finish updates.
    """

    def canonical(self, service: str) -> str:
        """The full name of ``service``; raises UsageError for what can be none."""
        ...

    def services(self, link: Link, *, deadline: Deadline) -> list[str]:
        """The names of the machine's services."""
        ...

    def facts(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> list[ServiceFacts]:
        """The facts of each of ``services``, in their order."""
        ...

    def cannot(self, facts: ServiceFacts) -> str:
        """Why the service cannot be restarted, or must not be; "" where it can."""
        ...

    def danger(self, link: Link, services: Sequence[str], *, alone: bool, deadline: Deadline) -> str:
        """What restarting ``services`` would do beyond services, such as taking the machine down or our own
        way in; "" where nothing."""
        ...

    def restart(
        self,
        link: Link,
        services: Sequence[str],
        dependents: Sequence[str],
        *,
        alone: bool,
        kill: bool = False,
        deadline: Deadline,
    ) -> CommandResult:
        """Restart ``services`` and with them the running ``dependents``, unless ``alone``.

        Args:
            kill: whether the process of a service that does not stop may be ended (Windows).
        """
        ...

    def start(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> CommandResult:
        """Start ``services``."""
        ...

    def finished(self, link: Link, service: str, *, deadline: Deadline) -> str:
        """Which run of a service that does its work and ends did so well last; "" where nobody can tell."""
        ...

    def last_words(self, link: Link, service: str, *, deadline: Deadline) -> list[str]:
        """The last lines that ``service`` logged; none where they cannot be read."""
        ...

    def machine(self, link: Link, *, deadline: Deadline) -> MachineFacts:
        """Which run of the machine this is."""
        ...

    def refused(self, result: CommandResult) -> str:
        """What the machine said where it refused a restart as such; "" where only the facts can tell."""
        ...

    def blocked(self, link: Link, *, deadline: Deadline) -> str:
        """Who keeps the machine from being rebooted, and why; "" where nobody does."""
        ...

    def reboot(self, link: Link, *, deadline: Deadline) -> CommandResult:
        """Write the marker and ask for a clean reboot; does not wait for it.

        Raises:
            RebootUnderWay: only then the machine said so; nothing was done.
        """
        ...

    def condition(self, link: Link, *, deadline: Deadline) -> str:
        """``starting``, ``running``, ``degraded: UNIT ...``: the words of ``systemctl is-system-running``."""
        ...

    def commands(
        self,
        services: Sequence[str],
        dependents: Sequence[str] = (),
        *,
        alone: bool = False,
        reboot: bool = False,
    ) -> list[tuple[str, ...]]:
        """What root must do to restart ``services`` and start ``dependents`` again (and to reboot), as
        program and arguments, for sudoers.
        """
        ...


def check_name(service: str) -> str:
    """``service``, if it can be the name of one.

    Raises:
        UsageError: it has characters that no name has, or begins with a dash.
    """
    if not _UNIT.fullmatch(service) or len(service) > 255:
        raise UsageError(f"{service!r} is not the name of a service (letters, digits and : _ . @ \\ -)")
    return service
