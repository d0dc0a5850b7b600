"""What setup.cfg cannot say: a build leaves nothing in the checkout, finds nothing of an older one, and tells
its commit where it is no release.

setuptools builds into ``build/lib`` and never removes what is there, so that after ``git pull`` a module that
is gone would be installed again; and root's build would leave root's files in somebody's checkout.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).absolute().parent
sys.path.insert(0, str(ROOT))

from tools.commit import commit_of, write_commit  # noqa: E402 - the checkout is not installed

COMMIT = commit_of(ROOT)


class BuildWithCommit(build_py):  # type: ignore[misc, unused-ignore] # setuptools may carry no annotations
    """Builds, and writes the commit into what was built."""

    def run(self) -> None:
        """Not where it is installed editable: the checkout goes on, and the commit with it."""
        super().run()
        if not self.editable_mode:
            write_commit(Path(self.build_lib) / "imap4" / "__init__.py", COMMIT)


class SourceWithCommit(sdist):  # type: ignore[misc, unused-ignore]
    """Collects the files, and writes the commit into their copy."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """``files``, as the checkout has them, in the folder ``base_dir``."""
        super().make_release_tree(base_dir, files)
        write_commit(Path(base_dir) / "imap4" / "__init__.py", COMMIT)


with tempfile.TemporaryDirectory(prefix="check_imap4-build-") as folder:
    setup(
        options={"build": {"build_base": folder}},
        cmdclass={"build_py": BuildWithCommit, "sdist": SourceWithCommit},
    )

if os.geteuid() == 0:
    owner = ROOT.stat()
    for path in ROOT.glob("*.egg-info/**/*"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    for path in ROOT.glob("*.egg-info"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
