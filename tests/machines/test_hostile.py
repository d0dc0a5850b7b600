"""Every row of the table against a real socket: the whole line, the exit code, the perfdata, the time."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from imap4.causes import CAUSES
from tests.machines.case import greets
from tests.machines.cases import CASES, PASSWORD, Case
from tests.machines.plugin import run
from tests.machines.scripted import Peer, ScriptedServer, closed_port, good
from tools.verdicts import CAUSES_PAGE, PAGE, causes_page, page


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_has_its_verdict(case: Case, tmp_path: Path) -> None:
    password_file = tmp_path / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(PASSWORD + "\n")
    options = [str(password_file) if option == "PASSWORD_FILE" else option for option in case.options]
    timeout = options[options.index("-t") + 1] if "-t" in options else "10"
    with ScriptedServer(case.script) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), *options, timeout=timeout)
    assert result.line.replace(f":{server.port} ", ":PORT ") == case.line
    assert result.code == case.exit_code
    assert result.perfdata == " ".join(("time", *case.phases))
    assert result.output.count("\n") == 1


def test_refused_connection_is_critical() -> None:
    with closed_port() as port:
        result = run("-H", "127.0.0.1", "-p", str(port))
    assert result.line == f"IMAP4 CRITICAL - 127.0.0.1:{port} connection refused [connect.refused]"
    assert result.code == 2
    assert result.perfdata == "time resolve"


def test_unroutable_address_is_critical_and_not_unknown() -> None:
    # The broadcast address of the loopback network is refused by the kernel itself.
    result = run("-H", "127.255.255.255", "-p", "143")
    assert (result.code, result.line.partition(" - ")[0]) == (2, "IMAP4 CRITICAL")


def test_connection_is_closed_without_a_reset() -> None:
    with ScriptedServer(good) as server:
        for _ in range(5):
            assert run("-H", "127.0.0.1", "-p", str(server.port)).code == 0
    assert server.resets == 0
    assert server.connections == 5


def test_server_that_goes_on_talking_after_logout_gets_no_reset() -> None:
    ended: list[int] = []

    def script(peer: Peer) -> None:
        good(peer)
        peer.send("* 1 EXISTS\r\n" * 2000)
        while peer.socket.recv(4096):
            pass
        peer.pause(0.1)  # a reset would come behind the end of the stream
        ended.append(peer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    with ScriptedServer(script) as server:
        assert run("-H", "127.0.0.1", "-p", str(server.port)).code == 0
    assert (server.resets, ended) == (0, [0])


def test_addresses_in_brackets_are_the_same() -> None:
    with ScriptedServer(good, host="::1") as server:
        for host in ("::1", "[::1]"):
            result = run("-H", host, "-p", str(server.port))
            assert result.line == f"IMAP4 OK - [::1]:{server.port} greeting in T s, logged out"
            assert result.code == 0


def test_source_address_is_used() -> None:
    seen: list[str] = []

    def script(peer: Peer) -> None:
        seen.append(peer.socket.getpeername()[0])
        good(peer)

    with ScriptedServer(script) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "--source", "127.0.0.9")
    assert result.code == 0
    assert seen == ["127.0.0.9"]


def test_foreign_source_address_is_wrong_use() -> None:
    result = run("-H", "127.0.0.1", "--source", "192.0.2.1")
    assert result.line == (
        "IMAP4 UNKNOWN - argument --source: cannot connect from 192.0.2.1: cannot assign requested address"
    )
    assert result.code == 3


def test_pages_are_made_from_the_code() -> None:
    assert PAGE.read_text() == page(), "run: make docs"
    assert CAUSES_PAGE.read_text() == causes_page(), "run: make docs"


def test_every_cause_of_the_cases_has_its_row() -> None:
    found = [re.search(r"\[([a-z_.]+)\]$", case.line) for case in CASES]
    assert {match[1] for match in found if match} <= CAUSES.keys()


def _hints(greeting: str, answer: str, tmp_path: Path) -> str:
    """The hint for a login that is answered so."""
    password_file = tmp_path / "password"
    password_file.touch(0o600)
    password_file.write_text(PASSWORD + "\n")

    def script(peer: Peer) -> None:
        peer.send(f"{greeting}\r\n")
        tag, _ = peer.command()
        peer.send(f"{tag} {answer}\r\n")
        peer.wait()

    with ScriptedServer(script) as server:
        login = ("--login", "--user", "jane", "--insecure", "--password-file", str(password_file))
        result = run("-H", "127.0.0.1", "-p", str(server.port), "-v", *login)
    return result.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            "NO [AUTHENTICATIONFAILED] x",
            "wrong user or password, or a closed account; the server means to tell no more",
        ),
        ("NO x", "the server does not say why; see its log before anybody changes a password"),
        ("BAD x", "the server does not say why; see its log before anybody changes a password"),
        (
            "NO Temporary authentication failure.",
            "the words tell of trouble on the server, not of a wrong password; see its log",
        ),
        (
            "BAD User is authenticated but not connected.",
            "Exchange took the password but cannot reach the mailbox: see its database and server",
        ),
        (
            "NO [UNAVAILABLE] wrong password",
            "what stands behind the service (user database, mail store, backend) is away; "
            "the password is not to blame",
        ),
        ("NO [PRIVACYREQUIRED] x", "the server takes no password without TLS: use --tls or --starttls"),
    ],
)
def test_hint_fits_the_code_of_a_refused_login(answer: str, hint: str, tmp_path: Path) -> None:
    greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready"
    assert _hints(greeting, answer, tmp_path) == f"hint: {hint}"


def test_alert_is_shown_at_v_where_all_is_well() -> None:
    with ScriptedServer(greets("* OK [ALERT] disk is filling up\r\n")) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "-v")
    assert result.line == f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out"
    assert result.output.splitlines()[-1] == "ALERT: disk is filling up"


def test_secret_is_in_no_line_of_the_dialogue(tmp_path: Path) -> None:
    password_file = tmp_path / "password"
    password_file.touch(0o600)
    password_file.write_text(PASSWORD + "\n")

    def script(peer: Peer) -> None:
        peer.send("* OK ready\r\n")
        tag, _ = peer.command()
        peer.send(f"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
        line = peer.line()
        peer.send(f"* BAD {line}\r\n* {PASSWORD}\r\n{line}")  # and closes in the middle of the third

    with ScriptedServer(script) as server:
        login = ("--login", "--user", "jane", "--insecure", "--password-file", str(password_file))
        result = run("-H", "127.0.0.1", "-p", str(server.port), "-vvv", *login)
    assert result.line.endswith("connection closed after half a line: a2 LOGIN jane *** [login.closed]")
    assert [line for line in result.output.splitlines() if "jane" in line][1:] == [
        "BAD: a2 LOGIN jane ***",
        "S: * BAD a2 LOGIN jane ***",
        "S: a2 LOGIN jane ***",
    ]
    assert "se" not in result.output.partition("C: a2 LOGIN ***")[2]
