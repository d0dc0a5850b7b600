"""How much a worker process may do at a time."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Of one process."""

    max_jobs: int = 2000
    """Jobs under way; the others wait for their turn."""
    max_resolvers: int = 64
    """Threads that ask the resolver, the hung ones included; as many read files."""
    max_programs: int = 32
    """Programs at a time, for the jobs that cannot be run in the process."""
