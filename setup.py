"""What setup.cfg cannot say: a build leaves nothing in the checkout, and finds nothing of an older one.

setuptools builds into ``build/lib`` and never removes what is there, so that after ``git pull`` a module that
is gone would be installed again; and root's build would leave root's files in somebody's checkout.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).absolute().parent

with tempfile.TemporaryDirectory(prefix="check_imap4-build-") as folder:
    setup(options={"build": {"build_base": folder}})

if os.geteuid() == 0:
    owner = ROOT.stat()
    for path in ROOT.glob("*.egg-info/**/*"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    for path in ROOT.glob("*.egg-info"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
