"""Runs the plugin as a monitoring engine does, and reads what it printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
GRACE = 0.5
"""Seconds that the whole process may live longer than -t."""

# The plugin guidelines: label=value[UOM];warn;crit;min;max. Every time has the unit and its limits.
# A label that has more than letters, digits and _ is in quotes.
_TIME = re.compile(r"('?[a-z_0-9.-]+'?)=[0-9]+\.[0-9]{6}s;[^; ]*;[^; ]*;0;([0-9.]+)")
_DAYS = re.compile(r"(certificate)=-?[0-9]+\.[0-9]{2}(;[0-9.:]*){0,2}")


class Run(NamedTuple):
    """What one run of the plugin gave."""

    code: int
    line: str
    """The first line without its perfdata; a measured time is ``T``."""
    perfdata: str
    """The labels of the perfdata, in their order."""
    output: str
    """All that was printed, as it was."""


def run(
    *arguments: str,
    timeout: str = "5",
    prefix: Sequence[str] = (),
    env: dict[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Run:
    """Run check_imap4, and assert what every run must keep to.

    That is: nothing on stderr, perfdata by the guidelines, and an end at most GRACE after -t.

    Args:
        arguments: those of the plugin, but for ``-t``.
        timeout: -t.
        prefix: a program that the plugin is run by, such as nsenter.
        env: added to an environment that is empty but for PATH, in the C locale.
        pass_fds: file descriptors that the plugin inherits.
    """
    command = [*prefix, sys.executable, str(ROOT / "check_imap4.py"), *arguments, "-t", timeout]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})}
    seconds = float(timeout.partition(":")[0])
    start = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, env=environment, pass_fds=pass_fds, timeout=seconds + 30
    )
    elapsed = time.monotonic() - start
    assert done.stderr == b""
    assert elapsed <= seconds + GRACE
    output = done.stdout.decode("utf-8")
    first, _, perfdata = output.partition("\n")[0].partition(" | ")
    return Run(done.returncode, _without_times(first), _labels(perfdata, seconds), output)


def _without_times(line: str) -> str:
    return re.sub(r"\b[0-9]+\.[0-9]{3} s\b", "T s", line)


def _labels(perfdata: str, seconds: float) -> str:
    """The labels; each item must be as it should."""
    labels = []
    for item in perfdata.split():
        match = _TIME.fullmatch(item) or _DAYS.fullmatch(item)
        assert match, f"no good perfdata: {item}"
        assert match[1] == "certificate" or float(match[2]) == seconds, f"wrong maximum: {item}"
        labels.append(match[1].strip("'"))
    return " ".join(labels)
