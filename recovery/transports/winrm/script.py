"""How a script goes to Windows and its answer comes back: nothing is ever pasted into script text. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from imap4.scrub import Scrubber
from recovery.errors import PrivilegeMissing, RecoveryError, UsageError
from recovery.model import CommandResult, Ended
from recovery.transports.winrm.budget import Budget

MAX_STDIN = 4 * 1024 * 1024
MAX_STDOUT = 16 * 1024 * 1024
MAX_STDERR = 64 * 1024
CMD_LIMIT = 8191
"""Characters of the longest command line that cmd.exe takes."""


@cache
def command_line() -> tuple[str, ...]:
    """Windows PowerShell with the bootstrap, which is the same text each time."""
    # The PATH of a machine need not hold it; cmd.exe, which runs the command, expands the variable.
    program = r"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe"
    text = resources.files("recovery").joinpath("platforms/windows/bootstrap.ps1").read_text("utf-8")
    # Comments and indentation are for its readers; the command line has a limit.
    lines = [line.strip() for line in text.splitlines()]
    short = "\n".join(line for line in lines if line and not line.startswith("#"))
    encoded = base64.b64encode(short.encode("utf-16-le")).decode()
    command = (program, "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded)
    assert sum(len(word) + 1 for word in command) < CMD_LIMIT
    return command


def task(
    nonce: str,
    script: str,
    arguments: Sequence[str],
    stdin: bytes,
    environment: Mapping[str, str],
    budget: Budget,
) -> bytes:
    """What the bootstrap reads: three lines of ASCII.

    Every text in the JSON is base64 once more, because ConvertFrom-Json changes some texts: those that
    look like dates.

    Raises:
        UsageError: too much standard input, or a text that no Windows can take.
    """
    if len(stdin) > MAX_STDIN:
        raise UsageError(f"over WinRM, standard input is at most {MAX_STDIN >> 20} MiB")
    try:
        fields = {
            "script": _base64(script),
            "arguments": [_base64(argument) for argument in arguments],
            "environment": [[_base64(name), _base64(value)] for name, value in environment.items()],
            "milliseconds": int(budget.whole * 1000),
            "script_ms": int(budget.script * 1000),
            "program_ms": int(budget.program * 1000),
            "ending_ms": int(budget.ending * 1000),
        }
    except UnicodeEncodeError:
        raise UsageError("an argument or environment variable is not valid Unicode") from None
    parts = (nonce, _base64(json.dumps(fields)), base64.b64encode(stdin).decode())
    return "".join(f"{part}\n" for part in parts).encode("ascii")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode()


def find_answer(stdout: bytes | bytearray, nonce: str) -> bytes | None:
    """What follows the nonce, as soon as its line is whole.

    The nonce is random, so that it need not begin the line: a byte order mark, a profile or an AutoRun of
    cmd.exe may have written before it.

    Raises:
        RecoveryError: the answer is longer than anything of ours.
    """
    found = re.search(nonce.encode() + rb" ([A-Za-z0-9+/=]*)[\r\n]", stdout)
    if found is None and len(stdout) > MAX_STDOUT:
        raise RecoveryError(f"an answer of more than {MAX_STDOUT >> 20} MiB")
    return None if found is None else found[1]


def read_answer(answer: bytes, where: str) -> CommandResult:
    """The bootstrap's answer as a result.

    Raises:
        PrivilegeMissing: PowerShell is locked down for this account.
        RecoveryError: it is no answer of the bootstrap.
    """
    if answer.isalpha() and answer.endswith(b"Language"):
        raise PrivilegeMissing(
            f"{where}: PowerShell runs in {answer.decode()} mode for this account, and the repair's "
            "scripts cannot run in it; exempt the account in AppLocker or WDAC, or use another one"
        )
    try:
        fields = json.loads(base64.b64decode(answer, validate=True))
        ended = fields["ended"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise RecoveryError(f"{where}: the answer of PowerShell is damaged") from None
    if ended == "timed out":
        return CommandResult(Ended.TIMED_OUT, None)
    if ended == "failed":
        reason = " ".join(str(fields.get("error", "")).split())
        said = json.dumps({"error": reason}).encode()
        return CommandResult(Ended.EXITED, 1, stdout=said, stderr=reason.encode("utf-8", "replace"))
    return CommandResult(Ended.EXITED, 0, stdout=json.dumps(fields.get("value")).encode())


def no_answer(stdout: bytes, stderr: bytes, status: int, where: str, scrubber: Scrubber) -> RecoveryError:
    """The command ended and said nothing of ours."""
    said = scrubber.cut(" ".join(_plain(stderr or stdout).split()), 200)
    return RecoveryError(
        f"{where}: PowerShell did not run the script (exit status {status}{f': {said}' if said else ''})"
    )


def _plain(output: bytes) -> str:
    """Standard error as text: Windows PowerShell writes errors there as XML (CLIXML)."""
    text = output.decode("utf-8", "replace")
    if text.startswith("#< CLIXML"):
        text = " ".join(re.findall(r'<S S="Error">(.*?)</S>', text, re.DOTALL))
        text = re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text)
    return "".join(one if one.isprintable() else " " for one in text)
