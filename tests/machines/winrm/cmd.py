"""What cmd.exe would do, for a few commands: enough to prove the endpoint with other clients."""

from __future__ import annotations

import re
import shlex

from tests.machines.winrm.shells import Process


def run_command(line: str, process: Process) -> int:
    """A command line of cmd.exe, as far as it is modelled; 1 and a message for all others."""
    words = shlex.split(line, posix=False)
    if not words:
        return 0
    name = words[0].lower()
    if name == "echo":
        process.write("stdout", f"{line[5:]}\r\n".encode())
        return 0
    if name == "exit":
        return int(words[-1])
    if name == "ping":
        found = re.search(r"-n (\d+)", line)
        for _ in range(int(found[1]) if found else 4):
            if process.wait(1.0):
                return 1
            process.write("stdout", b"Reply from 127.0.0.1: bytes=32 time<1ms TTL=128\r\n")
        return 0
    if name in ("findstr", "more"):
        process.write("stdout", process.read_stdin())
        return 0
    if name == "fill":
        # Not a command of Windows: a flood of both streams, to see them arrive whole.
        for _ in range(int(words[1])):
            process.write("stdout", b"o" * 65536)
            process.write("stderr", b"e" * 65536)
        return 0
    process.write(
        "stderr", f"'{words[0]}' is not recognized as an internal or external command,\r\n".encode()
    )
    return 1
