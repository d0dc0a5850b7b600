"""powershell.exe of the model: runs this package's scripts and no others, each byte for byte as reviewed.

The bootstrap must come as the command line that the package makes, its script must be one of the package's
files. What a script would do on Windows is modelled in :mod:`tests.machines.winrm.windows`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import recovery
from recovery.platforms.windows.answers import script
from recovery.transports.winrm import script as winrm_script
from tests.machines.winrm.shells import Process

FOLDER = Path(recovery.__file__).parent / "platforms" / "windows"
NAMES = ("about", "events", "machine", "process", "reboot", "restart", "services", "turns")
SCRIPTS = {script(name).encode(): name for name in NAMES}

Model = Callable[[list[str], bytes, Mapping[str, str]], object]
"""What a script does with arguments, bytes and environment; returns its value, may raise ScriptError."""


class ScriptError(Exception):
    """The script ended with this error."""


class Silent(Exception):
    """PowerShell ended, with STATUS_DLL_INIT_FAILED and without a word."""


def run(models: Mapping[str, Model], line: str, process: Process, language: str = "FullLanguage") -> int:
    """One run of powershell.exe; returns its exit code."""
    if tuple(line.split(" ")) != winrm_script.command_line():
        process.write("stderr", b"the command line is not the bootstrap of the package")
        return 1
    lines = process.read_stdin().decode("ascii").split("\n")
    if len(lines) < 3:
        return 1
    nonce = lines[0]
    if language != "FullLanguage":
        process.write("stdout", f"{nonce} {language}\r\n".encode())
        return 0
    try:
        answer = _answer(models, lines)
    except Silent:
        return 0xC0000142
    encoded = base64.b64encode(json.dumps(answer).encode()).decode()
    process.write("stdout", f"{nonce} {encoded}\r\n".encode())
    return 0


def _answer(models: Mapping[str, Model], lines: list[str]) -> dict[str, object]:
    task = json.loads(_text(lines[1]))
    name = SCRIPTS.get(base64.b64decode(task["script"]))
    if name is None:
        return {"ended": "failed", "error": "the model knows no such script"}
    arguments = [_text(argument) for argument in task["arguments"]]
    if name == "process":
        # What the script takes from its budget: when the program is to be ended.
        arguments.insert(0, str(task["program_ms"]))
    environment = {_text(key): _text(value) for key, value in task["environment"]}
    outcome: list[dict[str, object]] = []
    silent: list[Silent] = []

    def work() -> None:
        try:
            value = models[name](arguments, base64.b64decode(lines[2]), environment)
            outcome.append({"ended": "done", "value": value})
        except ScriptError as error:
            outcome.append({"ended": "failed", "error": str(error)})
        except Silent as error:
            silent.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(task["milliseconds"] / 1000)
    if silent:
        raise silent[0]
    return outcome[0] if outcome else {"ended": "timed out"}


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode("utf-8")
