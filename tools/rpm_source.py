"""What ``rpmbuild`` makes our RPM of: the staged tree, the list of its files, and the spec, filled in.

Usage: rpm_source.py FOLDER
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools import staging  # noqa: E402 - the checkout is not installed
from tools.commit import commit_of, epoch_of, version_of  # noqa: E402

NAME = "check-imap4"
_SHARED = {
    *("etc", "usr", "lib", "usr/bin", "usr/lib", "usr/lib64", "usr/share", "usr/lib/systemd"),
    *("usr/lib/systemd/system", "usr/lib/tmpfiles.d", "usr/share/man", "usr/share/man/man1", "usr/share/doc"),
    *("usr/share/bash-completion", "usr/share/bash-completion/completions", "usr/share/zsh"),
    *("usr/share/zsh/site-functions", "usr/share/fish", "usr/share/fish/vendor_completions.d"),
    *("usr/lib64/nagios", "usr/lib64/nagios/plugins", "etc/nagios", "etc/nagios/objects"),
    *("usr/share/icinga2", "usr/share/icinga2/include", "usr/share/icinga2/include/plugins-contrib.d"),
    "usr/share/licenses",
}
"""Folders that are other packages' too."""


def prepare(folder: Path) -> None:
    """Lay everything out in ``folder``."""
    staging.bundle(folder / "stage", NAME, staging.REDHAT)
    top = folder / "stage" / NAME
    documents = top / "usr/share/doc" / NAME
    documents.mkdir(parents=True)
    for name in ("README.md", "SECURITY.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, documents)
    shutil.copytree(ROOT / "docs", documents / "docs")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "contrib", documents / "examples", ignore=ignored)
    licence = top / "usr/share/licenses" / NAME
    licence.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", licence)
    tmpfiles = top / "usr/lib/tmpfiles.d"
    tmpfiles.mkdir(parents=True)
    shutil.copy(ROOT / "packaging/debian/imap4-monitor.tmpfiles", tmpfiles / f"{NAME}.conf")
    moment = epoch_of(ROOT)
    for path in (top, *top.rglob("*")):
        os.utime(path, (moment, moment), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    (folder / "files").write_text("".join(_listed(top)))
    (folder / f"{NAME}.spec").write_text(_spec(moment))
    (folder / "build.env").write_text(f"SOURCE_DATE_EPOCH={moment}\n")


def _listed(top: Path) -> list[str]:
    """The lines of %files; folders that are ours alone go with the package."""
    lines = ["%defattr(-,root,root,-)\n"]
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if path.is_dir() and not path.is_symlink():
            if name not in _SHARED:
                lines.append(f'%dir "/{name}"\n')
        elif name.startswith("etc/"):
            lines.append(f'%config(noreplace) "/{name}"\n')
        else:
            lines.append(f'"/{name}"\n')
    return lines


def _spec(moment: int) -> str:
    commit = commit_of(ROOT)
    digits, _, dirty = commit.partition(".")
    stamp = time.strftime("%Y%m%d%H%M", time.gmtime(moment))
    release = f"0.{stamp}git{digits[:7]}{'.dirty' * bool(dirty)}" if commit else "1"
    text = (ROOT / "packaging" / "rpm" / f"{NAME}.spec").read_text()
    for blank, value in (
        ("@VERSION@", version_of(ROOT)),
        ("@RELEASE@", release),
        ("@ARCH@", platform.machine()),
        ("@PYTHON@", staging.system_python().name),
    ):
        text = text.replace(blank, value)
    return text


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
