"""The programs that a configuration names: where they are, and whether the engine's user can run them."""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from imap4 import VERSION
from imap4.monitor.findings import Finding

PLUGIN_FOLDERS = ("/usr/lib/nagios/plugins", "/usr/lib64/nagios/plugins", "/usr/lib/monitoring-plugins")
"""Where distributions keep plugins; a packaged check_imap4 is there, and not beside the other programs."""
UNITS = ("imap4-worker.service", "imap4-sweep.service")
UNIT_FOLDERS = (
    *("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"),
    *("/usr/lib/systemd/system", "/lib/systemd/system"),
)
"""Where systemd looks for units, the first first (systemd.unit(5))."""
_PATIENCE = 20.0
"""Seconds that a program gets to tell its version."""


def beside(name: str, started: str | None = None) -> str:
    """The path of a program of ours: beside the one that runs (``started``, else ``sys.argv[0]``).

    Where it is not there, a plugin is looked for in the distributions' folders. Where it is nowhere, the path
    is the one that it would have beside this program.
    """
    this = Path(started or sys.argv[0]).absolute()
    folders = [this.parent] if this.suffix != ".py" else []
    # A link in /usr/local/bin leads to the environment's folder; python -m has no program of its own.
    folders += [this.resolve().parent] if folders else []
    folders.append(Path(sys.executable).absolute().parent)
    wanted = [folder / name for folder in folders]
    if name == "check_imap4":
        public = [Path(folder) / name for folder in PLUGIN_FOLDERS]
        wanted += public
    else:
        public = []
    found = next((path for path in wanted if os.path.isfile(path)), wanted[0])
    # A package's link in the plugins' folder stays where it is when what it leads to moves.
    return str(next((path for path in public if path.resolve() == found.resolve()), found))


def trouble(path: str, user: pwd.struct_passwd | None = None) -> str | None:
    """Why a user (None: any but root) cannot run the program, from modes alone; None where nothing is seen.

    Links and a script's interpreter are followed: a virtual environment's Python is often in somebody's home.
    Access lists and security modules are not looked at.
    """
    if not Path(path).is_absolute():
        return "is not an absolute path"
    why = _blocked(Path(path), user) or _blocked(Path(path).resolve(), user)
    if why or not Path(path).is_file():
        return why or "is not a file"
    interpreter = _interpreter(path)
    if interpreter:
        why = _blocked(Path(interpreter), user) or _blocked(Path(interpreter).resolve(), user)
    return f"its interpreter {interpreter}: {why}" if why else None


def _interpreter(script: str) -> str | None:
    """The program after ``#!``; None where there is none that can be looked at."""
    try:
        with open(script, "rb") as file:
            found = re.match(rb"#!\s*(/\S+)", file.readline(512))
    except OSError:
        return None
    if found and found[1] == b"/bin/sh":
        # Ours are started by the shell, with the Python that lies beside them.
        python = Path(script).resolve().parent / "python3"
        return str(python) if os.path.lexists(python) else "/bin/sh"
    return os.fsdecode(found[1]) if found else None


def _blocked(program: Path, user: pwd.struct_passwd | None) -> str | None:
    """What is in the way to one file, and on the file itself."""
    groups = os.getgrouplist(user.pw_name, user.pw_gid) if user else []
    for folder in [*reversed(program.parents), program]:
        try:
            found = folder.stat()
        except OSError as error:
            return f"{error.strerror}" if folder == program else f"{folder}: {error.strerror}"
        if user and user.pw_uid == 0:
            may = folder != program or bool(found.st_mode & 0o111)
        elif user and found.st_uid == user.pw_uid:
            may = bool(found.st_mode & stat.S_IXUSR)
        elif found.st_gid in groups:
            may = bool(found.st_mode & stat.S_IXGRP)
        else:
            may = bool(found.st_mode & stat.S_IXOTH)
        if not may:
            who = user.pw_name if user else "the engine's user"
            return f"{who} may not {'run it' if folder == program else f'go through {folder}'}"
    return None


