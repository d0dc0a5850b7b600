"""The status socket: what may be in its place, and whose it is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from imap4.worker.status import listen
from tests.conftest import THEIR_USER


def test_a_file_in_the_sockets_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "status"
    path.write_text("not ours")
    with pytest.raises(OSError, match="something else than a socket is there"):
        listen(str(path))
    assert path.read_text() == "not ours"


def test_a_socket_that_was_left_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "status")
    listen(path).close()
    with listen(path), socket.socket(socket.AF_UNIX) as asker:
        asker.connect(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led into another folder of root's")
def test_root_is_not_led_into_another_folder(their_folder: Path) -> None:
    theirs, roots = their_folder / "theirs", their_folder / "roots"
    theirs.mkdir()
    roots.mkdir()
    (roots / "status").touch()
    os.chown(theirs, THEIR_USER, THEIR_USER)
    listen(str(theirs / "status")).close()
    assert (theirs / "status").stat().st_uid == THEIR_USER
    (theirs / "status").unlink()
    (roots / "status").unlink()
    with socket.socket(socket.AF_UNIX) as of_root:
        of_root.bind(str(roots / "status"))
    (theirs / "sub").symlink_to(roots)
    os.chown(theirs / "sub", THEIR_USER, THEIR_USER, follow_symlinks=False)
    with pytest.raises(PermissionError):
        listen(str(theirs / "sub" / "status"))
    assert (roots / "status").stat().st_uid == 0
