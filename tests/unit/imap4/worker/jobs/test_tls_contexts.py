"""The contexts for TLS that a worker keeps."""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path

import pytest
import trustme

from imap4.check.options import Options, UsageError, parse_arguments
from imap4.deadline import Deadline
from imap4.worker.jobs.tls_contexts import Preparations


class Clock:
    """Stands in for the monotonic clock."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def authority(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


def options(host: str, *more: str) -> Options:
    return parse_arguments(["-H", host, "--tls", *more])


def test_commands_with_the_same_files_share_a_context(authority: str, clock: Clock) -> None:
    preparations = Preparations(ssl.SSLSocket)
    first = options("mail1.example", "--ca-file", authority)
    second = options("mail2.example", "-t", "3", "--ca-file", authority)
    assert preparations.ready(first) is None
    made = preparations.make(first, Deadline(5))
    found = preparations.ready(second)
    assert found is not None
    assert found.context is made.context
    assert (made.server_name, found.server_name) == ("mail1.example", "mail2.example")


@pytest.mark.parametrize("more", [["--insecure"], ["--tls-min", "1.3"], []])
def test_commands_that_trust_otherwise_do_not(authority: str, clock: Clock, more: list[str]) -> None:
    preparations = Preparations(ssl.SSLSocket)
    preparations.make(options("mail.example", "--ca-file", authority), Deadline(5))
    assert preparations.ready(options("mail.example", *more)) is None


@pytest.mark.parametrize("more", [["--tls-security-level", "1"], ["--tls-min", "1.1"]])
def test_commands_that_allow_more_do_not(authority: str, clock: Clock, more: list[str]) -> None:
    preparations = Preparations(ssl.SSLSocket)
    wanted = ["--ca-file", authority]
    preparations.make(options("mail.example", *wanted, *more), Deadline(5))
    assert preparations.ready(options("mail.example", *wanted)) is None


def test_context_is_looked_after_and_made_anew(authority: str, clock: Clock) -> None:
    preparations = Preparations(ssl.SSLSocket)
    wanted = options("mail.example", "--ca-file", authority)
    first = preparations.make(wanted, Deadline(5)).context
    clock.now += 2
    assert preparations.ready(wanted) is None
    assert preparations.make(wanted, Deadline(5)).context is first
    assert preparations.ready(wanted) is not None
    # A file that was written again is read again; so is every file after a while.
    os.utime(authority, ns=(1, 1))
    clock.now += 2
    second = preparations.make(wanted, Deadline(5)).context
    assert second is not first
    clock.now += 40
    assert preparations.make(wanted, Deadline(5)).context is not second
    os.unlink(authority)
    clock.now += 2
    with pytest.raises(UsageError, match="ca-file"):
        preparations.make(wanted, Deadline(5))


def test_password_is_read_for_every_test(authority: str, clock: Clock, tmp_path: Path) -> None:
    preparations = Preparations(ssl.SSLSocket)
    secret = tmp_path / "password"
    secret.touch(0o600)
    wanted = options(
        "mail.example", "--ca-file", authority, "--login", "--user", "jo", "--password-file", str(secret)
    )
    passwords = []
    for word in ("first", "second"):
        secret.write_text(f"{word}\n")
        passwords.append(preparations.make(wanted, Deadline(5)).password)
        assert preparations.ready(wanted) is None
    assert passwords == ["first", "second"]
