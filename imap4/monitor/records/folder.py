"""The folder that tests are recorded in, as the doctor sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from imap4.monitor.findings import Finding
from imap4.monitor.model import Monitor


def examine(folder: str, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    """Whether tests can be recorded; nothing where no monitor wants it.

    Seen as the user who runs this: the engine's user is the one that counts.
    """
    if not folder or not any(monitor.statistics for monitor in monitors):
        return
    make = f"install -d -o USER -g GROUP -m 2755 {folder}, with the engine's user and group (nagios, naemon)"
    lost = "tests go on, but nothing is recorded: reports will show no data"
    try:
        found = os.stat(folder)
    except FileNotFoundError:
        yield Finding(False, f"{folder} (records of tests) is not there", lost, make)
        return
    except OSError as error:
        yield Finding(False, f"{folder} (records of tests): {error.strerror}", lost, make)
        return
    others = found.st_mode & 0o022 or found.st_uid != 0
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK) or not others:
        yield Finding(False, f"{folder} (records of tests) is not writable for the engine", lost, make)
    elif found.st_mode & 0o002:
        why = "everybody can put tests there that never were"
        yield Finding(
            False, f"{folder} (records of tests) is writable for everybody", why, f"chmod o-w {folder}"
        )
    else:
        yield Finding(True, f"{folder} (records of tests) is writable")
