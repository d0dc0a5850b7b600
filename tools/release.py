"""``make release``: all that a release consists of, built from the commit alone, and the sums of it.

Usage: release.py FOLDER

The commit is taken out of git, so that nothing of this checkout, its owner or its umask gets in: the same
commit makes the same bytes. What is no release (see tools/commit.py) can be built too, and tells its commit.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools.commit import commit_of, epoch_of, version_of, write_commit  # noqa: E402 - not installed
from tools.hand_over import hand_over  # noqa: E402


def build(work: Path, *, debian: bool = True) -> list[Path]:
    """Build everything below ``work``.

    Args:
        debian: the Debian packages of this Debian too.

    Raises:
        SystemExit: something is changed in the checkout, or a build fails.
    """
    commit, moment = commit_of(ROOT), epoch_of(ROOT)
    if not (ROOT / ".git").exists() or commit.endswith(".dirty"):
        raise SystemExit("make release: commit your changes first: what is built is the commit")
    os.umask(0o022)
    os.environ.update(SOURCE_DATE_EPOCH=str(moment), TZ="UTC", PYTHONHASHSEED="0", LC_ALL="C.UTF-8")
    source, made = work / "source", work / "made"
    _export(source, commit, moment)
    made.mkdir()
    _run(sys.executable, "-m", "build", "--outdir", str(made), str(source))
    _same_archive(made / f"check_imap4-{version_of(ROOT)}.tar.gz", moment)
    _one_file(source, made / "check_imap4.pyz", work)
    if debian:
        _run(str(source / "tools" / "make-deb"), str(made), sys.executable)
    (made / "constraints.txt").write_bytes((source / "constraints.txt").read_bytes())
    files = sorted(made.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (made / "SHA256SUMS").write_text(sums)
    return [*files, made / "SHA256SUMS"]


def _export(source: Path, commit: str, moment: int) -> None:
    """The commit's files, which know their commit."""
    source.mkdir()
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "-c", "tar.umask=0022"]
    archive = subprocess.run([*git, "archive", "HEAD"], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(source, filter="tar")
    write_commit(source / "imap4" / "__init__.py", commit)
    for path in (*source.rglob("*"), source):
        os.utime(path, (moment, moment), follow_symlinks=False)


def _same_archive(path: Path, moment: int) -> None:
    """Write the source archive anew: sorted, of nobody's, of one moment."""
    with tarfile.open(path) as old:
        members = sorted(old.getmembers(), key=lambda each: each.name)
        contents = [(each, old.extractfile(each)) for each in members]
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as new:
            for member, content in contents:
                member.uid = member.gid = 0
                member.uname = member.gname = "root"
                member.mtime = moment
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                member.pax_headers = {}
                new.addfile(member, content)
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=moment) as packed:
        packed.write(plain.getvalue())


def _one_file(source: Path, output: Path, work: Path) -> None:
    """The one-file plugin, of the two libraries that constraints.txt pins."""
    pinned = (source / "constraints.txt").read_text()
    wanted = re.findall(r"^(?:nagiosplugin|idna)==[^\n]*\\\n(?:    --hash=[^\n]*\n)+", pinned, re.MULTILINE)
    assert len(wanted) == 2, wanted
    (work / "one-file.txt").write_text("".join(wanted))
    venv = work / "one-file"
    _run(str(source / "tools" / "make-venv"), str(venv), "--require-hashes", "-r", str(work / "one-file.txt"))
    _run(str(venv / "bin" / "python"), "-B", str(source / "tools" / "pyz.py"), str(output))


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}\n{ended.stdout[-3000:]}{ended.stderr[-3000:]}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="check_imap4-release-") as folder:
        hand_over(Path(sys.argv[1]).absolute(), build(Path(folder)))
