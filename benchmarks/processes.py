"""What processes have used, as the kernel tells it (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

HERTZ = os.sysconf("SC_CLK_TCK")


def cpu_of_process(pid: int) -> float:
    """CPU seconds of a process, its children apart."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / HERTZ


def cpu_in_nanoseconds(pid: int) -> float:
    """CPU seconds of a process, its children apart, by the scheduler's own account: of all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory(*pids: int) -> int:
    """Resident KiB of these processes."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * 4
