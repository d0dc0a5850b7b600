"""From what was asked for to what an action does: tokens are filled from the event, files are read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from imap4.tokens import ParsedToken, refuse_parsed
from recovery.actions.verify import parse
from recovery.decision.tokens import fill
from recovery.errors import UsageError
from recovery.requests import ActionRequest, ProcessRequest, ProcessTemplate, RecoveryRequest

_STDIN_LIMIT = 16 * 1024 * 1024


def prepare(request: RecoveryRequest) -> ActionRequest:
    """The action of ``request``, ready to be carried out.

    Raises:
        UsageError: a token is unknown, has no event to be filled from or would be read as code; or
            --stdin-file cannot be read.
    """
    work = request.work
    if not isinstance(work, ProcessTemplate):
        return work
    try:
        refuse_parsed(work.arguments)
    except ParsedToken as error:
        raise UsageError(f"external-process: {error}") from None
    return ProcessRequest(
        fill(work.arguments, request.event),
        work.environment,
        _read_stdin(work.stdin_file) if work.stdin_file else b"",
        work.cwd,
        work.success_exit_status,
        # Nothing is filled in there: what reads it is the program's own affair, and it might read code.
        work.command_line,
    )


def missing_verify(request: RecoveryRequest) -> str:
    """Why the plugin that proves the repair cannot be run here; empty where nothing is seen."""
    if request.verify is None:
        return ""
    program = parse(request.verify)[0]
    if shutil.which(program) is not None:
        return ""
    why = "may not be run by this user" if os.path.exists(program) else "is not there"
    return f"{program} {why}, so that no repair could be proven"


def _read_stdin(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            data = file.read(_STDIN_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"--stdin-file: cannot read {name}: {error.strerror}") from None
    if len(data) > _STDIN_LIMIT:
        raise UsageError(f"--stdin-file: {name} is longer than {_STDIN_LIMIT // 1048576} MiB")
    return data
