"""Reports: what they may hold, and peers that are not Icinga, or not well."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from imap4.deadline import Deadline
from imap4.monitor.engines.icinga2.api import IcingaReporter, KeptConnection
from imap4.monitor.engines.nagios.reporter import NagiosReporter
from imap4.monitor.engines.report import LONGEST, Report, ReportError, cleaned
from imap4.monitor.engines.reporters import reporter_from
from tests.unit.imap4.monitor.conftest import Run

REPORT = Report("mail", "Mail", "restarted")


@given(st.text())
def test_a_report_is_one_line_of_plain_text(text: str) -> None:
    made = cleaned(text)
    assert len(made) <= LONGEST
    assert not set(made) & set("<>|`$\r\n\0\x1b\x85\u2028")
    made.encode()


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """A file with a password that nobody else may read."""
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text("made-up\n")
    return path


class Server:
    """A TLS server that sends ``answer`` byte by byte, and then nothing more."""

    def __init__(self, name: str, folder: Path, answer: bytes = b"", pause: float = 0.05) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._answer, self._pause = answer, pause
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            plain, _ = self._listener.accept()
            with self._context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                for byte in self._answer:
                    connection.sendall(bytes([byte]))
                    time.sleep(self._pause)
                connection.recv(1)
        except OSError:
            return

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for 127.0.0.1, or for the name that the test gives, that answers slowly and for ever."""
    made = Server(getattr(request, "param", "127.0.0.1"), tmp_path, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2000)
    yield made
    made.close()


def reporter(server: Server, password: Path) -> IcingaReporter:
    """A reporter to the server."""
    return IcingaReporter("127.0.0.1", server.port, "me", str(password), str(server.ca_file))


def test_a_peer_that_drips_bytes_holds_nobody_beyond_the_deadline(server: Server, password: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(ReportError) as caught:
        reporter(server, password).send(REPORT, Deadline(0.6))
    assert time.monotonic() - begin < 5
    where = f"Icinga's API at 127.0.0.1:{server.port}, add-comment"
    assert str(caught.value) == f"{where}: no answer within 0.6 s"


@pytest.mark.parametrize("server", ["other.example.org"], indirect=True)
def test_a_certificate_for_another_name_is_refused(server: Server, password: Path) -> None:
    with pytest.raises(ReportError, match=r"the certificate is not trusted: .* mismatch"):
        reporter(server, password).send(REPORT, Deadline(5))


def test_a_certificate_of_another_authority_is_refused(
    server: Server, password: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    strict = IcingaReporter("127.0.0.1", server.port, "me", str(password), str(other))
    with pytest.raises(ReportError, match=r"the certificate is not trusted: .* must be signed by"):
        strict.send(REPORT, Deadline(5))


def test_a_password_that_others_can_read_is_refused(server: Server, password: Path) -> None:
    password.chmod(0o640)
    with pytest.raises(ReportError) as caught:
        reporter(server, password).send(REPORT, Deadline(5))
    assert str(caught.value) == (
        f"Icinga's API: the password file {password} is open to group or others (mode 0640); "
        f"run: chmod 600 {password}"
    )


def test_nobody_listening_is_one_clear_line(password: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "ca").write_text("")
    with pytest.raises(ReportError) as caught:
        IcingaReporter("127.0.0.1", port, "me", str(password), str(tmp_path / "ca")).send(REPORT, Deadline(5))
    assert str(caught.value) == f"Icinga's API at 127.0.0.1:{port}, add-comment: Connection refused"


def test_the_environment_says_which_engine(password: Path) -> None:
    assert reporter_from({}) is None
    assert reporter_from({"IMAP4_NAGIOS_COMMAND_FILE": "/x"}) == NagiosReporter("/x")
    found = reporter_from(
        {
            "IMAP4_ICINGA_API": "https://[::1]:5000/",
            "IMAP4_ICINGA_PASSWORD_FILE": str(password),
            "IMAP4_ICINGA_SERVER_NAME": "icinga",
        }
    )
    meant = IcingaReporter("::1", 5000, "imap4-recovery", str(password), server_name="icinga")
    assert found == meant


@pytest.mark.parametrize(
    "url", ["http://icinga:5665", "https://", "icinga", "https://me:x@icinga", "https://h:x"]
)
def test_what_is_no_https_address_is_refused(url: str) -> None:
    with pytest.raises(ReportError, match="is no address like https"):
        reporter_from({"IMAP4_ICINGA_API": url})


def test_the_command_says_what_is_missing(imap4_monitor: Run) -> None:
    ended = imap4_monitor("comment", "--host", "mail", "--service", "Mail", "restarted")
    said = "comment: no engine; set IMAP4_NAGIOS_COMMAND_FILE or IMAP4_ICINGA_API\n"
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", said, 3)


def test_a_resolver_that_does_not_answer_holds_nobody_beyond_the_deadline(
    password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's resolver cannot be made silent here without a name server; its call is held instead."""
    silent, real = threading.Event(), socket.getaddrinfo

    def look_up(host: bytes, port: int, family: int, kind: int, protocol: int, flags: int) -> object:
        if not flags & socket.AI_NUMERICHOST:
            silent.wait(30)
        return real(host, port, family, kind, protocol, flags)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    begin = time.monotonic()
    with pytest.raises(ReportError) as caught:
        IcingaReporter("icinga.invalid", 5665, "me", str(password)).send(REPORT, Deadline(0.5))
    silent.set()
    assert time.monotonic() - begin < 5
    where = "Icinga's API at icinga.invalid:5665, add-comment"
    assert str(caught.value) == f"{where}: name not resolved within 0.5 s"


def test_a_name_that_can_be_no_name_is_one_clear_line(password: Path) -> None:
    name = "x" * 64 + "\u00e4.example.org"
    with pytest.raises(ReportError) as caught:
        IcingaReporter(name, 5665, "me", str(password)).send(REPORT, Deadline(5))
    where = f"Icinga's API at {name}:5665, add-comment"
    assert str(caught.value) == f"{where}: that is no host's name: not a name by IDNA 2008: Label too long"


class Keeping:
    """A TLS server that answers some requests on each connection, and then closes it without a word."""

    def __init__(self, folder: Path, each: int) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = self.requests = 0
        self._each = each
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        body = b'{"results":[{"code":200.0}]}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        while True:
            plain, _ = self._listener.accept()
            self.connections += 1
            with self._context.wrap_socket(plain, server_side=True) as connection:
                for _ in range(self._each):
                    data = b""
                    while b'"exit_status": 0}' not in data:
                        data += connection.recv(65536)
                    self.requests += 1
                    connection.sendall(answer)


def test_a_kept_connection_is_used_again_and_made_anew_when_it_was_closed(
    tmp_path: Path, password: Path
) -> None:
    server = Keeping(tmp_path, 2)
    reporter = IcingaReporter("localhost", server.port, "u", str(password), str(server.ca_file))
    kept = KeptConnection()
    for _ in range(5):
        reporter.check_result("mail", "Mail", {"exit_status": 0}, Deadline(10), kept)
    assert (server.requests, server.connections) == (5, 3)
