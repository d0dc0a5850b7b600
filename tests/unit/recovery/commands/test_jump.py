"""``--jump``: which credentials may be used for it, and what is said of the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.recovery.conftest import Recovery

RESTART = ("restart-service", "--service", "dovecot", "--machine", "mail1", "--credential", "mail")


@pytest.fixture
def site(recovery: Recovery) -> Recovery:
    """``mail`` for the machine, ``gate`` for its jump host, and two that look as if they were for it."""
    recovery.add_credential("mail")
    recovery.add_credential("gate", "--machines", "gate1,198.51.100.0/24", "--actions", "jump")
    recovery.add_credential("elsewhere", "--machines", "gate2", "--actions", "jump")
    recovery.add_credential("worker", "--machines", "gate1", "--actions", "all")
    return recovery


def test_the_last_line_names_the_way(site: Recovery) -> None:
    ran = site(*RESTART, "--jump", "gate@gate1")
    assert (ran.code, ran.err) == (0, "")
    assert ran.last.startswith(
        "OK - restart-service dovecot on mail1 through gate1: running again after 4.1 s"
    )
    assert "way: through gate1 (192.0.2.1) with credential gate\n" in site("history", "show", "1").out
    # The machine behind it is not looked up here, where its name may mean another one.
    assert [call["machine"] for call in site.calls() if call["call"] == "locate"] == ["gate1"]


@pytest.mark.parametrize(
    ("jump", "said"),
    [
        (
            "worker@gate1",
            "credential worker may not be used for jump: it is for restart-service, reboot-server, ",
        ),
        ("mail@mail7", "credential mail may not be used for jump: it is for "),
        ("gate1", "credential mail may not be used for jump: it is for "),
        ("elsewhere@gate1", "credential elsewhere may not be used on gate1: it is for gate2 "),
        ("nobody@gate1", "there is no credential 'nobody' in "),
        (
            "gate@gate1,gate@gate9",
            "credential gate may not be used on gate9 (whose address only the jump host ",
        ),
    ],
)
def test_a_credential_that_is_not_for_jumping_there_is_not_used(site: Recovery, jump: str, said: str) -> None:
    host = jump.rpartition("@")[2]
    for command in (RESTART, (*RESTART, "--dry-run"), ("credentials", "test", "mail", "--machine", "mail1")):
        ran = site(*command, "--jump", jump)
        assert ran.code in (2, 3)
        assert f"jump host {host}: {said}" in ran.out + ran.err
    assert {call["call"] for call in site.calls()} <= {"locate"}


def test_a_credential_for_jumping_does_nothing_else(site: Recovery) -> None:
    ran = site("restart-service", "--service", "dovecot", "--machine", "gate1", "--credential", "gate")
    assert ran.code == 2
    assert "credential gate may not be used for restart-service: it is for jump (" in ran.last


def test_a_machine_that_only_the_jump_host_looks_up_is_not_taken_for_one_of_a_network(site: Recovery) -> None:
    site("credentials", "set", "mail", "--machines", "203.0.113.0/24")
    ran = site(*RESTART, "--jump", "gate@gate1")
    assert ran.code == 2
    assert (
        "credential mail may not be used on mail1 (whose address only the jump host knows: allow its name"
        in (ran.last)
    )
    by_address = (
        "restart-service",
        "--service",
        "dovecot",
        "--machine",
        "203.0.113.7",
        "--credential",
        "mail",
    )
    assert site(*by_address, "--jump", "gate@gate1").code == 0


@pytest.mark.parametrize("machine", ['mail1"', "mail1,command", "127.0.0.010", "mail$(x)"])
def test_what_is_no_name_is_not_asked_of_a_jump_host(site: Recovery, machine: str) -> None:
    site("credentials", "set", "mail", "--machines", "*")
    ran = site("doctor", "--machine", machine, "--credential", "mail", "--jump", "gate@gate1")
    assert ran.code in (2, 3)
    assert "is not the name of a machine: " in ran.out + ran.err


def test_a_credential_for_windows_is_told_from_one_for_a_jump_host(site: Recovery) -> None:
    site("credentials", "set", "mail", "--method", "winrm-ntlm", "--actions", "restart-service,jump")
    ran = site(*RESTART, "--jump", "mail1")
    assert ran.code == 3
    assert (
        "jump host mail1: credential mail logs in with winrm-ntlm, and jump hosts are reached over SSH: "
        in (ran.out)
    )
    assert site(*RESTART, "--jump", "gate@gate1").code == 0


@pytest.mark.parametrize(
    ("jump", "said"),
    [
        ("gate@", "argument --jump: 'gate@' is no jump host; write CREDENTIAL@HOST or CREDENTIAL@HOST:PORT"),
        ("a,,b", "argument --jump: '' is no jump host"),
        (",".join("abcdefghi"), "argument --jump: more than 8 jump hosts"),
    ],
)
def test_a_wrong_jump_host_is_a_mistake_of_one_line(site: Recovery, jump: str, said: str) -> None:
    ran = site(*RESTART, "--jump", jump)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"imap4-recovery restart-service: {said}")
    assert ran.err.count("\n") == 1


def test_doctor_and_rehearsal_find_what_is_wrong_with_a_jump_hosts_credential(
    site: Recovery, tmp_path: Path
) -> None:
    examined = site("doctor", "--machine", "mail1", "--credential", "mail", "--jump", "worker@gate1,gate1")
    assert examined.code == 2
    assert "BAD  jump: jump host gate1: credential worker may not be used for jump: " in examined.out
    assert "BAD  jump: jump host gate1: credential mail may not be used for jump: " in examined.out
    definition = tmp_path / "monitors.toml"
    definition.write_text("""\
[[monitor]]
name = "Mail"
address = "mail1"
recovery.machine = "mail1"
recovery.credential = "mail"
recovery.services = ["dovecot"]
recovery.verify = false
recovery.jump = ["worker@gate1"]
recovery.action = [{ do = "restart-service" }]
""")
    rehearsed = site("rehearse", "--offline", str(definition))
    assert rehearsed.code == 1
    assert (
        "restart-service dovecot on mail1 through gate1: jump: jump host gate1: credential worker may "
        in (rehearsed.out)
    )
