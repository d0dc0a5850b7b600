"""A program on Windows, with exactly the given arguments (CreateProcess, CommandLineToArgvW)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed, UsageError
from recovery.model import CommandResult, Ended
from recovery.platforms import RepairUnderWay
from recovery.platforms.windows.answers import script, value
from recovery.transports.link import Link

_BATCH = (".bat", ".cmd")
_LONGEST_COMMAND_LINE = 32_000
"""Of UTF-16; CreateProcess takes 32,767, and .NET puts quotes around the program's name."""


def run_process(
    link: Link,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes,
    cwd: str | None,
    deadline: Deadline,
    keep: int = 65536,
    raw: bool = False,
) -> CommandResult:
    """Run ``arguments`` on the machine; it and its children are ended there before ``deadline``.

    Args:
        raw: the second and last of ``arguments`` is the rest of the command line, exactly as Windows gets it.

    Exit statuses are the 32 bits of Windows, unsigned: 3221225477 is 0xC0000005, an access violation.

    Raises:
        UsageError: Windows cannot be given these arguments exactly.
        ConnectFailed: the program was not started.
        RepairUnderWay: nor was it, because another repair is at work.
    """
    check(arguments, environment, raw=raw)
    pairs = [text for pair in environment.items() for text in pair]
    result = link.run(
        script("process"),
        [str(keep), cwd or "", "line" if raw else "words", str(len(environment)), *pairs, *arguments],
        deadline=deadline,
        stdin=stdin,
    )
    return result if result.ended is not Ended.EXITED else _read(value(result.stdout.decode()), arguments[0])


def check(arguments: Sequence[str], environment: Mapping[str, str], *, raw: bool = False) -> None:
    """Raises UsageError for what Windows would not take as it is given."""
    program = arguments[0]
    # CreateProcess hands these to cmd.exe, which interprets their arguments whatever the quoting.
    if program.rstrip(" .").lower().endswith(_BATCH):
        raise UsageError(
            f"{program}: Windows runs batch files through cmd.exe, which would interpret the arguments; "
            f"run a program, or: cmd.exe /c call {program} ARGUMENTS (without & | < > ^ % in them)"
        )
    if '"' in program:
        raise UsageError(f"{program!r} is not the name of a program")
    if any("\0" in text for text in (*arguments, *environment, *environment.values())):
        raise UsageError("an argument or variable holds a NUL, which no program on Windows can be given")
    # CreateProcessW counts UTF-16 units.
    units = len((" ".join(arguments if raw else map(quoted, arguments))).encode("utf-16-le")) // 2
    if units > _LONGEST_COMMAND_LINE:
        raise UsageError(
            f"the command line would have {units} characters, with the quotes that Windows needs; it takes "
            f"{_LONGEST_COMMAND_LINE}"
        )


def quoted(argument: str) -> str:
    """``argument`` as CommandLineToArgvW reads it back; process.ps1 writes the same."""
    if argument and not re.search(r'[\s"]', argument):
        return argument
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', argument)
    return '"' + re.sub(r"(\\+)\Z", r"\1\1", escaped) + '"'


def _read(answer: dict[str, object], program: str) -> CommandResult:
    if answer["ended"] == "busy":
        raise RepairUnderWay("another repair is at work on the machine")
    if answer["ended"] == "not started":
        raise ConnectFailed(f"{program} was not started on the machine: {answer['error']}")
    ended = Ended.EXITED if answer["ended"] == "exited" else Ended.TIMED_OUT
    left = int(str(answer.get("left") or 0))
    notes: tuple[str, ...] = ()
    if left and ended is Ended.EXITED:
        notes = (f"it left {left} of its children running; they end with the remote shell",)
    status = None if answer["status"] is None else int(str(answer["status"])) & 0xFFFFFFFF
    return CommandResult(
        ended=ended,
        exit_status=status if ended is Ended.EXITED else None,
        stdout=base64.b64decode(str(answer["stdout"])),
        stderr=base64.b64decode(str(answer["stderr"])),
        truncated=bool(answer["truncated"]),
        seconds=int(str(answer["milliseconds"])) / 1000,
        unstoppable=answer["ended"] == "unstoppable",
        notes=notes,
    )
