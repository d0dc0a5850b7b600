"""Key files that recovery reads at each use: a pipe holds nobody, and what others can read is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recovery.errors import LoginFailed, UsageError
from recovery.model import Credential
from recovery.transports.ssh.login import load_key
from recovery.transports.winrm.wire import certificate_file


def credential(method: str, path: Path) -> Credential:
    """One whose key stays in a file."""
    return Credential("mail", "recovery", method, private_key_file=str(path))


@pytest.mark.parametrize("kind", ["pipe", "open", "long", "missing"])
def test_a_file_that_can_be_no_key_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    if kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind != "missing":
        path.write_text("x" * (70_000 if kind == "long" else 10))
        path.chmod(0o644 if kind == "open" else 0o600)
    told = {
        "pipe": f"credential mail: key file {path} is not a plain file",
        "open": f"credential mail: key file {path} is open to group or others (mode 0644); "
        f"run: chmod 600 {path}",
        "long": f"credential mail: key file {path} is longer than 65536 bytes: it is some other file",
        "missing": f"credential mail: key file {path}: No such file or directory",
    }
    with pytest.raises(LoginFailed) as ssh:
        load_key(credential("ssh-key", path))
    assert str(ssh.value) == told[kind]
    with pytest.raises(UsageError) as winrm, certificate_file(credential("winrm-certificate", path)):
        pass
    missing = f"credential mail: there is no key file {path}"
    assert str(winrm.value) == (missing if kind == "missing" else told[kind])


def test_a_key_file_never_touches_a_disk_again(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("a made-up one")
    path.chmod(0o600)
    with certificate_file(credential("winrm-certificate", path)) as opened:
        assert opened.startswith("/proc/self/fd/")
        assert Path(opened).read_text() == "a made-up one"
