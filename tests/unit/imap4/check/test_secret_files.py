"""The check's files with secrets: each obeys the one rule, and says so in one line."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest
import trustme

from check_imap4 import main

HOST = ("-H", "127.0.0.1", "-p", "9", "-t", "5")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A client's certificate and its key."""
    folder = tmp_path_factory.mktemp("pair")
    made = trustme.CA().issue_cert("monitor.example.test")
    made.cert_chain_pems[0].write_to_path(folder / "client.pem")
    made.private_key_pem.write_to_path(folder / "client.key")
    (folder / "client.key").chmod(0o600)
    return folder / "client.pem", folder / "client.key"


def said(*options: str) -> str:
    """The line of wrong use."""
    code, text = main([*HOST, *options])
    assert code == 3
    return text.removeprefix("IMAP4 UNKNOWN - ").rstrip("\n")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620])
def test_a_password_or_a_key_that_others_can_touch_is_refused(
    pair: tuple[Path, Path], tmp_path: Path, mode: int
) -> None:
    certificate, key = pair
    password, open_key = tmp_path / "password", tmp_path / "client.key"
    password.write_text(secrets.token_hex(8) + "\n")
    open_key.write_bytes(key.read_bytes())
    who = "others" if os.geteuid() == 0 else "group or others"
    for path, options in (
        (password, ("--login", "--user", "jane", "--insecure", "--password-file", str(password))),
        (open_key, ("--tls", "--client-cert", str(certificate), "--client-key", str(open_key))),
    ):
        path.chmod(mode)
        told = f"argument {options[-2]}: {path} is open to {who} (mode {mode:04o}); run: chmod 600 {path}"
        assert said(*options) == told


def test_a_certificate_with_its_key_in_one_file_is_a_secret_too(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pair[0].read_bytes() + pair[1].read_bytes())
    both.chmod(0o644)
    assert said("--tls", "--client-cert", str(both)).startswith(f"argument --client-cert: {both} is open to ")


def test_a_pipe_in_the_place_of_a_key_holds_nobody(pair: tuple[Path, Path], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    told = f"argument --client-key: {pipe} is not a plain file"
    assert said("--tls", "--client-cert", str(pair[0]), "--client-key", str(pipe)) == told
