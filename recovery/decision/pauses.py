"""Which repairs a pause keeps from being done, and for how long. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from recovery.credentials.restrictions import matches
from recovery.model import Target


@dataclass(frozen=True)
class Clock:
    """This host's time, told in two ways: people set the one, and nobody the other."""

    now: float
    """Seconds since the epoch."""
    boot: str
    """Which run of this host it is; empty where it does not say."""
    uptime: float
    """Seconds since that run began, those in which it slept included: CLOCK_BOOTTIME of clock_gettime(2)."""


@dataclass(frozen=True)
class Scope:
    """What a pause is for. An empty part is no restriction; those that are not all hold."""

    machines: tuple[str, ...] = ()
    """Names with ``*`` and ``?``, addresses and networks, as a credential has them."""
    monitors: tuple[str, ...] = ()
    """Services as the engine calls them, with ``*`` and ``?``."""
    actions: tuple[str, ...] = ()

    def covers(self, action: str, machine: str, address: str, monitor: str) -> bool:
        """Whether a repair is one of those meant; a repair for no monitor is not one for any."""
        # Before it is looked up, a machine that is called by its address has that one.
        target = Target(machine, address or machine)
        return (
            (not self.actions or action in self.actions)
            and (not self.machines or any(matches(pattern, target) for pattern in self.machines))
            and (not self.monitors or any(_is_called(monitor, pattern) for pattern in self.monitors))
        )

    def __str__(self) -> str:
        parts = [
            " and ".join(self.actions) or "all repairs",
            f"on {', '.join(self.machines)}" if self.machines else "",
            f"for {', '.join(self.monitors)}" if self.monitors else "",
        ]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Pause:
    """Somebody's wish that nothing is repaired for a while."""

    number: int
    scope: Scope
    begun: Clock
    seconds: float
    """How long it lasts."""
    by: str
    why: str
    ended: float | None = None
    """When it was ended before its time, in seconds since the epoch."""
    ended_by: str = ""

    def left(self, clock: Clock) -> float:
        """Seconds that it goes on for; 0 where it is over.

        While the host runs, only time that passed counts, whatever was done to its clock. After a restart
        there is nothing but the clock; where that says the pause has not begun, it ran ahead then, and
        nobody knows how long: the pause is over, for repairs must not stay away for a year.
        """
        if self.ended is not None:
            return 0.0
        if self.begun.boot and self.begun.boot == clock.boot:
            passed = clock.uptime - self.begun.uptime
        else:
            passed = clock.now - self.begun.now
        return max(0.0, self.seconds - passed) if passed >= 0 else 0.0


def _is_called(monitor: str, pattern: str) -> bool:
    return bool(monitor) and fnmatchcase(monitor.lower(), pattern.lower())
