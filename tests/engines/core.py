"""Which core the tests run: Debian's Nagios, or any build of Nagios Core 4 or Naemon that a variable names.

``IMAP4_TEST_CORE=/opt/naemon/bin/naemon`` is taken for a Naemon by its name; ``IMAP4_TEST_CORE_KIND`` says so
where the name does not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

PROGRAM = (
    os.environ.get("IMAP4_TEST_CORE")
    or shutil.which("nagios4", path="/usr/sbin:/usr/bin")
    or "/usr/sbin/nagios4"
)
NAME = Path(PROGRAM).name
KIND = os.environ.get("IMAP4_TEST_CORE_KIND") or ("naemon" if "naemon" in NAME else "nagios")
IS_NAEMON = KIND == "naemon"

# Naemon refuses root's rights unless it is told.
COMMAND = [PROGRAM, *(["--allow-root"] if IS_NAEMON and os.geteuid() == 0 else [])]
WORKER = [*COMMAND, "--worker"]

MAIN = "naemon_user={user}\ncached_service_check_horizon=0\n" if IS_NAEMON else ""
"""More lines of a main file, to be formatted with the user."""


def keeps_recoveries() -> bool:
    """Whether the core sends later a recovery notification that it may not send now: Nagios since 4.5.7."""
    said = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, timeout=20).stdout
    found = re.search(r"Nagios Core (\d+)\.(\d+)\.(\d+)", said)
    return found is not None and tuple(map(int, found.groups())) >= (4, 5, 7)
