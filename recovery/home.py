"""The monitoring host's one home: the store and the history that everybody who runs the command shares.

There is one, so that one lock and one set of limits hold for each machine, whoever asks. Another is used
only where somebody names it. It belongs to the engine's user: root makes it for that user, and works in it
as them.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from recovery import paths
from recovery.caller import name_of
from recovery.errors import UsageError

ENGINE_USERS = ("nagios", "naemon", "icinga")
"""As whom packaged engines run. Debian's Icinga 2 runs as nagios, too."""

_ANOTHER = "or name files of your own with --credentials, --key and --state-folder"


def is_home(folder: Path) -> bool:
    """Whether it is one of the two folders of the home."""
    return folder in (paths.SYSTEM_CONFIGURATION, paths.SYSTEM_STATE)


def refuse_others(folder: Path, access: int) -> None:
    """Tell a user who may not use the home what to do; nothing for root, and for folders that were named.

    Args:
        access: what is wanted of the folder, as os.access has it.

    Raises:
        UsageError: it is another user's, or not there and not this user's to make.
    """
    if os.geteuid() == 0 or not is_home(folder) or os.access(folder, access, effective_ids=True):
        return
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        raise UsageError(
            f"{folder} is not there yet, and only root can make it: run this as root once, {_ANOTHER}"
        ) from None
    except OSError as error:
        raise UsageError(f"{folder} cannot be used: {error.strerror}; run this as root, {_ANOTHER}") from None
    name = name_of(owner)
    if owner == 0:
        remedy = f"give it to the engine's user, as root: chown -R USER {folder}"
    else:
        remedy = f"run this as that user (sudo -u {name} imap4-recovery ...) or as root"
    raise UsageError(f"{folder} belongs to user {name}: {remedy}, {_ANOTHER}")


def give_to_engine(folder: Path) -> None:
    """Root has just made ``folder`` of the home: give it to the engine's user, if it is plain who that is."""
    here = [user for user in ENGINE_USERS if _exists(user)]
    if len(here) == 1:
        user = pwd.getpwnam(here[0])
        os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
        _say(f"made {folder} for user {here[0]}, as whom the engine runs")
        return
    several = f"{' and '.join(here)} are both here" if here else f"there is none of {', '.join(ENGINE_USERS)}"
    _say(f"made {folder} for root alone ({several}); for the engine: chown -R USER {folder}")


def told(found: paths.Paths) -> str:
    """Which files are in use, and whose they are."""
    parts = [f"store {found.credentials}", f"key {found.key}", f"history {found.state}"]
    try:
        parts.append(f"of user {name_of(found.state.stat().st_uid)}")
    except OSError:
        parts.append("not made yet")
    return ", ".join(parts)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _say(text: str) -> None:
    print(f"imap4-recovery: {text}", file=sys.stderr)
