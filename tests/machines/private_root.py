"""This machine's own root folder, with all that is written in it going to memory, and gone afterwards.

So programs that make folders in /etc and /var run as they are, on real paths, beside the real engines.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

# In a mount namespace of its own, which ends with this process; it says "ready", and waits for its end.
_HOLD = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 imap4-test "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay imap4-test -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
echo ready
if [ -n "$3" ]; then ip link set lo up; fi
exec sleep infinity
"""


def why_no_private_root() -> str:
    """Why none can be made here; empty where it can."""
    return "" if os.geteuid() == 0 and shutil.which("unshare") else "only root can mount"


class PrivateRoot:
    """``with`` it, it is there."""

    def __init__(self, folder: Path, lower: Path = Path("/"), network: bool = False) -> None:
        """
        Args:
            folder: an empty one, which is the mount point.
            lower: what it shows until something is written: this machine, or a Debian tree.
            network: this machine's. Without it, it has a loopback of its own, and nothing else.
        """
        self.folder = folder
        self.root = folder / "root"
        """Only :meth:`run` sees what is below it."""
        own = [] if network else ["--net"]
        words = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", *own, "sh", "-c", _HOLD, "sh"]
        self._enter = ["-m", *([] if network else ["-n"])]
        self._holder = subprocess.Popen(
            [*words, str(folder), str(lower), *own], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )

    def __enter__(self) -> PrivateRoot:
        assert self._holder.stdout
        assert self._holder.stdout.readline() == b"ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout:
            self._holder.stdout.close()

    def command(self, *words: str) -> list[str]:
        """What runs ``words`` there."""
        return ["nsenter", "-t", str(self._holder.pid), *self._enter, "chroot", str(self.root), *words]

    def run(
        self, *words: str, stdin: str = "", timeout: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program there as root, with an environment of its own."""
        return subprocess.run(
            self.command(*words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={
                "PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C.UTF-8",
                "HOME": "/root",
                **environment,
            },
        )

    def open_to_all(self) -> None:
        """Let every user of it run our programs, wherever this checkout and its Python are."""
        inside = [TOP, BIN, Path(sys.executable).resolve(), Path(sys.base_prefix)]
        above = sorted({str(folder) for path in inside for folder in [path, *path.parents]})
        self.shell(f"chmod go+x {shlex.join(above)}")

    def shell(self, script: str) -> str:
        """What a script prints there; it must end well."""
        ended = self.run("sh", "-ec", script)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout
