"""``imap4-recovery credentials``, run as a program."""

from __future__ import annotations

import json
import os
import pty
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from recovery.credentials.store import Store
from recovery.model import Secret
from tests.unit.recovery.conftest import PROGRAM, Ran, Recovery

# Each test starts the program.
pytestmark = pytest.mark.slow


def key_text(passphrase: str = "") -> str:
    """A new private key, as ssh-keygen would write it."""
    locked: KeySerializationEncryption = NoEncryption()
    if passphrase:
        locked = BestAvailableEncryption(passphrase.encode())
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, locked).decode()


def key_file(folder: Path, passphrase: str = "") -> Path:
    path = folder / "id_recovery"
    path.write_text(key_text(passphrase))
    path.chmod(0o600)
    return path


def test_a_password_from_standard_input_is_stored(recovery: Recovery) -> None:
    ran = recovery(
        *("credentials", "add", "mail", "--account", "recovery", "--password-stdin"),
        *("--machines", "mail*", "--actions", "restart-service"),
        stdin=recovery.password + "\n",
    )
    assert ran == Ran(0, "Added mail.\n", "")
    assert Store(recovery.paths).get("mail").password == Secret(recovery.password)


def test_without_restrictions_it_is_said_to_be_of_no_use_yet(recovery: Recovery) -> None:
    ran = recovery("credentials", "add", "mail", "--account", "r", "--password-stdin", stdin="x")
    assert ran.out == (
        "Added mail. It has no machines and no actions: it may be used for nothing until --machines is set.\n"
    )


def test_a_password_from_a_descriptor_is_stored(recovery: Recovery) -> None:
    reading, writing = os.pipe()
    os.write(writing, recovery.password.encode())
    os.close(writing)
    argv = ["credentials", "add", "mail", "--account", "recovery", "--password-fd", str(reading)]
    status = subprocess.run(
        [sys.executable, PROGRAM, *argv],
        env=recovery.environment(),
        pass_fds=[reading],
        stdout=subprocess.PIPE,
    ).returncode
    os.close(reading)
    assert status == 0
    assert Store(recovery.paths).get("mail").password == Secret(recovery.password)


def test_a_password_is_asked_for_twice_and_not_shown(recovery: Recovery) -> None:
    child, terminal = pty.fork()
    if child == 0:
        arguments = [sys.executable, str(PROGRAM), "credentials", "add", "mail", "--account", "recovery"]
        os.execve(sys.executable, arguments, recovery.environment())  # noqa: S606
    seen = b""
    for prompt in (b"The password: ", b"Once more: "):
        while not seen.endswith(prompt):
            seen += os.read(terminal, 1024)
        os.write(terminal, recovery.password.encode() + b"\n")
    while b"Added mail" not in seen:
        seen += os.read(terminal, 1024)
    os.close(terminal)
    os.waitpid(child, 0)
    assert recovery.password.encode() not in seen
    assert Store(recovery.paths).get("mail").password == Secret(recovery.password)


def test_without_a_terminal_nothing_is_asked(recovery: Recovery) -> None:
    ran = recovery("credentials", "add", "mail", "--account", "recovery", stdin=recovery.password)
    assert ran == Ran(
        3, "", "imap4-recovery: there is no terminal to ask for the password; use the -stdin or -fd option\n"
    )


def test_a_key_is_imported_or_stays_where_it_is(recovery: Recovery) -> None:
    path = key_file(recovery.folder)
    add = ("credentials", "add", "--account", "recovery")
    assert recovery(*add, "a", "--private-key-import", str(path)).code == 0
    assert recovery(*add, "b", "--private-key-file", str(path)).code == 0
    assert recovery(*add, "c", "--private-key-stdin", stdin=path.read_text()).code == 0
    held = Store(recovery.paths).load()
    assert held["a"].private_key == held["c"].private_key == Secret(path.read_text())
    assert held["b"].private_key_file == str(path)
    assert {one.method for one in held.values()} == {"ssh-key"}


def test_a_key_with_its_passphrase_is_tried_before_it_is_stored(recovery: Recovery) -> None:
    passphrase = secrets.token_urlsafe(12)
    path = key_file(recovery.folder, passphrase)
    add = ("credentials", "add", "mail", "--account", "recovery", "--private-key-import", str(path))
    wrong = recovery(*add, "--passphrase-stdin", stdin="wrong" + passphrase)
    assert wrong == Ran(
        3,
        "",
        "imap4-recovery: the private key cannot be opened: "
        "the passphrase is wrong, or it is not in OpenSSH or PEM form\n",
    )
    assert recovery(*add, "--passphrase-stdin", stdin=passphrase).code == 0
    assert Store(recovery.paths).get("mail").passphrase == Secret(passphrase)


def test_the_wrong_half_of_a_key_is_refused(recovery: Recovery) -> None:
    ran = recovery(
        *("credentials", "add", "mail", "--account", "recovery", "--private-key-stdin"),
        stdin="ssh-ed25519 AAAA\n",
    )
    assert (ran.code, ran.err) == (
        3,
        "imap4-recovery: the private key cannot be opened: it is not in OpenSSH or PEM form\n",
    )


def test_a_key_that_others_may_read_is_refused(recovery: Recovery) -> None:
    path = key_file(recovery.folder)
    path.chmod(0o644)
    ran = recovery("credentials", "add", "m", "--account", "r", "--private-key-file", str(path))
    assert (ran.code, ran.err) == (
        3,
        f"imap4-recovery: the private key {path} is open to group or others (mode 0644); "
        f"run: chmod 600 {path}\n",
    )


def test_show_and_list_never_show_a_secret(recovery: Recovery) -> None:
    recovery.add_credential()
    for arguments in (("show", "mail"), ("show", "mail", "--json"), ("list",), ("list", "--json")):
        ran = recovery("credentials", *arguments)
        assert ran.code == 0
        assert recovery.password not in ran.out + ran.err
    assert recovery("credentials", "list").out == (
        "mail: recovery, ssh-password, machines mail*, "
        "actions restart-service,reboot-server,external-process\n"
    )
    shown = json.loads(recovery("credentials", "show", "mail", "--json").out)
    assert (shown["password"], shown["machines"], shown["become"]) == ("stored", ["mail*"], False)
    assert recovery("credentials", "show", "mail").out.splitlines()[:5] == [
        *("name: mail", "account: recovery", "method: ssh-password", "password: stored", "private_key: none")
    ]


def test_set_changes_what_is_named_and_nothing_else(recovery: Recovery) -> None:
    recovery.add_credential()
    ran = recovery(
        "credentials", "set", "mail", "--become", "--machines", "192.0.2.0/24", "--account", ".\\me"
    )
    assert ran == Ran(0, "Changed mail.\n", "")
    held = Store(recovery.paths).get("mail")
    assert (held.become, held.machines, held.account) == (True, ("192.0.2.0/24",), ".\\me")
    assert held.password == Secret(recovery.password)
    assert recovery("credentials", "set", "mail", "--no-become").code == 0
    assert not Store(recovery.paths).get("mail").become


def test_a_new_kind_of_secret_replaces_the_old_one(recovery: Recovery) -> None:
    recovery.add_credential()
    path = key_file(recovery.folder)
    assert recovery("credentials", "set", "mail", "--private-key-import", str(path)).code == 0
    held = Store(recovery.paths).get("mail")
    assert (held.method, held.password) == ("ssh-key", None)


def test_remove_removes_one(recovery: Recovery) -> None:
    recovery.add_credential("one")
    recovery.add_credential("two")
    assert recovery("credentials", "remove", "one") == Ran(0, "Removed one.\n", "")
    assert list(Store(recovery.paths).load()) == ["two"]


def test_rekey_says_what_to_do_next(recovery: Recovery) -> None:
    recovery.add_credential()
    ran = recovery("credentials", "rekey")
    assert ran.code == 0
    assert ran.out.endswith(". Back up the key file apart from the store.\n")
    assert Store(recovery.paths).get("mail").password == Secret(recovery.password)


def test_test_logs_in_and_says_what_it_found(recovery: Recovery) -> None:
    recovery.add_credential()
    ran = recovery("credentials", "test", "--machine", "mail1", "--credential", "mail")
    assert ran == Ran(0, "OK - mail logs in to mail1: Debian GNU/Linux 12, systemd, sudo works\n", "")


