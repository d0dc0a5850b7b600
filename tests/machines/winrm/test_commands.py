"""imap4-recovery from its command line to the model of Windows and back: whole lines and exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time

import pytest

from tests.machines.winrm import trouble
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.host import MACHINE, Host, Ran
from tests.machines.winrm.listeners import Site
from tests.machines.winrm.windows import Windows

METHODS = ["winrm-ntlm", "winrm-credssp", "winrm-basic", "winrm-certificate"]


def ends_with(pattern: str, ran: Ran) -> bool:
    return re.fullmatch(pattern, ran.last) is not None


@pytest.mark.parametrize("method", METHODS)
def test_restart_service_over_https_with_every_method(
    site: Site, host: Host, windows: Windows, method: str
) -> None:
    assert host.add(method) == Ran(0, f"Added {method}.\n", "")
    with site.https(windows, MACHINE) as endpoint:
        ran = host.act("restart-service", method, endpoint, "--service", "IMAP4", "--settle", "0.1s")
    assert ran.code == 0
    assert ends_with(
        r"OK - restart-service IMAP4 on 127\.0\.0\.1: running again after \d+\.\d s \(PID \d+ -> \d+\)", ran
    )
    assert windows.calls[2:4] == ["stop IMAP4", "start IMAP4"]
    history = host.run("history", "list")
    assert "restart-service IMAP4" in history.out


def test_verify_proves_the_repair(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm")
    verify = f"{sys.executable} -c \"print('IMAP4 OK')\""
    ran = host.act("restart-service", "winrm-ntlm", endpoint, "--service", "IMAP4", "--settle", "0.1s",
                   "--verify", verify)  # fmt: skip
    assert ends_with(r"OK - restart-service IMAP4 on .*: running again after .* s \(PID .*\), IMAP4 OK", ran)


def test_dry_run_looks_and_changes_nothing(host: Host, endpoint: Endpoint, windows: Windows) -> None:
    host.add("winrm-ntlm")
    ran = host.act("restart-service", "winrm-ntlm", endpoint, "--service", "imap4", "--dry-run")
    assert ran.code == 0
    assert "would restart what depends on it and runs: Indexer, Web Mail" in ran.out
    assert windows.calls == []


def test_reboot_server(host: Host, endpoint: Endpoint, windows: Windows) -> None:
    host.add("winrm-ntlm")
    before = windows.booted
    ran = host.act("reboot-server", "winrm-ntlm", endpoint)
    assert ran.code == 0
    assert ends_with(
        r"OK - reboot-server on 127\.0\.0\.1: up again after \d\.\d s \(boot id .... -> ....\)", ran
    )
    assert windows.booted > before


def test_external_process(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm")
    ran = host.act("external-process", "winrm-ntlm", endpoint, "--success-exit-status", "3010", "--json",
                   "--", "sh", "-c", "printf %s \"$1\"; exit 0", "x", "a 'b' $c")  # fmt: skip
    # 0 is not in the list that was given.
    assert ran.code == 2
    told = json.loads(ran.out)
    assert told["facts_after"]["stdout"] == "a 'b' $c"
    assert told["facts_after"]["exit_status"] == 0


def test_services_are_listed_with_state_and_dependents(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm")
    ran = host.act("services", "winrm-ntlm", endpoint, "*I*A*")
    assert ran.out == "IMAP4: active (running); dependents: Web Mail, Indexer, Idle\n"
    assert "Disabled: inactive (stopped)\n" in host.act("services", "winrm-ntlm", endpoint).out


def test_credentials_test_names_account_and_platform(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm")
    ran = host.act("credentials test", "winrm-ntlm", endpoint)
    assert (ran.code, ran.out) == (
        0,
        "OK - winrm-ntlm logs in to 127.0.0.1: as STANDIN\\svc; the machine runs Windows\n",
    )


def test_doctor_tells_who_and_how(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm")
    ran = host.act("doctor", "winrm-ntlm", endpoint, "--service", "IMAP4", "Disabled", "Nonsense")
    assert ran.code == 2
    account = host.site.account
    files, user, credential, *found = ran.out.splitlines()
    assert files.startswith("ok   files: store ")
    assert user.startswith("ok   user: ")
    assert credential.startswith("ok   credential: winrm-ntlm in ")
    assert found == [
        "ok   name: 127.0.0.1 is 127.0.0.1",
        f"ok   connection: 127.0.0.1 port {endpoint.port}: HTTP, every message sealed",
        f"ok   login: {account} with winrm-ntlm",
        "ok   platform: Microsoft Windows Server 2022 Standard (10.0.20348), STANDIN",
        "ok   powershell: 5.1.20348.2849, FullLanguage",
        "ok   clock: within 1 s of ours",
        "ok   privilege: STANDIN\\svc is an administrator: one with rights on the services alone would do "
        "(docs/windows.md)",
        "ok   listener: HTTP * port 5985",
        "ok   listener: HTTPS * port 5986",
        "ok   turns: repairs leave word of each other on the machine",
        *re.findall(r"ok   service: IMAP4: active \(running\), PID \d+", ran.out),
        "BAD  service: Disabled: inactive (stopped)",
        "       Disabled is disabled, so it cannot be started (Set-Service -Name Disabled "
        "-StartupType Manual)",
        "BAD  service: Nonsense: not-found",
        "       correct its name: Get-Service lists them",
    ]


def test_doctor_ends_where_it_cannot_look_further(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm", password="wrong")  # noqa: S106 - it is meant to be wrong
    ran = host.act("doctor", "winrm-ntlm", endpoint)
    assert ran.code == 2
    assert ran.out.splitlines()[-1].startswith("BAD  login: 127.0.0.1 (127.0.0.1 port ")
    assert endpoint.accounts.refused == 1


def test_secrets_are_never_shown(host: Host) -> None:
    for method in METHODS:
        assert host.add(method).code == 0
    for words in (("list",), ("list", "--json"), ("show", "winrm-certificate"), ("show", "winrm-ntlm")):
        ran = host.run("credentials", *words)
        assert ran.code == 0
        assert "PRIVATE KEY" not in ran.out
    assert "password: stored\n" in host.run("credentials", "show", "winrm-ntlm").out
    assert "private_key: stored\n" in host.run("credentials", "show", "winrm-certificate").out


@pytest.mark.parametrize(
    ("method", "more", "message"),
    [
        ("winrm-ntlm", ("--become",), "method winrm-ntlm knows no sudo"),
        ("winrm-kerberos", ("--become",), "method winrm-kerberos knows no sudo"),
        ("winrm-magic", (), "--method 'winrm-magic' is none of ssh-password"),
    ],
)
def test_credentials_that_cannot_work_are_refused(
    host: Host, method: str, more: tuple[str, ...], message: str
) -> None:
    ran = host.add(method, *more)
    assert ran.code == 3
    assert message in ran.err


def test_certificate_without_its_key_is_refused(host: Host) -> None:
    pem = host.site.ca_file
    pem.chmod(0o600)
    ran = host.run("credentials", "add", "x", "--method", "winrm-certificate", "--account", "x",
                   "--private-key-import", str(pem))  # fmt: skip
    assert ran.code == 3
    assert ran.err.endswith("needs the certificate and its private key in one PEM file (cat them)\n")


def test_a_changed_password_keeps_the_method(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm", password="old")  # noqa: S106 - made up
    with pytest.MonkeyPatch.context() as patch:
        read, write = os.pipe()
        os.write(write, f"{host.site.password}\n".encode())
        os.close(write)
        patch.setattr(sys, "stdin", io.StringIO())
        assert host.run("credentials", "set", "winrm-ntlm", "--password-fd", str(read)).code == 0
    assert host.act("credentials test", "winrm-ntlm", endpoint).code == 0


def test_machine_that_the_credential_is_not_for_is_never_contacted(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm")
    host.run("credentials", "set", "winrm-ntlm", "--machines", "other.example.org")
    ran = host.act("restart-service", "winrm-ntlm", endpoint, "--service", "IMAP4")
    assert ran.code == 2
    assert endpoint.connections == 0


def test_time_out_holds_against_a_silent_machine(host: Host, endpoint: Endpoint) -> None:
    host.add("winrm-ntlm")
    endpoint.troubles["Create"] = trouble.trickle
    began = time.monotonic()
    ran = host.act("restart-service", "winrm-ntlm", endpoint, "--service", "IMAP4", "--timeout", "2s")
    assert ran.code == 2
    assert time.monotonic() - began < 4
