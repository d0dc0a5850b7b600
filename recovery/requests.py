"""What can be asked for: one frozen request for each action, as the command line or a definition named it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RestartRequest:
    """Which services to restart, and how long they must hold out to be called running."""

    services: tuple[str, ...]
    dependents: bool = True
    """Whether what depends on them is restarted with them."""
    settle: float = 3.0
    """Seconds for which every service must stay the same run."""


@dataclass(frozen=True)
class RebootRequest:
    """Reboot the machine, unless it came up less than ``min_uptime`` seconds ago."""

    min_uptime: float = 600.0


@dataclass(frozen=True)
class ProcessRequest:
    """A command for the machine; nothing of it is interpreted by any shell."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    cwd: str | None = None
    success_exit_status: tuple[int, ...] = (0,)


ActionRequest = RestartRequest | RebootRequest | ProcessRequest