def test_test_is_refused_on_a_machine_that_is_not_allowed(recovery: Recovery) -> None:
    recovery.add_credential()
    ran = recovery("credentials", "test", "--machine", "web1", "--credential", "mail")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("imap4-recovery: credential mail may not be used on web1: ")
    assert recovery.calls() == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ("add", "a b", "--account", "r"),
            "'a b' cannot name a credential: at most 64 letters, digits, _ . @ and",
        ),
        (("add", "m"), "credentials add: the following arguments are required: --account; see"),
        (
            ("add", "m", "--account", "a b", "--method", "ssh-agent"),
            "--account 'a b' is none of name, DOMAIN",
        ),
        (("add", "m", "--account", "r", "--method", "telnet"), "--method 'telnet' is none of ssh-password"),
        (("add", "m", "--account", "r", "--method", "ssh-key"), "method ssh-key needs a key"),
        (
            ("add", "m", "--account", "r", "--password", "x"),
            "add: --password would show it to everybody; use",
        ),
        (
            ("add", "m", "--account", "r", "--private-key-stdin", "--passphrase-stdin"),
            "two secrets cannot be read from the same input; give each a file descriptor of its own, such as "
            "--password-fd 3 and --passphrase-fd 4",
        ),
        (
            ("add", "m", "--account", "r", "--machines", "1.2.3.4/8"),
            "--machines: '1.2.3.4/8' has host bits set",
        ),
        (("show", "nobody"), "there is no credential 'nobody' in "),
        (("remove", "nobody"), "there is no credential 'nobody' in "),
        (("set", "nobody", "--become"), "there is no credential 'nobody' in "),
        (("rekey",), "there is no credential store "),
        ((), "imap4-recovery credentials: the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_clear_line(recovery: Recovery, arguments: tuple[str, ...], error: str) -> None:
    ran = recovery("credentials", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert error in ran.err
    assert not recovery.paths.credentials.exists()


def test_a_name_is_not_taken_twice(recovery: Recovery) -> None:
    recovery.add_credential()
    ran = recovery("credentials", "add", "mail", "--account", "x", "--password-stdin", stdin="y")
    assert (ran.code, ran.err) == (
        3,
        "imap4-recovery: there is a credential mail already; change it with credentials set\n",
    )
    assert Store(recovery.paths).get("mail").password == Secret(recovery.password)


def test_two_programs_at_once_lose_nothing(recovery: Recovery) -> None:
    names = [f"m{number}" for number in range(6)]
    processes = [
        recovery.start("credentials", "add", name, "--account", "r", "--password-stdin") for name in names
    ]
    for process in processes:
        process.communicate("secret\n", timeout=60)
    assert [process.returncode for process in processes] == [0] * 6
    assert sorted(Store(recovery.paths).load()) == names


def test_test_names_the_credential_as_its_siblings_do(recovery: Recovery) -> None:
    recovery.add_credential()
    said = "OK - mail logs in to mail1: Debian GNU/Linux 12, systemd, sudo works\n"
    for arguments in (("mail", "--machine", "mail1"), ("--machine", "mail1", "--credential", "mail")):
        assert recovery("credentials", "test", *arguments) == Ran(0, said, "")
    wrong = "imap4-recovery credentials test: name one credential, as in: credentials test mail\n"
    for names in ([], ["mail", "--credential", "other"]):
        assert recovery("credentials", "test", "--machine", "mail1", *names) == Ran(3, "", wrong)


def test_a_command_has_no_options_but_its_own(recovery: Recovery) -> None:
    """The history's have none of the store's, and the store's none of the history's."""
    for command, has, has_not in (
        (("history", "list"), "--state-folder", "--credentials"),
        (("credentials", "list"), "--credentials", "--state-folder"),
    ):
        text = recovery(*command, "--help").out
        assert has in text
        assert has_not not in text


def test_an_empty_list_says_so_and_what_to_do(recovery: Recovery) -> None:
    where = recovery.paths.credentials
    assert recovery("credentials", "list") == Ran(
        0,
        "",
        f"imap4-recovery: no credential in {where} yet; make one with: imap4-recovery credentials add NAME "
        "--account ACCOUNT ...\n",
    )
    assert (
        recovery("history", "list").err
        == f"imap4-recovery: no recovery in {recovery.paths.state}: none yet\n"
    )
    assert recovery("credentials", "list", "--json") == Ran(0, "[]\n", "")
