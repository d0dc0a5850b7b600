"""Where the files are: an option, else an environment variable, else the system's or the user's folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_CONFIGURATION = Path("/etc/check_imap4")
SYSTEM_STATE = Path("/var/lib/check_imap4")
SYSTEMD_KEY = "imap4-recovery.key"
"""The key's name in ``$CREDENTIALS_DIRECTORY``: ``LoadCredential=imap4-recovery.key:/etc/...``."""


@dataclass(frozen=True)
class Paths:
    """The three files, and whether systemd handed the key to us."""

    credentials: Path
    key: Path
    state: Path
    """The folder of the history and of the machines' locks."""
    key_from_systemd: bool = False


def find_paths(
    environ: Mapping[str, str],
    *,
    credentials: str | None = None,
    key: str | None = None,
    state: str | None = None,
) -> Paths:
    """Each file's place. Nothing is made or opened.

    The system's folders are taken by root, and by any other user who may use them; everybody else has
    ``~/.config/check_imap4`` and ``~/.local/state/check_imap4`` (XDG Base Directory Specification).
    """
    root = os.geteuid() == 0
    configuration = _user_folder(environ, "XDG_CONFIG_HOME", ".config")
    if root or os.access(SYSTEM_CONFIGURATION, os.R_OK | os.X_OK):
        configuration = SYSTEM_CONFIGURATION
    state_folder = _user_folder(environ, "XDG_STATE_HOME", ".local/state")
    if root or os.access(SYSTEM_STATE, os.W_OK | os.X_OK):
        state_folder = SYSTEM_STATE

    named_key = key or environ.get("IMAP4_RECOVERY_KEY")
    handed = environ.get("CREDENTIALS_DIRECTORY")
    from_systemd = not named_key and bool(handed) and os.path.exists(Path(str(handed)) / SYSTEMD_KEY)
    if named_key:
        key_file = Path(named_key)
    elif from_systemd:
        key_file = Path(str(handed)) / SYSTEMD_KEY
    else:
        key_file = configuration / "credentials.key"
    named_store = credentials or environ.get("IMAP4_RECOVERY_CREDENTIALS")
    named_state = state or environ.get("IMAP4_RECOVERY_STATE")
    return Paths(
        Path(named_store) if named_store else configuration / "credentials",
        key_file,
        Path(named_state) if named_state else state_folder,
        from_systemd,
    )


def _user_folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = environ.get(variable, "")
    # The specification: a relative path in these variables is to be ignored.
    base = Path(named) if named.startswith("/") else Path.home() / below_home
    return base / "check_imap4"
