"""The check against GNU Mailutils imap4d: another make, which sends no capabilities in its greeting."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.gnu_imap4d import DOMAIN, USER, Imap4d, imap4d
from tests.machines.plugin import run
from tests.machines.ports import wait_until

PLAIN = "time resolve connect greeting logout"
STARTTLS = "time resolve connect greeting tls logout certificate"

PASSWORDS = {
    "quotes": f'"{secrets.token_hex(4)}"',
    "backslash": f"\\{secrets.token_hex(4)}\\\\",
    "spaces": f"{secrets.token_hex(4)}  of spaces",
    "umlauts": f"{secrets.token_hex(4)}-äöü-密-🔑",
    "specials": f"{secrets.token_hex(4)}%*(){{}}]~$`",
    "literal": f"{secrets.token_hex(4)}{{5}}",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Imap4d]:
    with imap4d() as running:
        yield running


@pytest.fixture(scope="module")
def without_sasl() -> Iterator[Imap4d]:
    """Knows LOGIN, but not AUTHENTICATE PLAIN."""
    with imap4d("gsasl { enable no; };", PASSWORDS) as running:
        yield running


def login(tmp_path: Path, password: str, user: str = USER) -> list[str]:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(f"{password}\n", encoding="utf-8")
    return ["--login", "--user", user, "--password-file", str(path)]


def test_plain_session_is_ok(server: Imap4d) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.port))
    assert result[:3] == (0, f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out", PLAIN)


def test_tls_session_is_ok(server: Imap4d) -> None:
    result = run("-H", "localhost", "-4", "-p", str(server.tls_port), "--tls", "--ca-file", server.ca_file)
    line = f"IMAP4 OK - localhost:{server.tls_port} greeting in T s, logged out"
    assert result[:3] == (0, line, "time resolve connect tls greeting logout certificate")


def test_starttls_session_is_ok(server: Imap4d) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.port), "--starttls", "--ca-file", server.ca_file)
    line = f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out"
    assert result[:3] == (0, line, STARTTLS)


def test_server_that_requires_starttls_still_greets_and_logs_out_without_it(server: Imap4d) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.required_port))
    line = f"IMAP4 OK - 127.0.0.1:{server.required_port} greeting in T s, logged out"
    assert result[:3] == (0, line, PLAIN)


def test_starttls_where_it_is_required_is_ok(server: Imap4d) -> None:
    port = server.required_port
    result = run("-H", "127.0.0.1", "-p", str(port), "--starttls", "--ca-file", server.ca_file)
    assert result[:3] == (0, f"IMAP4 OK - 127.0.0.1:{port} greeting in T s, logged out", STARTTLS)


def test_plain_session_on_the_tls_port_gets_no_greeting(server: Imap4d) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.tls_port), timeout="0.5")
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.tls_port} no greeting within 0.5 s [greeting.timeout]"
    assert result[:3] == (2, line, "time resolve connect")


def test_tls_session_on_the_plain_port_is_critical(server: Imap4d) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.port), "--tls", "--ca-file", server.ca_file)
    line = (
        f"IMAP4 CRITICAL - 127.0.0.1:{server.port} the server does not speak TLS on this port [tls.handshake]"
    )
    assert result[:3] == (2, line, "time resolve connect")


def test_right_password_logs_in(server: Imap4d, tmp_path: Path) -> None:
    options = ("--starttls", "--ca-file", server.ca_file, *login(tmp_path, server.password))
    result = run("-H", "127.0.0.1", "-p", str(server.port), *options)
    line = f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out"
    assert result[:3] == (0, line, "time resolve connect greeting tls login logout certificate")


def test_wrong_password_is_refused(server: Imap4d, tmp_path: Path) -> None:
    options = ("--starttls", "--ca-file", server.ca_file, *login(tmp_path, f"not {server.password}"))
    result = run("-H", "127.0.0.1", "-p", str(server.port), *options)
    line = (
        f"IMAP4 CRITICAL - 127.0.0.1:{server.port} login answered NO:"
        " AUTHENTICATE PLAIN authentication failed [login.refused]"
    )
    assert result[:3] == (2, line, "time resolve connect greeting tls certificate")


@pytest.mark.parametrize("user", PASSWORDS)
def test_right_password_logs_in_by_login(without_sasl: Imap4d, tmp_path: Path, user: str) -> None:
    port = without_sasl.tls_port
    options = ("--tls", "--ca-file", without_sasl.ca_file)
    who = login(tmp_path, PASSWORDS[user], f"{user}@{DOMAIN}")
    result = run("-H", "127.0.0.1", "-p", str(port), *options, *who, "-vvv")
    line = f"IMAP4 OK - 127.0.0.1:{port} greeting in T s, logged out"
    assert result[:3] == (0, line, "time resolve connect tls greeting login logout certificate")
    assert "C: a2 LOGIN ***\n" in result.output
    assert PASSWORDS[user] not in result.output


@pytest.mark.parametrize("user", PASSWORDS)
def test_wrong_password_is_refused_by_login(without_sasl: Imap4d, tmp_path: Path, user: str) -> None:
    port = without_sasl.tls_port
    options = ("--tls", "--ca-file", without_sasl.ca_file)
    who = login(tmp_path, PASSWORDS[user][:-1], f"{user}@{DOMAIN}")
    result = run("-H", "127.0.0.1", "-p", str(port), *options, *who, "-vvv")
    problem = "login answered NO: LOGIN User name or passwd rejected [login.refused]"
    line = f"IMAP4 CRITICAL - 127.0.0.1:{port} {problem}"
    assert result[:3] == (2, line, "time resolve connect tls greeting certificate")
    assert PASSWORDS[user][:-1] not in result.output


def test_password_that_ends_with_a_backslash_logs_in_without_tls_too(
    without_sasl: Imap4d, tmp_path: Path
) -> None:
    # As a quoted string, imap4d refuses it always without TLS, and at times with it.
    who = login(tmp_path, PASSWORDS["backslash"], f"backslash@{DOMAIN}")
    result = run("-H", "127.0.0.1", "-p", str(without_sasl.port), "--insecure", *who)
    line = f"IMAP4 OK - 127.0.0.1:{without_sasl.port} greeting in T s, logged out"
    assert result[:3] == (0, line, "time resolve connect greeting login logout")


def test_login_without_tls_is_refused_where_tls_is_required(server: Imap4d, tmp_path: Path) -> None:
    options = ("--insecure", *login(tmp_path, server.password))
    result = run("-H", "127.0.0.1", "-p", str(server.required_port), *options)
    line = (
        f"IMAP4 CRITICAL - 127.0.0.1:{server.required_port} login answered NO: LOGIN Command disabled"
        " [login.refused]"
    )
    assert result[:3] == (2, line, "time resolve connect greeting")


def test_capabilities_are_asked_for_where_the_greeting_has_none(server: Imap4d) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.port), "--capability", "idle")
    line = f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out"
    assert result[:3] == (0, line, "time resolve connect greeting capability logout")


def test_missing_capability_is_critical(server: Imap4d) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.port), "--capability", "IDLE", "--capability", "MOVE")
    problem = "capability MOVE is not offered before login [capability.missing]"
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.port} {problem}"
    assert result[:3] == (2, line, "time resolve connect greeting")


@pytest.mark.parametrize(
    ("option", "code", "state"), [((), 0, "OK"), (("--no-preauth",), 1, "WARNING")], ids=["", "no-preauth"]
)
def test_preauth_greeting_passes_with_a_remark(
    tmp_path: Path, option: tuple[str, ...], code: int, state: str
) -> None:
    tmp_path.chmod(0o755)
    who = tmp_path / "who"
    who.write_text(f"#!/bin/sh\necho {USER}\n")
    who.chmod(0o755)
    with imap4d(f"preauth prog://{who};") as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), *option)
    line = f"IMAP4 {state} - 127.0.0.1:{server.port} greeting in T s, logged out, greeting is PREAUTH"
    assert result[:3] == (code, line, PLAIN)


def test_starttls_after_a_preauth_greeting_is_refused(tmp_path: Path) -> None:
    who = tmp_path / "who"
    who.write_text(f"#!/bin/sh\necho {USER}\n")
    who.chmod(0o755)
    with imap4d(f"preauth prog://{who};") as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "--starttls", "--ca-file", server.ca_file)
    line = (
        f"IMAP4 CRITICAL - 127.0.0.1:{server.port} greeting is PREAUTH, after which STARTTLS is not possible,"
        " greeting is PREAUTH [starttls.refused]"
    )
    assert result[:3] == (2, line, "time resolve connect greeting")


def test_server_without_a_free_process_is_critical() -> None:
    with imap4d("max-children 1;") as server, contextlib.ExitStack() as clients:
        address = ("127.0.0.1", server.port)

        def taken() -> bool:
            """Whether the only process serves us; it may still be busy with the look whether it is there."""
            client = clients.enter_context(socket.create_connection(address, timeout=1))
            try:
                return client.recv(1024) == b"* OK IMAP4rev1\r\n"
            except TimeoutError:
                return False

        wait_until(taken, "a session of our own")
        result = run("-H", "127.0.0.1", "-p", str(server.port), timeout="0.5")
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.port} no greeting within 0.5 s [greeting.timeout]"
    assert result[:3] == (2, line, "time resolve connect")
