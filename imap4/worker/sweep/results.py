"""One test's result, and its forms: an object of JSON, a line for people, a passive result. Pure."""

from __future__ import annotations

import json
import select
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from imap4.monitor.engines.nagios.command_file import line
from imap4.monitor.model import Monitor
from imap4.monitor.states import Position, State

NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

# The worst first, as the plugin ranks them: a server that is down is worse than one that is not known.
_RANK = (2, 3, 1, 0)


@dataclass(frozen=True)
class Result:
    """What one test found, and where its monitor is after it."""

    monitor: Monitor
    before: State
    """The monitor's state before this test."""
    position: Position
    exit_code: int
    text: str
    """All that the plugin printed."""
    began: float
    """Seconds since the epoch, as ``ended``."""
    ended: float

    @property
    def output(self) -> str:
        """The first line, without performance data."""
        return self.text.partition("\n")[0].partition(" | ")[0]

    @property
    def perfdata(self) -> str:
        """The performance data of the first line; empty for none."""
        return self.text.partition("\n")[0].partition(" | ")[2]

    @property
    def long_output(self) -> str:
        """The lines after the first, without the last line end."""
        return self.text.partition("\n")[2].removesuffix("\n")


def worst(codes: Iterable[int]) -> int:
    """The worst of exit codes; 0 for none."""
    return min(codes, key=_RANK.index, default=0)


def as_json(result: Result) -> str:
    """One object on one line; times in seconds."""
    position = result.position
    return json.dumps(
        {
            "time": round(result.ended, 3),
            "monitor": result.monitor.name,
            "host": result.monitor.host,
            "service": result.monitor.service,
            "state": position.state.value,
            "failures": position.failures,
            "alert": position.alert,
            "recovery": position.recovery,
            "exit_code": result.exit_code,
            "output": result.output,
            "long_output": result.long_output,
            "perfdata": result.perfdata,
            "next_delay": position.delay,
        },
        ensure_ascii=False,
    )


def as_text(result: Result) -> str:
    """One line for people: time, state, monitor, alert, and what the plugin said."""
    position = result.position
    clock = datetime.fromtimestamp(result.ended).strftime("%H:%M:%S")
    said = f", alert {position.alert}" if position.alert else ", recovery" if position.recovery else ""
    return f"{clock} {position.state.value:<4} {result.monitor.name}{said}: {result.output}"


def is_news(result: Result) -> bool:
    """Whether a person wants to know: it failed, or its monitor is another state's now."""
    return result.exit_code != 0 or result.before is not result.position.state


def as_command(result: Result, *, naemon: bool = False) -> bytes:
    """A line of the core's command file, of at most PIPE_BUF bytes: one write, so all of it or nothing.

    Nagios reads line ends and backslashes of passive results escaped (its manual, "Plugin API"). Naemon takes
    them as they are (seen with 1.5), so it gets the first line only: the others would be performance data.
    What is too long loses its further lines first, then the performance data, then the text's end.
    """

    def escaped(text: str) -> str:
        return text if naemon else text.replace("\\", "\\\\")

    first, *more = map(escaped, result.text.removesuffix("\n").split("\n"))
    made = _command(result, first)
    if len(made) > select.PIPE_BUF:
        made = _command(result, escaped(result.output))
    if len(made) > select.PIPE_BUF:
        # Every backslash may be doubled, and a character that is cut in two is left out.
        rest = select.PIPE_BUF - len(_command(result, ""))
        short = result.output.encode()[: rest // 2].decode("utf-8", "ignore")
        return _command(result, escaped(short))
    for each in more if not naemon else ():
        longer = _command(result, first := f"{first}\\n{each}")
        if len(longer) > select.PIPE_BUF:
            break
        made = longer
    return made


def _command(result: Result, text: str) -> bytes:
    name = (result.monitor.host, result.monitor.service)
    return line(("PROCESS_SERVICE_CHECK_RESULT", *name, result.exit_code, text), int(result.ended))
