"""Starts programs as the engine's user, and asks the engine's own verifier."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imap4.monitor.engines import facts
from imap4.monitor.setup.disk import group_of
from imap4.monitor.setup.engines import Engine
from imap4.monitor.trouble import Trouble

_PATIENCE = 300.0
"""Seconds that the verifier gets: a large site's configuration takes a minute."""


def settings(user: pwd.struct_passwd, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What ``subprocess`` is given to start something as ``user``, with an environment of its own."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        "ICINGA2_USER": user.pw_name,
        "ICINGA2_GROUP": group_of(user),
        **(more or {}),
    }
    given: dict[str, Any] = {"env": environment, "cwd": "/", "stdin": subprocess.DEVNULL}
    if os.geteuid() == 0 and user.pw_uid != 0:
        given |= {
            "user": user.pw_uid,
            "group": user.pw_gid,
            "extra_groups": os.getgrouplist(user.pw_name, user.pw_gid),
        }
    return given


def folder_for(user: pwd.struct_passwd) -> Path:
    """A new folder in the system's one for temporary files, for ``user`` alone."""
    # Not $TMPDIR, which may be root's alone; and where scripts can be run, which some forbid in /tmp.
    places = ("/tmp", "/var/tmp", "/var/lib")  # noqa: S108 - a new name, made in one step
    runs = [each for each in places if not os.statvfs(each).f_flag & os.ST_NOEXEC]
    folder = Path(tempfile.mkdtemp(prefix="imap4-monitor-", dir=(runs or places)[0]))
    if os.geteuid() == 0:
        # Nobody but root can have put anything in its place: /tmp is sticky, and the name is new.
        os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return folder


def verify(engine: Engine) -> str:
    """What the engine's own verifier has against its configuration; empty where it takes it.

    Raises:
        Trouble: the verifier cannot be run.
    """
    cache = folder_for(engine.user)
    try:
        if engine.name == facts.ICINGA2:
            command = [engine.program, "daemon", "-C", "-c", str(engine.main_file), "-D", f"CacheDir={cache}"]
        else:
            command = [engine.program, "-v", str(engine.main_file)]
        ended = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            **settings(engine.user),
        )
    except OSError as error:
        raise Trouble(f"setup: {engine.program}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Trouble(f"setup: {' '.join(command)} took longer than {_PATIENCE:g} s") from None
    finally:
        subprocess.run(["rm", "-rf", str(cache)], **settings(engine.user))
        if cache.exists():
            os.rmdir(cache)
    if ended.returncode == 0:
        return ""
    lines = ended.stdout.decode(errors="replace").splitlines()
    signs = ("critical/", "Error:", "error:", "Error in")
    wrong = [line.strip() for line in lines if any(sign in line for sign in signs)]
    told = "\n".join(wrong[:12] or lines[-5:]) or f"nothing, and ended with {ended.returncode}"
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in told)
