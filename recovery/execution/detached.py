"""Goes on in the background where the engine would kill what takes long.

Nagios kills a notification's process group after 30 s, Icinga after 60 s; a child that keeps a stream open
is waited for. So the recovery gets a session of its own and all three streams on /dev/null. Stopping the
engine's systemd unit (``KillMode=mixed``) would kill even that: there, ``systemd-run`` starts it in a unit
of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_HANDED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH"),
    *("CREDENTIALS_DIRECTORY", "SSH_AUTH_SOCK"),
    *("IMAP4_RECOVERY_CREDENTIALS", "IMAP4_RECOVERY_KEY", "IMAP4_RECOVERY_STATE"),
    # Where the end is reported: names of files and of a user, no secret.
    *("IMAP4_NAGIOS_COMMAND_FILE", "IMAP4_ICINGA_API", "IMAP4_ICINGA_USER", "IMAP4_ICINGA_PASSWORD_FILE"),
    *("IMAP4_ICINGA_CA_FILE", "IMAP4_ICINGA_SERVER_NAME"),
)
_SYSTEMD_RUN_WAIT = 10.0


def own_command(arguments: Sequence[str], number: int) -> list[str]:
    """The command that runs this program again, to take over recovery ``number``.

    Args:
        arguments: those of this process, with the action first.
    """
    # With the interpreter's own options (-I, -m recovery), which sys.argv does not have.
    program = sys.orig_argv[1 : len(sys.orig_argv) - len(arguments)]
    return [sys.executable, *program, arguments[0], "--continue", str(number), *arguments[1:]]


def start(command: Sequence[str], number: int) -> str:
    """Start ``command`` so that it outlives the engine's time-out, and say how.

    Raises:
        OSError: no process could be started.
    """
    unit = unit_of(_read("/proc/self/cgroup"))
    note = ""
    if unit and Path("/run/systemd/system").exists():
        problem = _systemd_run(command, number)
        if not problem:
            return "in a systemd unit of its own"
        note = f"; systemd-run failed ({problem}), so stopping {unit} would kill it"
    null = subprocess.DEVNULL
    subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True, close_fds=True)
    return f"in a session of its own{note}"


def unit_of(cgroups: str) -> str:
    """The systemd service that a process belongs to, by its /proc/PID/cgroup; empty for a login session
    and where there is none."""
    for line in cgroups.splitlines():
        number, controllers, path = ([*line.split(":", 2), "", ""])[:3]
        if (number == "0" or controllers == "name=systemd") and path.endswith(".service"):
            return path.rpartition("/")[2]
    return ""


def systemd_run_command(
    command: Sequence[str], number: int, environ: Mapping[str, str], user_manager: bool
) -> list[str]:
    """``systemd-run`` with what the command needs. Values of variables stay off the command line."""
    owner = ["--user"] if user_manager else [f"--uid={os.getuid()}", f"--gid={os.getgid()}"]
    return [
        # --collect: a unit that failed is forgotten too, so that nobody must reset it (systemd-run(1)).
        *("systemd-run", "--quiet", "--collect", "--no-ask-password", "--same-dir", *owner),
        *(f"--unit=imap4-recovery-{number}-{os.getpid()}", f"--description=check_imap4 recovery {number}"),
        *("--property=StandardOutput=null", "--property=StandardError=null"),
        *(f"--setenv={name}" for name in _HANDED_ON if name in environ),
        *("--", *command),
    ]


def _systemd_run(command: Sequence[str], number: int) -> str:
    """Start it with systemd-run; returns the problem, empty where there was none."""
    runtime = f"/run/user/{os.getuid()}"
    user_manager = os.getuid() != 0 and Path(runtime, "systemd/private").exists()
    environ = os.environ | ({"XDG_RUNTIME_DIR": runtime} if user_manager else {})
    try:
        done = subprocess.run(
            systemd_run_command(command, number, environ, user_manager),
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SYSTEMD_RUN_WAIT,
        )
    except FileNotFoundError:
        return "it is not installed"
    except subprocess.TimeoutExpired:
        return f"no answer in {_SYSTEMD_RUN_WAIT:.0f} s"
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
