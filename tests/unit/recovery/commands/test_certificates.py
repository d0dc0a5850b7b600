"""User certificates and agents in the commands that store them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from recovery.credentials.store import Store
from tests.unit.recovery.conftest import Recovery

WHERE = ("--machines", "mail*", "--actions", "all")


def key_of(folder: Path, name: str = "id") -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return key_of(tmp_path, "authority")


def sign(authority: Path, key: Path, *options: str) -> Path:
    made = Path(f"{key}-cert.pub")
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "x", "-n", "recovery", *options, f"{key}.pub"]
    subprocess.run(command, check=True)
    return made


def held(recovery: Recovery) -> str:
    return Store(recovery.paths).get("mail").certificate


def test_it_is_stored_with_an_imported_key_and_told(
    recovery: Recovery, authority: Path, tmp_path: Path
) -> None:
    key = key_of(tmp_path)
    text = sign(authority, key, "-V", "-1h:+1h").read_text()
    ran = recovery(
        "credentials", "add", "mail", "--account", "recovery", "--private-key-import", str(key), *WHERE
    )
    said = r"Added mail\. The stored certificate for recovery is valid until \d{4}-\d\d-\d\d \d\d:\d\d\.\n"
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(said, ran.out)
    assert held(recovery).split() == text.split()[:2] or held(recovery) == text.strip()
    shown = recovery("credentials", "show", "mail").out
    assert "certificate: stored\n" in shown
    # Another key takes the certificate away.
    other = key_of(tmp_path, "other")
    assert recovery("credentials", "set", "mail", "--private-key-import", str(other)).out == "Changed mail.\n"
    assert held(recovery) == ""


def test_one_that_is_over_is_told_and_can_be_renewed(
    recovery: Recovery, authority: Path, tmp_path: Path
) -> None:
    key = key_of(tmp_path)
    old = sign(authority, key, "-V", "-2h:-1h")
    ran = recovery(
        *("credentials", "add", "mail", "--account", "recovery", "--private-key-stdin"),
        *("--certificate", str(old), *WHERE),
        stdin=key.read_text(),
    )
    assert re.fullmatch(
        r"Added mail\. The stored certificate expired on \d{4}-\d\d-\d\d \d\d:\d\d\. Sign the key anew\.\n",
        ran.out,
    )
    new = sign(authority, key)
    ran = recovery("credentials", "set", "mail", "--certificate", str(new))
    assert ran.out == "Changed mail. The stored certificate for recovery is valid for ever.\n"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda authority, key: Path("/nowhere"), "there is no certificate /nowhere"),
        (lambda authority, key: Path(f"{key}.pub"), "the stored certificate is not a user certificate"),
        (
            lambda authority, key: sign(authority, key, "-h"),
            "credential mail: the stored certificate is not a user certificate",
        ),
        (
            lambda authority, key: sign(authority, key_of(key.parent, "another")),
            "credential mail: the stored certificate is for another key",
        ),
        (lambda authority, key: Path("/dev/zero"), "certificate /dev/zero: it is no plain file"),
    ],
    ids=["missing", "public key", "a host's", "another key's", "device"],
)
def test_what_is_no_certificate_of_the_key_is_refused(
    recovery: Recovery, authority: Path, tmp_path: Path, make: object, said: str
) -> None:
    key = key_of(tmp_path)
    path = make(authority, key)  # type: ignore[operator]
    ran = recovery(
        *("credentials", "add", "mail", "--account", "recovery", "--private-key-stdin"),
        *("--certificate", str(path), *WHERE),
        stdin=key.read_text(),
    )
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_whoever_stores_an_agent_is_told_that_an_engine_has_none(recovery: Recovery) -> None:
    ran = recovery("credentials", "add", "mail", "--account", "recovery", "--method", "ssh-agent", *WHERE)
    assert ran.out == (
        "Added mail. Mind that an engine's user has no agent unless one is set up for it: its unit needs "
        "SSH_AUTH_SOCK, and the agent the key after each start of the host.\n"
    )


def test_an_offline_rehearsal_finds_one_that_is_over(
    recovery: Recovery, authority: Path, tmp_path: Path
) -> None:
    key = key_of(tmp_path)
    sign(authority, key, "-V", "-2h:-1h")
    recovery("credentials", "add", "mail", "--account", "recovery", "--private-key-file", str(key), *WHERE)
    definition = tmp_path / "monitors.toml"
    definition.write_text("""\
[[monitor]]
name = "Mail"
address = "mail1"
recovery.machine = "mail1"
recovery.credential = "mail"
recovery.services = ["dovecot"]
recovery.verify = false
recovery.action = [{ do = "restart-service" }]
""")
    ran = recovery("rehearse", "--offline", str(definition))
    assert ran.code == 1
    assert f"credential: credential mail: certificate {key}-cert.pub expired on " in ran.out
