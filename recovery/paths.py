"""Where the files are: an option, else an environment variable, else the host's one home."""

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

    Without an option or a variable it is the host's one home, whoever asks: see ``recovery.home``.
    """
    named_key = key or environ.get("IMAP4_RECOVERY_KEY")
    handed = environ.get("CREDENTIALS_DIRECTORY")
    from_systemd = not named_key and bool(handed) and os.path.exists(Path(str(handed)) / SYSTEMD_KEY)
    if named_key:
        key_file = Path(named_key)
    elif from_systemd:
        key_file = Path(str(handed)) / SYSTEMD_KEY
    else:
        key_file = SYSTEM_CONFIGURATION / "credentials.key"
    named_store = credentials or environ.get("IMAP4_RECOVERY_CREDENTIALS")
    named_state = state or environ.get("IMAP4_RECOVERY_STATE")
    return Paths(
        Path(named_store) if named_store else SYSTEM_CONFIGURATION / "credentials",
        key_file,
        Path(named_state) if named_state else SYSTEM_STATE,
        from_systemd,
    )
