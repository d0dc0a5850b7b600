"""What root built lies in somebody's folder as theirs, and no link there leads root elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import THEIR_USER
from tools.hand_over import hand_over


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work in another user's folder")
def test_files_are_the_folders_owners_and_replace_links(their_folder: Path, tmp_path: Path) -> None:
    os.chown(their_folder, THEIR_USER, THEIR_USER)
    built, target = tmp_path / "x.deb", tmp_path / "roots"
    built.write_bytes(b"new")
    target.write_bytes(b"old")
    folder = their_folder / "dist" / "deep"
    hand_over(folder, [built])
    (folder / "x.deb").unlink()
    (folder / "x.deb").symlink_to(target)
    hand_over(folder, [built])
    assert target.read_bytes() == b"old"
    assert not (folder / "x.deb").is_symlink()
    assert (folder / "x.deb").read_bytes() == b"new"
    assert {path.lstat().st_uid for path in their_folder.rglob("*")} == {THEIR_USER}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work in another user's folder")
def test_a_folder_that_leads_elsewhere_is_refused_as_its_owner_would_be(
    their_folder: Path, tmp_path: Path
) -> None:
    roots = tmp_path / "roots"
    roots.mkdir(mode=0o700)
    (tmp_path / "x.deb").write_bytes(b"new")
    os.chown(their_folder, THEIR_USER, THEIR_USER)
    (their_folder / "dist").symlink_to(roots)
    os.chown(their_folder / "dist", THEIR_USER, THEIR_USER, follow_symlinks=False)
    with pytest.raises(OSError, match="Permission denied"):
        hand_over(their_folder / "dist", [tmp_path / "x.deb"])
    assert list(roots.iterdir()) == []
