"""Programs of the model: real ones of this machine, run as process.ps1 says."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping


def run(
    arguments: list[str],
    stdin: bytes,
    path: str,
    variables: Mapping[str, str],
    exit_codes: Mapping[str, int],
) -> dict[str, object]:
    """Run what process.ps1 is given, after the milliseconds that it has; returns its answer.

    Args:
        path: a folder whose programs come first.
        exit_codes: those beyond 255, by the last argument.
    """
    limit, keep, folder, count = int(arguments[0]), int(arguments[1]), arguments[2], int(arguments[4])
    pairs, command = arguments[5 : 5 + 2 * count], arguments[5 + 2 * count :]
    environment = {**os.environ, **variables, **dict(zip(pairs[::2], pairs[1::2], strict=True))}
    environment["PATH"] = f"{path}:{environment['PATH']}" if path else environment["PATH"]
    found = shutil.which(command[0], path=environment["PATH"])
    try:
        process = subprocess.Popen(
            [found or command[0], *command[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder or None,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        return {"ended": "not started", "error": f"{error.strerror} (error {error.errno})"}
    ended, began = "exited", time.monotonic()
    try:
        out, err = process.communicate(stdin, timeout=limit / 1000)
    except subprocess.TimeoutExpired:
        ended = "timed out"
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    return {
        "ended": ended,
        "status": exit_codes.get(command[-1], process.returncode),
        "stdout": base64.b64encode(out[:keep]).decode(),
        "stderr": base64.b64encode(err[:keep]).decode(),
        "truncated": max(len(out), len(err)) > keep,
        "left": 0,
        "milliseconds": int((time.monotonic() - began) * 1000),
    }
