"""Ends a process at every single line of the code under test, as a power cut would."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_CRASHED = 99


def at_every_line(work: Callable[[], object], *modules: str) -> Iterator[int]:
    """Run ``work`` in a child that is ended before the first line of ``modules`` that it comes to, then
    in one that is ended before the second, and so on until one reaches its end.

    Yields the number of the line after each crash, and 0 after the run that was not ended.
    """
    line = 0
    while True:
        line += 1
        child = os.fork()
        if child == 0:
            _run(work, modules, line)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, _CRASHED), f"the work failed by itself with {status}"
        yield line if status else 0
        if status == 0:
            return


def _run(work: Callable[[], object], modules: tuple[str, ...], line: int) -> None:
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_globals.get("__name__") not in modules:
            return None
        if event == "line":
            left -= 1
            if not left:
                os._exit(_CRASHED)
        return trace

    try:
        sys.settrace(trace)
        work()
        sys.settrace(None)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
