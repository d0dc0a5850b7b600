"""``doctor``, as far as no machine is asked: all problems of this host in one run, with user and file."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from recovery.caller import caller
from tests.unit.recovery.conftest import Recovery

NAME = {"lost": True, "error": {"kind": "NameNotFound", "text": "mail1: name not found [dns.not_found]"}}


def test_a_credential_and_a_name_that_are_not_there_are_found_together(recovery: Recovery) -> None:
    recovery.add_credential("other")
    ran = recovery("doctor", "--machine", "mail1", "--credential", "mail", machines=NAME)
    assert (ran.code, ran.err) == (2, "")
    assert ran.out.split("\n", 1)[1] == (
        f"ok   user: {caller()}, whose files, keys and known hosts are looked at\n"
        f"BAD  credential: there is no credential 'mail' in {recovery.paths.credentials}; it holds other "
        f"(read as {caller()})\n"
        "BAD  name: mail1: name not found [dns.not_found]\n"
    )


def test_a_store_that_others_can_read_is_told_with_its_file(recovery: Recovery) -> None:
    recovery.add_credential()
    recovery.paths.credentials.chmod(0o644)
    ran = recovery("doctor", "--machine", "mail1", "--credential", "mail")
    assert ran.code == 2
    bad = [line for line in ran.out.splitlines() if line.startswith("BAD")]
    assert len(bad) == 1
    assert f"chmod 600 {recovery.paths.credentials}" in bad[0]
    assert "ok   name: mail1 is 192.0.2.1" in ran.out.splitlines()


def test_a_forbidden_machine_is_not_connected_to_but_its_name_is_looked_up(recovery: Recovery) -> None:
    recovery.add_credential("mail", "--machines", "web*", "--actions", "all")
    ran = recovery("doctor", "--machine", "mail1", "--credential", "mail")
    assert ran.code == 2
    assert ran.out.splitlines()[3:] == [
        "BAD  restriction: credential mail may not be used on mail1: it is for web* (imap4-recovery "
        "credentials set mail --machines ... changes that)",
        "ok   name: mail1 is 192.0.2.1",
    ]
    assert {call["call"] for call in recovery.calls()} == {"locate"}


def test_a_credential_for_no_action_is_told(recovery: Recovery) -> None:
    recovery.add_credential("mail", "--machines", "mail*")
    ran = recovery("doctor", "--machine", "mail1", "--credential", "mail")
    assert ran.out.splitlines()[2:4] == [
        f"BAD  credential: mail in {recovery.paths.credentials}: recovery with ssh-password, for no action "
        "at all",
        "       imap4-recovery credentials set mail --actions restart-service",
    ]
    assert recovery.calls()[-1]["call"] == "doctor"


def test_the_lines_of_a_finding_are_printed_unaltered_one_a_line(recovery: Recovery) -> None:
    """A bar in them stays one: this is no status line, and a line for sudoers must be what it is."""
    recovery.add_credential()
    lines = [
        "recovery ALL=(root) NOPASSWD: /usr/bin/printf %s a|b",
        "ACME\\\\recovery ALL=(root) NOPASSWD: /bin/x",
    ]
    says = {"findings": [[True, "sudoers", "these lines:", "\n".join(lines)]]}
    ran = recovery("doctor", "--machine", "mail1", "--credential", "mail", machines=says)
    assert ran.out.splitlines()[3:] == ["ok   sudoers: these lines:", *(f"       {line}" for line in lines)]
    told = json.loads(
        recovery("doctor", "--machine", "mail1", "--credential", "mail", "--json", machines=says).out
    )
    assert told[-1]["remedy"].splitlines() == lines


def test_no_dependents_reaches_the_machine(recovery: Recovery) -> None:
    recovery.add_credential()
    recovery("doctor", "--machine", "mail1", "--credential", "mail", "--service", "x", "--no-dependents")
    assert recovery.calls()[-1]["dependents"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_is_told_that_it_is_not_the_one_who_repairs_at_night(recovery: Recovery, tmp_path: Path) -> None:
    recovery.add_credential()
    nobody = pwd.getpwnam("nobody")
    for path in (recovery.paths.credentials, recovery.paths.key):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    ran = recovery("doctor", "--machine", "mail1", "--credential", "mail")
    assert ran.code == 2
    assert ran.out.splitlines()[1].startswith(
        f"BAD  user: {caller()}; but {recovery.paths.credentials} is nobody's, so nobody runs the repairs, "
    )
