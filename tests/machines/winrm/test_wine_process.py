"""external-process in PowerShell for Windows: CreateProcess, its command line, time-outs and what is left."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import pytest

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed
from recovery.model import CommandResult, Ended
from recovery.platforms.windows.process import run_process
from recovery.transports.link import Link
from tests.machines.winrm.wine_machine import WineMachine

PROGRAM = "C:\\program.exe"
WORDS = [
    *("", "a b", "it's", '"', 'q"u o"te', "\\", "a\\\\", 'a\\"b c\\', "$HOME", "%PATH%", "&|<>^", "-n", "*"),
    *(
        "é ü 日本 ✓ 🚀",
        "tab\there",
        "line\nbreak",
        " ",
        "\\\\host\\share\\",
        '""',
        "a'b`c",
        "C:\\Program Files\\x.exe",
    ),
]


def execute(
    wine: WineMachine,
    *arguments: str,
    seconds: float = 120,
    stdin: bytes = b"",
    program: float | None = None,
    raw: bool = False,
) -> CommandResult:
    way = wine.transport(program=program)
    with Link(lambda _: way) as link:
        return run_process(
            link,
            [PROGRAM, *arguments],
            environment={"V": "ä b"},
            stdin=stdin,
            cwd=None,
            deadline=Deadline(seconds),
            raw=raw,
        )


def shown(result: CommandResult) -> Sequence[str]:
    return [binascii.unhexlify(line[1:]).decode() for line in result.stdout.decode().splitlines()]


def test_arguments_arrive_exactly_as_given(wine: WineMachine) -> None:
    assert shown(execute(wine, "args", *WORDS)) == WORDS


def test_raw_command_line_arrives_as_it_is(wine: WineMachine) -> None:
    result = execute(wine, 'args /i x.msi PROP="a b" "C:\\x y\\"', raw=True)
    # By the rules of CommandLineToArgvW, which msiexec.exe does not follow.
    assert shown(result) == ["/i", "x.msi", "PROP=a b", 'C:\\x y"']


@pytest.mark.parametrize("code", [3, 0xC0000005], ids=hex)
def test_exit_status_has_32_bits(wine: WineMachine, code: int) -> None:
    result = execute(wine, "exit", str(code))
    assert (result.ended, result.exit_status) == (Ended.EXITED, code)


def test_input_goes_through_and_much_output_is_cut(wine: WineMachine) -> None:
    data = bytes(range(256)) * 100
    assert execute(wine, "cat", stdin=data).stdout == data
    result = execute(wine, "big", "3000000")
    assert (len(result.stdout), result.truncated, result.exit_status) == (65536, True, 0)


def test_program_writes_in_our_code_page(wine: WineMachine) -> None:
    assert execute(wine, "cp").stdout == b"65001 65001"


def test_program_that_talks_a_lot_comes_to_its_end(wine: WineMachine) -> None:
    result = execute(wine, "lines", "20000")
    assert (result.ended, result.exit_status, result.truncated) == (Ended.EXITED, 0, True)


@pytest.mark.parametrize("mode", ["sleep", "tree 3", "orphan"])
def test_time_out_ends_the_program_and_all_that_it_started(wine: WineMachine, mode: str) -> None:
    result = execute(wine, *mode.split(), "600000", program=6)
    assert result.ended is Ended.TIMED_OUT, result
    assert not result.unstoppable
    numbers = [line.split()[1] for line in result.stdout.decode().splitlines()]
    assert len(numbers) == {"sleep": 1, "tree 3": 4, "orphan": 3}[mode]
    wine.wait(lambda: wine.children() == [])


def test_everything_ends_where_powershell_is_killed(wine: WineMachine) -> None:
    way = wine.transport()
    process = way.begin("process", ["65536", "", "words", "0", PROGRAM, "tree", "2", "600000"])
    wine.wait(lambda: len(wine.children()) == 3)
    wine.end(wine.shells())
    wine.wait(lambda: wine.children() == [])
    process.communicate()


def test_what_it_leaves_running_is_counted_and_not_ended(wine: WineMachine) -> None:
    result = execute(wine, "leave", "20000")
    assert (result.ended, result.exit_status) == (Ended.EXITED, 4)
    assert result.notes == ("it left 1 of its children running; they end with the remote shell",)
    assert len(wine.children()) == 1


def test_program_that_is_not_there_is_told(wine: WineMachine) -> None:
    way = wine.transport()
    with Link(lambda _: way) as link, pytest.raises(ConnectFailed, match=r"^none\.exe was not started"):
        run_process(link, ["none.exe"], environment={}, stdin=b"", cwd=None, deadline=Deadline(60))


def test_answer_is_ascii_whatever_the_program_writes(wine: WineMachine) -> None:
    data = base64.b64decode("/////w==") + b"\r\nnonce0123456789 eA==\r\n"
    assert execute(wine, "cat", stdin=data).stdout == data
