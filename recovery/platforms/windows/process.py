"""A program on Windows, with exactly the given arguments (CreateProcess, CommandLineToArgvW)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed, UsageError
from recovery.model import CommandResult, Ended
from recovery.platforms.windows.answers import script, value
from recovery.transports.link import Link

_BATCH = (".bat", ".cmd")
_LONGEST_COMMAND_LINE = 32_000
"""Characters; CreateProcess takes 32,767 with the quotes that are added."""


def run_process(
    link: Link,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes,
    cwd: str | None,
    deadline: Deadline,
    keep: int = 65536,
) -> CommandResult:
    """Run ``arguments`` on the machine; it and its children are ended there before ``deadline``.

    Exit statuses are the 32 bits of Windows, unsigned: 3221225477 is 0xC0000005, an access violation.

    Raises:
        UsageError: Windows cannot be given these arguments exactly.
        ConnectFailed: the program was not started.
    """
    check(arguments, environment)
    pairs = [text for pair in environment.items() for text in pair]
    # What is left after the program's end goes to the answer's way home.
    seconds = deadline.left - min(6.0, deadline.left / 2)
    result = link.run(
        script("process"),
        [str(int(seconds * 1000)), str(keep), cwd or "", str(len(environment)), *pairs, *arguments],
        deadline=deadline,
        stdin=stdin,
    )
    return result if result.ended is not Ended.EXITED else _read(value(result.stdout.decode()), arguments[0])


def check(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raises UsageError for what Windows would not take as it is given."""
    program = arguments[0]
    # CreateProcess hands these to cmd.exe, which interprets their arguments whatever the quoting.
    if program.rstrip(" .").lower().endswith(_BATCH):
        raise UsageError(
            f"{program}: Windows runs batch files through cmd.exe, which would interpret the arguments; "
            "run cmd.exe /c yourself, or a program"
        )
    if '"' in program:
        raise UsageError(f"{program!r} is not the name of a program")
    if any("\0" in text for text in (*arguments, *environment, *environment.values())):
        raise UsageError("an argument or variable holds a NUL, which no program on Windows can be given")
    if sum(len(argument) + 3 for argument in arguments) > _LONGEST_COMMAND_LINE:
        raise UsageError(f"the arguments are longer than {_LONGEST_COMMAND_LINE} characters, Windows' limit")


def _read(answer: dict[str, object], program: str) -> CommandResult:
    if answer["ended"] == "not started":
        raise ConnectFailed(f"{program} was not started on the machine: {answer['error']}")
    ended = Ended.EXITED if answer["ended"] == "exited" else Ended.TIMED_OUT
    status = None if answer["status"] is None else int(str(answer["status"])) & 0xFFFFFFFF
    return CommandResult(
        ended=ended,
        exit_status=status if ended is Ended.EXITED else None,
        stdout=base64.b64decode(str(answer["stdout"])),
        stderr=base64.b64decode(str(answer["stderr"])),
        truncated=bool(answer["truncated"]),
        seconds=int(str(answer["milliseconds"])) / 1000,
        unstoppable=answer["ended"] == "unstoppable",
    )
