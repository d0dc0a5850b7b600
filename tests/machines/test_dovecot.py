"""The check against a real Dovecot."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.dovecot import Dovecot, dovecot, newer
from tests.machines.plugin import run
from tests.machines.ports import free_port

PLAIN = "time resolve connect greeting logout"
TLS = "time resolve connect tls greeting logout certificate"
STARTTLS = "time resolve connect greeting tls logout certificate"
LOGIN = "time resolve connect tls greeting login logout certificate"

# Made up here, so that each test knows what Dovecot has in its file of users.
PASSWORDS = {
    "quotes": f'"{secrets.token_hex(4)}"',
    "backslash": f"\\{secrets.token_hex(4)}\\\\",
    "spaces": f"{secrets.token_hex(4)}  of spaces",
    "umlauts": f"{secrets.token_hex(4)}-äöü-密-🔑",
    "specials": f"{secrets.token_hex(4)}%*(){{}}]~$`",
    "plus": f"{{5+}}{secrets.token_hex(4)}",
}
USERS = "".join(f"{user}:{{PLAIN}}{password}::::::\n" for user, password in PASSWORDS.items())


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot(users=USERS) as running:
        yield running


@pytest.fixture(scope="module")
def strict() -> Iterator[Dovecot]:
    """Lets nobody in without TLS."""
    with dovecot(ssl_mode="required") as running:
        yield running


def credentials(tmp_path: Path, user: str, password: str) -> list[str]:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(f"{password}\n", encoding="utf-8")
    return ["--login", "--user", user, "--password-file", str(path)]


def implicit(server: Dovecot) -> list[str]:
    return ["-p", str(server.tls_port), "--tls", "--ca-file", server.ca_file]


def starttls(server: Dovecot) -> list[str]:
    return ["-p", str(server.port), "--starttls", "--ca-file", server.ca_file]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]"])
def test_plain_session_is_ok(server: Dovecot, host: str) -> None:
    result = run("-H", host, "-p", str(server.port))
    shown = "[::1]" if ":" in host else host
    assert result[:3] == (0, f"IMAP4 OK - {shown}:{server.port} greeting in T s, logged out", PLAIN)


def test_session_is_ended_as_dovecot_wants_it(server: Dovecot) -> None:
    run("-H", "127.0.0.1", "-p", str(server.port))
    ended = "Login aborted: Logged out" if newer() else "Aborted login by logging out"
    assert ended in server.log.read_text().splitlines()[-1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_session_is_ok(server: Dovecot, host: str) -> None:
    result = run("-H", host, "-4", *implicit(server))
    assert result[:3] == (0, f"IMAP4 OK - {host}:{server.tls_port} greeting in T s, logged out", TLS)


def test_starttls_session_is_ok(server: Dovecot) -> None:
    result = run("-H", "localhost", "-4", *starttls(server))
    assert result[:3] == (0, f"IMAP4 OK - localhost:{server.port} greeting in T s, logged out", STARTTLS)


def test_unix_socket_session_is_ok(server: Dovecot) -> None:
    result = run("-H", server.socket)
    line = f"IMAP4 OK - {server.socket} greeting in T s, logged out"
    assert result[:3] == (0, line, "time connect greeting logout")


def test_starttls_over_a_unix_socket_is_ok(server: Dovecot) -> None:
    options = ("--starttls", "--ca-file", server.ca_file, "--server-name", "localhost")
    result = run("-H", server.socket, *options)
    line = f"IMAP4 OK - {server.socket} greeting in T s, logged out"
    assert result[:3] == (0, line, "time connect greeting tls logout certificate")


def test_unix_socket_that_is_not_there_is_critical(tmp_path: Path) -> None:
    result = run("-H", f"{tmp_path}/none")
    assert result[:3] == (2, f"IMAP4 CRITICAL - {tmp_path}/none no such socket [connect.refused]", "time")


def test_certificate_of_an_unknown_authority_is_critical(server: Dovecot) -> None:
    result = run("-H", "localhost", "-4", "-p", str(server.tls_port), "--tls")
    line = (
        f"IMAP4 CRITICAL - localhost:{server.tls_port} certificate not trusted:"
        " unable to get local issuer certificate [tls.untrusted]"
    )
    assert result[:3] == (2, line, "time resolve connect certificate")


def test_plain_session_on_the_tls_port_gets_no_greeting(server: Dovecot) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.tls_port), timeout="0.5")
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.tls_port} no greeting within 0.5 s [greeting.timeout]"
    assert result[:3] == (2, line, "time resolve connect")


def test_tls_session_on_the_plain_port_is_critical(server: Dovecot) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.port), "--tls")
    line = (
        f"IMAP4 CRITICAL - 127.0.0.1:{server.port} the server does not speak TLS on this port [tls.handshake]"
    )
    assert result[:3] == (2, line, "time resolve connect")


def test_stopped_server_is_critical() -> None:
    with dovecot() as server:
        pass
    result = run("-H", "127.0.0.1", "-p", str(server.port))
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.port} connection refused [connect.refused]"
    assert result[:3] == (2, line, "time resolve")


def test_offered_capability_passes(server: Dovecot) -> None:
    result = run(
        "-H", "127.0.0.1", "-p", str(server.port), "--capability", "IDLE", "--capability", "starttls"
    )
    line = f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out"
    assert result[:3] == (0, line, "time resolve connect greeting capability logout")


def test_missing_capability_is_critical(server: Dovecot) -> None:
    result = run("-H", "127.0.0.1", "-p", str(server.port), "--capability", "JMAPACCESS")
    line = (
        f"IMAP4 CRITICAL - 127.0.0.1:{server.port} capability JMAPACCESS is not offered before login"
        " [capability.missing]"
    )
    assert result[:3] == (2, line, "time resolve connect greeting")


def test_capability_that_tls_takes_away_is_missing(server: Dovecot) -> None:
    result = run("-H", "127.0.0.1", *starttls(server), "--capability", "STARTTLS")
    problem = "capability STARTTLS is not offered before login [capability.missing]"
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.port} {problem}"
    assert result[:3] == (2, line, "time resolve connect greeting tls certificate")


def test_capability_that_comes_with_the_login_is_found(server: Dovecot, tmp_path: Path) -> None:
    wanted = ("--capability", "IDLE", "--capability", "CONDSTORE")
    before = run("-H", "127.0.0.1", *implicit(server), *wanted)
    options = credentials(tmp_path, "eve", server.password)
    after = run("-H", "127.0.0.1", *implicit(server), *wanted, *options)
    problem = "capability CONDSTORE is not offered before login [capability.missing]"
    assert before[:2] == (2, f"IMAP4 CRITICAL - 127.0.0.1:{server.tls_port} {problem}")
    assert after[:2] == (0, f"IMAP4 OK - 127.0.0.1:{server.tls_port} greeting in T s, logged out")


@pytest.mark.parametrize("user", ["eve", *PASSWORDS])
def test_right_password_logs_in(server: Dovecot, user: str, tmp_path: Path) -> None:
    password = PASSWORDS.get(user, server.password)
    result = run("-H", "127.0.0.1", *implicit(server), *credentials(tmp_path, user, password), "-vvv")
    line = f"IMAP4 OK - 127.0.0.1:{server.tls_port} greeting in T s, logged out"
    assert result[:3] == (0, line, LOGIN)
    said = "Logged in" if newer() else "Login"
    assert f"{said}: user=<{user}>, method=PLAIN" in server.log.read_text()
    assert password not in result.output


@pytest.mark.parametrize("user", ["eve", *PASSWORDS, "nobody"])
def test_wrong_password_is_refused(server: Dovecot, user: str, tmp_path: Path) -> None:
    wrong = PASSWORDS.get(user, server.password)[:-1]
    result = run("-H", "127.0.0.1", *implicit(server), *credentials(tmp_path, user, wrong), "-vvv")
    line = (
        f"IMAP4 CRITICAL - 127.0.0.1:{server.tls_port} login answered NO:"
        " (AUTHENTICATIONFAILED) Authentication failed. [login.refused]"
    )
    assert result[:3] == (2, line, "time resolve connect tls greeting certificate")
    assert wrong not in result.output


def test_login_after_starttls_is_ok(server: Dovecot, tmp_path: Path) -> None:
    options = credentials(tmp_path, "eve", server.password)
    result = run("-H", "127.0.0.1", *starttls(server), *options)
    line = f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out"
    assert result[:3] == (0, line, "time resolve connect greeting tls login logout certificate")


def test_login_over_a_unix_socket_is_ok(server: Dovecot, tmp_path: Path) -> None:
    result = run("-H", server.socket, *credentials(tmp_path, "eve", server.password))
    line = f"IMAP4 OK - {server.socket} greeting in T s, logged out"
    assert result[:3] == (0, line, "time connect greeting login logout")


def test_password_comes_from_a_descriptor(server: Dovecot) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{server.password}\n".encode())
    os.close(writing)
    options = ("--login", "--user", "eve", "--password-fd", str(reading))
    result = run("-H", "127.0.0.1", *implicit(server), *options, pass_fds=[reading])
    os.close(reading)
    line = f"IMAP4 OK - 127.0.0.1:{server.tls_port} greeting in T s, logged out"
    assert result[:3] == (0, line, LOGIN)


def test_server_that_requires_tls_still_greets_without_it(strict: Dovecot) -> None:
    result = run("-H", "127.0.0.1", "-p", str(strict.port))
    line = f"IMAP4 OK - 127.0.0.1:{strict.port} greeting in T s, logged out"
    assert result[:3] == (0, line, PLAIN)


def test_password_is_not_sent_to_a_server_that_takes_none_without_tls(
    strict: Dovecot, tmp_path: Path
) -> None:
    # Dovecot trusts a client that has its own address, so this one takes another.
    options = ("--insecure", "--source", "127.0.0.2", *credentials(tmp_path, "eve", strict.password))
    result = run("-H", "127.0.0.1", "-p", str(strict.port), *options)
    problem = "the server takes no password without TLS (LOGINDISABLED) [login.privacy]"
    line = f"IMAP4 CRITICAL - 127.0.0.1:{strict.port} {problem}"
    assert result[:3] == (2, line, "time resolve connect greeting")
    assert "no auth attempts" in strict.log.read_text().splitlines()[-1]


def test_login_with_tls_passes_where_it_is_required(strict: Dovecot, tmp_path: Path) -> None:
    options = credentials(tmp_path, "eve", strict.password)
    for way, port in ((implicit(strict), strict.tls_port), (starttls(strict), strict.port)):
        result = run("-H", "127.0.0.1", *way, *options)
        assert result[:2] == (0, f"IMAP4 OK - 127.0.0.1:{port} greeting in T s, logged out")


def test_starttls_is_refused_where_dovecot_has_no_tls() -> None:
    with dovecot(ssl_mode="no") as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "--starttls")
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.port} STARTTLS is not offered [starttls.refused]"
    assert result[:3] == (2, line, "time resolve connect greeting")


def test_exhausted_login_processes_are_critical() -> None:
    limits = "service imap-login {\n client_limit = 1\n process_limit = 1\n service_count = 1\n}\n"
    with dovecot(more=limits) as server, contextlib.ExitStack() as clients:
        address = ("127.0.0.1", server.port)
        # Dovecot drops clients that have not logged in to make room, but not at once.
        first = clients.enter_context(socket.create_connection(address))
        assert first.recv(1024).startswith(b"* OK ")
        result = run("-H", "127.0.0.1", "-p", str(server.port), timeout="0.5")
    line = f"IMAP4 CRITICAL - 127.0.0.1:{server.port} no greeting within 0.5 s [greeting.timeout]"
    assert result[:3] == (2, line, "time resolve connect")


def test_time_out_state_can_be_chosen() -> None:
    limits = "service imap-login {\n client_limit = 1\n process_limit = 1\n service_count = 1\n}\n"
    with dovecot(more=limits) as server, socket.create_connection(("127.0.0.1", server.port)) as first:
        assert first.recv(1024).startswith(b"* OK ")
        result = run("-H", "127.0.0.1", "-p", str(server.port), timeout="0.5:unknown")
    line = f"IMAP4 UNKNOWN - 127.0.0.1:{server.port} no greeting within 0.5 s [greeting.timeout]"
    assert result[:3] == (3, line, "time resolve connect")


@pytest.fixture(scope="module")
def proxied() -> Iterator[tuple[Dovecot, int, int]]:
    """A Dovecot with two more ports that want HAProxy's header, the second with TLS."""
    ports = free_port(), free_port()
    listeners = "".join(
        f" inet_listener proxied{port} {{\n port = {port}\n haproxy = yes\n ssl = {ssl}\n }}\n"
        for port, ssl in zip(ports, ("no", "yes"), strict=True)
    )
    more = (
        "haproxy_trusted_networks = 127.0.0.0/8, ::1\nhaproxy_timeout = 1s\n"
        f"service imap-login {{\n{listeners}}}\n"
    )
    with dovecot(more=more) as running:
        yield running, *ports


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_server_behind_a_proxy_gets_its_header(
    proxied: tuple[Dovecot, int, int], version: str, tls: bool, host: str
) -> None:
    server, plain_port, tls_port = proxied
    port = tls_port if tls else plain_port
    source = host if ":" in host else "127.0.0.9"
    options = ["-p", str(port), "--proxy-protocol", version, "--source", source]
    options += ["--tls", "--insecure"] if tls else []
    result = run("-H", host, *options)
    shown = f"[{host}]" if ":" in host else host
    assert result[:2] == (0, f"IMAP4 OK - {shown}:{port} greeting in T s, logged out")
    assert f"rip={source}," in server.log.read_text().splitlines()[-1]


def test_server_behind_a_proxy_does_not_greet_without_the_header(proxied: tuple[Dovecot, int, int]) -> None:
    _, port, _ = proxied
    result = run("-H", "127.0.0.1", "-p", str(port), "-v", timeout="10")
    assert (result.code, result.line.rpartition(" ")[2]) == (2, "[greeting.closed]")
    assert "Does it want a proxy's header (--proxy-protocol)?" in result.output