def _account(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        return None


def examine_user(user: str) -> Iterator[Finding]:
    """Whether this runs as somebody who can tell what the engine's user may do; nothing where it does."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() != 0 and user and me != user:
        why = "what the engine may read, write and run was not tried as its user"
        yield Finding(
            False, f"this runs as {me}, and the engine as {user}", why, f"run it as {user}, or as root"
        )


def examine(option: str, name: str, path: str, user: str) -> Finding:
    """Whether the engine's user can run the program, and whether it is of this version.

    As root, it is run as that user; as anybody else, only its mode is looked at before it is run.

    Args:
        option: what gives the right path, for the remedy.
        user: the engine's; empty where it is not known.
    """
    account = _account(user) if user else None
    if user and account is None:
        remedy = "create the user, or correct the engine's setting"
        return Finding(False, f"{path}: there is no user {user} to run it", "the engine runs as it", remedy)
    why = trouble(path, account)
    remedy = f"install it, with a Python, where the engine's user can run it; or give its path with {option}"
    if why:
        return Finding(False, f"{path} cannot be run: {why}", f"it is {name}, which the engine runs", remedy)
    said = _version(path, account)
    title = f"{path} is {name} {VERSION}"
    if said == f"{name} {VERSION}":
        whose = f", and {user} can run it" if account else ""
        return Finding(True, title + whose)
    return Finding(False, f"{path} is not {name} {VERSION}", f"it says: {said}", remedy)


def said(command: list[str], pattern: str, seconds: float = _PATIENCE) -> re.Match[str] | None:
    """What of a program's output fits ``pattern``; None where nothing does, or it cannot be run."""
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return re.search(pattern, ended.stdout)


def _version(path: str, account: pwd.struct_passwd | None) -> str:
    """The first line of what the program says about its version, or what went wrong."""
    other = os.geteuid() == 0 and account is not None and account.pw_uid != 0
    groups = os.getgrouplist(account.pw_name, account.pw_gid) if other and account else None
    try:
        ended = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            user=account.pw_uid if other and account else None,
            group=account.pw_gid if other and account else None,
            extra_groups=groups,
        )
    except OSError as error:
        return error.strerror or type(error).__name__
    except subprocess.TimeoutExpired:
        return f"nothing within {_PATIENCE:g} s"
    line = (ended.stdout.decode(errors="replace").strip().splitlines() or ["nothing"])[0]
    return "".join(c if c.isprintable() else "?" for c in line)[:300]


def _settings(unit: Path, folders: Iterable[str]) -> dict[str, str]:
    """ExecStart and User of a unit with its drop-ins, as systemd.unit(5) puts them together."""
    found: dict[str, str] = {}
    drop_ins = {
        path.name: path for folder in folders for path in Path(folder, f"{unit.name}.d").glob("*.conf")
    }
    for path in [unit, *(drop_ins[name] for name in sorted(drop_ins))]:
        for line in path.read_text(errors="replace").splitlines():
            setting = re.match(r"\s*(ExecStart|User)\s*=\s*(.*?)\s*$", line)
            if setting:
                found[setting[1]] = setting[2]
    return found


def examine_units(folders: Iterable[str] = UNIT_FOLDERS) -> Iterator[Finding]:
    """Whether the units of ours that are installed name a program that their user can run."""
    folders = tuple(folders)
    for name in UNITS:
        unit = next((path for folder in folders if os.path.isfile(path := Path(folder, name))), None)
        if unit is None:
            continue
        try:
            settings = _settings(unit, folders)
        except OSError as error:
            yield Finding(False, f"{unit} cannot be read: {error.strerror}", "", "run this as root")
            continue
        words = settings.get("ExecStart", "").lstrip("@-:+!|").split()
        found = examine(
            "ExecStart=", "imap4-worker", words[0].strip("\"'") if words else "", settings.get("User", "")
        )
        remedy = f"systemctl edit {name}, correct ExecStart and User; or install the program there"
        yield Finding(found.ok, f"{unit}: {found.title}", found.why, remedy)
