"""A folder in which ``dpkg-buildpackage -b`` makes our packages.

Usage: debian_source.py native|bundle FOLDER

The native pair is for Debian 13 and what follows it, whose own libraries do; the bundle for Debian 12.
"""

from __future__ import annotations

import email.utils
import importlib.metadata
import os
import re
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools import staging  # noqa: E402 - the checkout is not installed
from tools.commit import commit_of, epoch_of, version_of  # noqa: E402

BUNDLE = "check-imap4-bundle"
_DOCUMENTS = ("CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "docs", "contrib", "packaging")


def debian_version() -> str:
    """A release's own; any other build sorts before the release that it becomes, by its moment.

    The revision sorts before Debian's first, as those of other distributions do.
    """
    version, commit = version_of(ROOT), commit_of(ROOT)
    digits, _, dirty = commit.partition(".")
    moment = time.strftime("%Y%m%d%H%M", time.gmtime(epoch_of(ROOT)))
    return (f"{version}~git{moment}.{digits[:7]}{'+' * bool(dirty)}" if commit else version) + "-0upstream1"


def prepare(kind: str, folder: Path) -> None:
    """Lay out the sources, the staged trees and ``debian/`` in ``folder``, which is made."""
    folder.mkdir(parents=True)
    for name in _DOCUMENTS:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder)
    debian = folder / "debian"
    shutil.copytree(ROOT / "packaging" / "debian", debian)
    staged = folder / "stage"
    if kind == "native":
        staging.native(staged)
        source = "check-imap4"
    else:
        staging.bundle(staged)
        source = BUNDLE
        _turn_into_bundle(debian, staged / BUNDLE / staging.ENVIRONMENT)
    (debian / "changelog").write_text(_changelog(source, _maintainer(debian / "control")))
    moment = epoch_of(ROOT)
    for path in (folder, *folder.rglob("*")):
        # When the checkout was made says nothing: the same commit makes the same packages.
        os.utime(path, (moment, moment), follow_symlinks=False)


def _maintainer(control: Path) -> str:
    """Who answers for the packages; whoever builds their own says so by the variables of debchange(1)."""
    text = control.read_text()
    found = re.search(r"^Maintainer: (.*) <(.*)>$", text, re.MULTILINE)
    assert found
    name, mail = (os.environ.get("DEBFULLNAME") or found[1], os.environ.get("DEBEMAIL") or found[2])
    told = " ".join(f"{name} <{mail}>".split())
    control.write_text(text.replace(f"{found[1]} <{found[2]}>", told))
    return told


def _turn_into_bundle(debian: Path, environment: Path) -> None:
    """The bundle is what the pair is, in one package, and has libraries to account for."""
    for path in debian.glob("check-imap4.*"):
        path.unlink()
    for path in debian.glob("imap4-monitor.*"):
        path.rename(debian / path.name.replace("imap4-monitor", BUNDLE))
    prerm = debian / f"{BUNDLE}.prerm"
    # What the pair has of dh_python3, which knows no such environment.
    clean = f"py3clean -p {BUNDLE}\n\n#DEBHELPER#"
    prerm.write_text(prerm.read_text().replace("#DEBHELPER#", clean))
    for path in (ROOT / "packaging" / "bundle").iterdir():
        shutil.copy(path, debian)
    control = (debian / "control").read_text().replace("@PYTHON@", staging.system_python().name)
    (debian / "control").write_text(control)
    with (debian / "copyright").open("a") as file:
        file.write(_libraries(environment))


def _libraries(environment: Path) -> str:
    """What the libraries' own metadata say of their licences, for debian/copyright."""
    (site,) = (environment / "lib").glob("python3.*/site-packages")
    told = []
    for library in sorted(importlib.metadata.distributions(path=[str(site)]), key=lambda each: each.name):
        if library.name == "check-imap4" or library.name == "check_imap4":
            continue
        found = library.metadata
        licence = _first(found, "License-Expression", "License") or "see-its-texts"
        name = re.sub(r"[^A-Za-z0-9.+-]+", "-", licence.splitlines()[0])[:60].strip("-")
        where = f"/{staging.ENVIRONMENT}/lib/{site.parent.name}/site-packages"
        whose = _first(found, "Author", "Author-email") or f"the authors of {library.name}"
        told.append(
            f"\nFiles: {where[1:]}/{library.name.replace('-', '_')}*\n"
            f"Copyright: {' '.join(whose.split())}\n"
            f"License: {library.name}-{name}\n"
            f" {library.name} {library.version}: its texts are in {where}, in the folder\n"
            f" that begins with its name and ends with .dist-info.\n"
        )
    return "".join(told)


def _first(metadata: importlib.metadata.PackageMetadata, *names: str) -> str:
    return next((text for name in names for text in metadata.get_all(name) or () if text), "")


def _changelog(source: str, maintainer: str) -> str:
    """debian/changelog(5) with the one entry that a build has."""
    when = email.utils.formatdate(epoch_of(ROOT)).replace("-0000", "+0000")
    return (
        f"{source} ({debian_version()}) unstable; urgency=medium\n\n"
        f"  * What has changed is told in changelog.gz.\n\n"
        f" -- {maintainer}  {when}\n"
    )


if __name__ == "__main__":
    prepare(sys.argv[1], Path(sys.argv[2]))
