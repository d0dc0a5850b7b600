"""The check against real TLS: certificates, versions, handshakes that go wrong, STARTTLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.certificates import Authority, self_signed
from tests.machines.plugin import Run, run
from tests.machines.scripted import Peer, ScriptedServer, good

PASSED = "time resolve connect tls greeting logout certificate"
FAILED = "time resolve connect certificate"
UNFINISHED = "time resolve connect"
"""The perfdata of a handshake that ended before the certificate came."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, which is not the server's."""
    return Authority(tmp_path_factory.mktemp("tls"))


def check(server: ScriptedServer, *options: str, host: str = "127.0.0.1", timeout: str = "5") -> Run:
    """Run the plugin with the server's port; in the line, the port becomes PORT."""
    result = run("-H", host, "-p", str(server.port), *options, timeout=timeout)
    return result._replace(line=result.line.replace(f":{server.port} ", ":PORT "))


def trusting(authority: Authority) -> tuple[str, ...]:
    return ("--tls", "--ca-file", authority.file)


def ok(host: str = "127.0.0.1") -> tuple[int, str, str]:
    return 0, f"IMAP4 OK - {host}:PORT greeting in T s, logged out", PASSED


def critical(problem: str, perfdata: str = FAILED) -> tuple[int, str, str]:
    return 2, f"IMAP4 CRITICAL - 127.0.0.1:PORT {problem}", perfdata


# Trust


def test_certificate_of_a_trusted_authority_passes(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server()) as server:
        assert check(server, "--tls", "--ca-file", authority.file)[:3] == ok()


def test_folder_of_authorities_is_trusted(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server()) as server:
        assert check(server, "--tls", "--ca-file", str(authority.folder))[:3] == ok()


def test_certificate_of_another_authority_is_critical(authority: Authority, stranger: Authority) -> None:
    with ScriptedServer(good, tls=authority.server()) as server:
        result = check(server, *trusting(stranger))
    problem = "certificate not trusted: unable to get local issuer certificate [tls.untrusted]"
    assert result[:3] == critical(problem)


def test_self_signed_certificate_is_critical_unless_trusted(authority: Authority, tmp_path: Path) -> None:
    certificate, context = self_signed(tmp_path)
    with ScriptedServer(good, tls=context) as server:
        refused = check(server, *trusting(authority))
        trusted = check(server, "--tls", "--ca-file", certificate)
    assert refused[:3] == critical("certificate not trusted: self-signed certificate [tls.untrusted]")
    assert trusted[:3] == ok()


def test_system_store_is_used_by_default(authority: Authority) -> None:
    # OpenSSL's own variable stands for the store: nobody's machine is changed for a test.
    with ScriptedServer(good, tls=authority.server()) as server:
        port = str(server.port)
        trusted = run("-H", "127.0.0.1", "-p", port, "--tls", env={"SSL_CERT_FILE": authority.file})
        refused = check(server, "--tls")
    assert trusted[:3] == (0, f"IMAP4 OK - 127.0.0.1:{port} greeting in T s, logged out", PASSED)
    problem = "certificate not trusted: unable to get local issuer certificate [tls.untrusted]"
    assert refused[:3] == critical(problem)


def test_ca_file_replaces_the_system_store(authority: Authority, stranger: Authority) -> None:
    with ScriptedServer(good, tls=authority.server()) as server:
        options = ("-H", "127.0.0.1", "-p", str(server.port), *trusting(stranger))
        result = run(*options, env={"SSL_CERT_FILE": authority.file})
    assert (result.code, result.line.rpartition(" ")[2]) == (2, "[tls.untrusted]")


def test_insecure_passes_what_is_not_trusted(stranger: Authority) -> None:
    with ScriptedServer(good, tls=stranger.server("other.example.test", days=-3.52)) as server:
        assert check(server, "--tls", "--insecure")[:3] == ok()


# Validity


def test_expired_certificate_is_critical(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server(days=-3.52)) as server:
        result = check(server, *trusting(authority))
    assert result[:3] == critical("certificate has expired [tls.expired]")
    assert " certificate=-3.52" in result.output


def test_certificate_that_is_not_yet_valid_is_critical(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server(begun=1.0)) as server:
        result = check(server, *trusting(authority))
    assert result[:3] == critical("certificate is not yet valid [tls.not_yet_valid]")


@pytest.mark.parametrize("way", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("limits", "code", "state", "perfdata"),
    [
        ("5", 0, "OK", "5:"),
        ("10.6", 1, "WARNING", "10.6:"),
        ("30,10", 1, "WARNING", "30:;10:"),
        ("30,14", 2, "CRITICAL", "30:;14:"),
        ("30,30", 2, "CRITICAL", "30:;30:"),
    ],
)
def test_days_left_are_judged(
    authority: Authority, way: str, limits: str, code: int, state: str, perfdata: str
) -> None:
    context = authority.server(days=10.52)

    def starttls(peer: Peer) -> None:
        accept_starttls(peer)
        peer.start_tls(context)
        peer.logout()

    server = ScriptedServer(good, tls=context) if way == "tls" else ScriptedServer(starttls)
    with server:
        result = check(server, f"--{way}", "--ca-file", authority.file, "-D", limits)
    hint = "" if state == "OK" else ", certificate ends in 10.5 days"
    line = f"IMAP4 {state} - 127.0.0.1:PORT greeting in T s, logged out{hint}"
    assert result[:2] == (code, line)
    assert result.output.endswith(f" certificate=10.52;{perfdata}\n")


def test_days_left_are_told_of_an_expired_certificate_too(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server(days=-3.52)) as server:
        result = check(server, *trusting(authority), "-D", "30,14")
    assert result[:3] == critical("certificate has expired, certificate ended 3.5 days ago [tls.expired]")
    assert result.output.endswith(" certificate=-3.52;30:;14:\n")


def test_days_left_are_told_of_an_untrusted_certificate_too(
    authority: Authority, stranger: Authority
) -> None:
    with ScriptedServer(good, tls=authority.server(days=10.52)) as server:
        result = check(server, *trusting(stranger), "-D", "30,14")
    problem = "certificate not trusted: unable to get local issuer certificate"
    assert result[:3] == critical(f"{problem}, certificate ends in 10.5 days [tls.untrusted]")
    assert result.output.endswith(" certificate=10.52;30:;14:\n")


def test_days_left_count_even_where_nothing_else_is_verified(stranger: Authority) -> None:
    with ScriptedServer(good, tls=stranger.server(days=-3.52)) as server:
        result = check(server, "--tls", "--insecure", "-D", "30")
    line = "IMAP4 WARNING - 127.0.0.1:PORT greeting in T s, logged out, certificate ended 3.5 days ago"
    assert result[:3] == (1, line, PASSED)


# Names


def test_wrong_name_is_critical(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server("mail.example.test")) as server:
        result = check(server, *trusting(authority), "-4", host="localhost")
    problem = "Hostname mismatch, certificate is not valid for localhost. [tls.name]"
    line = f"IMAP4 CRITICAL - localhost:PORT wrong name in the certificate: {problem}"
    assert result[:3] == (2, line, FAILED)


def test_address_that_is_not_in_the_certificate_is_critical(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server("localhost")) as server:
        result = check(server, *trusting(authority))
    problem = "IP address mismatch, certificate is not valid for 127.0.0.1. [tls.name]"
    assert result[:3] == critical(f"wrong name in the certificate: {problem}")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]"])
def test_address_in_the_certificate_passes(authority: Authority, host: str) -> None:
    address = host.strip("[]")
    with ScriptedServer(good, host=address, tls=authority.server(address)) as server:
        shown = "[::1]" if ":" in host else host
        assert check(server, *trusting(authority), host=host)[:3] == ok(shown)


@pytest.mark.parametrize("name", ["mail.example.test", "anything.sub.example.test"])
def test_server_name_is_asked_for_and_looked_for(authority: Authority, name: str) -> None:
    context = authority.server("mail.example.test", "*.sub.example.test")
    asked: list[str | None] = []

    def ask(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = ask
    with ScriptedServer(good, tls=context) as server:
        assert check(server, *trusting(authority), "--server-name", name)[:3] == ok()
    assert asked == [name]


# Client certificates


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
class TestClientCertificate:
    @pytest.fixture
    def context(self, authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = authority.require_client_certificate(authority.server())
        context.minimum_version = context.maximum_version = version
        return context

    def test_given_it_passes(self, authority: Authority, context: ssl.SSLContext, tmp_path: Path) -> None:
        certificate, key = authority.client_files(tmp_path)
        options = (*trusting(authority), "--client-cert", certificate, "--client-key", key)
        with ScriptedServer(good, tls=context) as server:
            assert check(server, *options)[:3] == ok()

    def test_in_one_file_with_its_key_it_passes(
        self, authority: Authority, context: ssl.SSLContext, tmp_path: Path
    ) -> None:
        certificate, key = authority.client_files(tmp_path)
        both = tmp_path / "both.pem"
        both.touch(mode=0o600)
        both.write_text(Path(certificate).read_text() + Path(key).read_text())
        with ScriptedServer(good, tls=context) as server:
            assert check(server, *trusting(authority), "--client-cert", str(both))[:3] == ok()

    def test_not_given_it_is_critical(
        self, authority: Authority, context: ssl.SSLContext, version: ssl.TLSVersion
    ) -> None:
        with ScriptedServer(good, tls=context) as server:
            result = check(server, *trusting(authority))
        problem = "the server wants a client certificate [tls.client_certificate]"
        # In TLS 1.3 the client's handshake is over before the server has seen its certificate.
        phases = "time resolve connect tls" if version is ssl.TLSVersion.TLSv1_3 else UNFINISHED
        assert result[:3] == critical(problem, f"{phases} certificate")

    def test_of_another_authority_it_is_critical(
        self,
        authority: Authority,
        stranger: Authority,
        context: ssl.SSLContext,
        version: ssl.TLSVersion,
        tmp_path: Path,
    ) -> None:
        certificate, key = stranger.client_files(tmp_path)
        options = (*trusting(authority), "--client-cert", certificate, "--client-key", key)
        with ScriptedServer(good, tls=context) as server:
            result = check(server, *options)
        phases = "time resolve connect tls" if version is ssl.TLSVersion.TLSv1_3 else UNFINISHED
        problem = "the server does not trust the client certificate [tls.client_certificate]"
        assert result[:3] == critical(problem, f"{phases} certificate")


def test_client_certificate_with_another_key_is_wrong_use(authority: Authority, tmp_path: Path) -> None:
    certificate, _ = authority.client_files(tmp_path)
    (tmp_path / "other").mkdir()
    _, key = authority.client_files(tmp_path / "other")
    result = run("-H", "127.0.0.1", "--tls", "--client-cert", certificate, "--client-key", key)
    problem = f"argument --client-cert: {certificate} or its key is not usable: key values mismatch"
    assert result[:3] == (3, f"IMAP4 UNKNOWN - {problem}", "")


def test_client_key_with_a_passphrase_is_wrong_use(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.client_files(tmp_path)
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    result = run("-H", "127.0.0.1", "--tls", "--client-cert", certificate, "--client-key", str(locked))
    problem = "argument --client-key: the key needs a passphrase; a check cannot ask for one"
    assert result[:3] == (3, f"IMAP4 UNKNOWN - {problem}", "")


# Versions


def test_server_without_tls_1_3_is_critical_where_that_is_the_least(authority: Authority) -> None:
    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with ScriptedServer(good, tls=context) as server:
        refused = check(server, *trusting(authority), "--tls-min", "1.3")
        taken = check(server, *trusting(authority), "-v")
    problem = "the server does not speak a TLS version that is allowed here [tls.handshake]"
    assert refused[:3] == critical(problem, UNFINISHED)
    assert taken[:3] == ok()
    assert "\nTLS: TLSv1.2, " in taken.output


def test_server_with_nothing_newer_than_tls_1_1_is_critical(authority: Authority) -> None:
    context = authority.server()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with ScriptedServer(good, tls=context) as server:
        result = check(server, *trusting(authority))
    problem = "the server does not speak a TLS version that is allowed here [tls.handshake]"
    assert result[:3] == critical(problem, UNFINISHED)


def test_server_without_a_common_cipher_is_critical(authority: Authority) -> None:
    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-CAMELLIA256-SHA384")
    with ScriptedServer(good, tls=context) as server:
        result = check(server, *trusting(authority))
    problem = "the server refuses the TLS handshake (version, cipher, certificate?) [tls.handshake]"
    assert result[:3] == critical(problem, UNFINISHED)


# Handshakes and endings


def test_stalled_handshake_is_critical_in_time(authority: Authority) -> None:
    with ScriptedServer(Peer.wait) as server:
        result = check(server, *trusting(authority), timeout="0.7")
    assert result[:3] == critical("TLS handshake not done within 0.7 s [tls.timeout]", UNFINISHED)


def dripping(target: ScriptedServer, pause: float) -> ScriptedServer:
    """A server that passes on what ``target`` says byte by byte, with a pause after each."""

    def script(peer: Peer) -> None:
        with socket.create_connection((target.host, target.port)) as upstream:

            def forward() -> None:
                with contextlib.suppress(OSError):
                    while data := peer.socket.recv(4096):
                        upstream.sendall(data)
                    upstream.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=forward, daemon=True)
            thread.start()
            while (byte := upstream.recv(1)) and not peer.stopped.is_set():
                peer.send(byte)
                peer.pause(pause)
            peer.socket.shutdown(socket.SHUT_WR)
            thread.join(5)

    return ScriptedServer(script)


def test_handshake_byte_by_byte_passes(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server()) as target, dripping(target, 0) as server:
        assert check(server, *trusting(authority))[:3] == ok()


def test_handshake_that_drips_for_ever_is_critical_in_time(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server()) as target, dripping(target, 0.05) as server:
        result = check(server, *trusting(authority), timeout="0.7")
    assert result[:3] == critical("TLS handshake not done within 0.7 s [tls.timeout]", UNFINISHED)


def test_server_that_hangs_up_in_the_handshake_is_critical(authority: Authority) -> None:
    def hang_up(peer: Peer) -> None:
        peer.socket.recv(4096)

    with ScriptedServer(hang_up) as server:
        result = check(server, *trusting(authority))
    problem = "the server closed the connection during the TLS handshake [tls.handshake]"
    assert result[:3] == critical(problem, UNFINISHED)


def test_server_that_resets_in_the_handshake_is_critical(authority: Authority) -> None:
    def reset(peer: Peer) -> None:
        peer.socket.recv(4096)
        peer.reset()

    with ScriptedServer(reset) as server:
        result = check(server, *trusting(authority))
    problem = "the server closed the connection during the TLS handshake [tls.handshake]"
    assert result[:3] == critical(problem, UNFINISHED)


def test_close_notify_is_sent_and_answered(authority: Authority) -> None:
    ended: list[str] = []

    def script(peer: Peer) -> None:
        good(peer)
        assert isinstance(peer.socket, ssl.SSLSocket)
        # Returns only when the client's close_notify has come too.
        peer.socket.unwrap()
        ended.append("with close_notify")

    with ScriptedServer(script, tls=authority.server()) as server:
        assert check(server, *trusting(authority))[:3] == ok()
    assert ended == ["with close_notify"]


def test_server_that_omits_close_notify_is_fine(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        good(peer)
        peer.socket.shutdown(socket.SHUT_RDWR)

    with ScriptedServer(script, tls=authority.server()) as server:
        assert check(server, *trusting(authority))[:3] == ok()
        assert server.resets == 0


def test_server_that_never_closes_tls_does_not_hold_up_the_check(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        good(peer)
        peer.stopped.wait(5)

    with ScriptedServer(script, tls=authority.server()) as server:
        assert check(server, *trusting(authority), timeout="0.7")[:3] == ok()


def test_server_that_closes_after_the_handshake_is_critical(authority: Authority) -> None:
    with ScriptedServer(lambda peer: None, tls=authority.server()) as server:
        result = check(server, *trusting(authority))
    problem = "connection closed before the greeting [greeting.closed]"
    assert result[:3] == critical(problem, "time resolve connect tls certificate")


def test_silence_after_the_handshake_is_critical_in_time(authority: Authority) -> None:
    with ScriptedServer(lambda peer: peer.pause(5), tls=authority.server()) as server:
        result = check(server, *trusting(authority), timeout="0.7")
    problem = "no greeting within 0.7 s [greeting.timeout]"
    assert result[:3] == critical(problem, "time resolve connect tls certificate")


def closes_with_notice(peer: Peer) -> None:
    assert isinstance(peer.socket, ssl.SSLSocket)
    peer.socket.unwrap()


def closes(peer: Peer) -> None:
    peer.socket.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("end", [closes_with_notice, closes])
def test_server_that_goes_away_at_logout_is_a_warning(
    authority: Authority, end: Callable[[Peer], None]
) -> None:
    def script(peer: Peer) -> None:
        peer.send("* OK ready\r\n")
        peer.command()
        end(peer)

    with ScriptedServer(script, tls=authority.server()) as server:
        result = check(server, *trusting(authority))
    problem = "connection closed before the answer to LOGOUT [logout.closed]"
    line = f"IMAP4 WARNING - 127.0.0.1:PORT greeting in T s, {problem}"
    assert result[:3] == (1, line, "time resolve connect tls greeting certificate")


# The wrong port


def test_plain_server_on_a_tls_port_is_critical(authority: Authority) -> None:
    with ScriptedServer(good) as server:
        result = check(server, *trusting(authority))
    problem = "the server does not speak TLS on this port [tls.handshake]"
    assert result[:3] == critical(problem, UNFINISHED)


def test_tls_server_on_a_plain_port_is_critical(authority: Authority) -> None:
    with ScriptedServer(good, tls=authority.server()) as server:
        result = check(server, timeout="0.7")
    assert result[:3] == critical("no greeting within 0.7 s [greeting.timeout]", UNFINISHED)


# STARTTLS


def accept_starttls(peer: Peer, more: str = "") -> None:
    """Greet, offer STARTTLS and say OK to it."""
    peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
    tag, command = peer.command()
    assert command == "STARTTLS"
    peer.send(f"{tag} OK begin TLS\r\n{more}")


STARTED = "time resolve connect greeting"


def test_capabilities_are_asked_for_before_starttls_and_after(authority: Authority) -> None:
    context = authority.server()

    def script(peer: Peer) -> None:
        peer.send("* OK ready\r\n")
        tag, _ = peer.command()
        peer.send(f"* CAPABILITY IMAP4rev1 STARTTLS X-FORGED\r\n{tag} OK done\r\n")
        tag, _ = peer.command()
        peer.send(f"{tag} OK begin TLS\r\n")
        peer.start_tls(context)
        tag, _ = peer.command()
        peer.send(f"* CAPABILITY IMAP4rev1 X-TRUE\r\n{tag} OK done\r\n")
        peer.logout()

    with ScriptedServer(script) as server:
        options = ("--starttls", "--ca-file", authority.file)
        true = check(server, *options, "--capability", "X-TRUE")
        forged = check(server, *options, "--capability", "X-FORGED")
    perfdata = "time resolve connect greeting tls capability logout certificate"
    assert true[:3] == (0, "IMAP4 OK - 127.0.0.1:PORT greeting in T s, logged out", perfdata)
    problem = "capability X-FORGED is not offered before login [capability.missing]"
    assert forged[:3] == critical(problem, f"{STARTED} tls certificate")


def test_text_in_the_segment_of_the_starttls_answer_is_an_injection(authority: Authority) -> None:
    context = authority.server()

    def script(peer: Peer) -> None:
        accept_starttls(peer, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
        peer.start_tls(context)
        good(peer)

    with ScriptedServer(script) as server:
        result = check(server, "--starttls", "--ca-file", authority.file)
    problem = "text was sent in the clear after the answer to STARTTLS [starttls.injection]"
    assert result[:3] == critical(problem, STARTED)


def test_text_in_a_later_segment_never_counts(authority: Authority) -> None:
    context = authority.server()

    def script(peer: Peer) -> None:
        accept_starttls(peer)
        # The client has begun its handshake when this comes.
        peer.socket.recv(1, socket.MSG_PEEK)
        peer.send("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
        peer.start_tls(context)
        good(peer)

    with ScriptedServer(script) as server:
        result = check(server, "--starttls", "--ca-file", authority.file)
    problem = "the server answers STARTTLS with OK, but does not begin TLS [tls.handshake]"
    assert result[:3] == critical(problem, STARTED)


def test_untrusted_certificate_after_starttls_is_critical(authority: Authority, stranger: Authority) -> None:
    context = authority.server()

    def script(peer: Peer) -> None:
        accept_starttls(peer)
        peer.start_tls(context)
        peer.logout()

    with ScriptedServer(script) as server:
        result = check(server, "--starttls", "--ca-file", stranger.file)
    problem = "certificate not trusted: unable to get local issuer certificate [tls.untrusted]"
    assert result[:3] == critical(problem, f"{STARTED} certificate")


def test_stalled_handshake_after_starttls_is_critical_in_time(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        accept_starttls(peer)
        peer.wait()

    with ScriptedServer(script) as server:
        result = check(server, "--starttls", "--ca-file", authority.file, timeout="0.7")
    assert result[:3] == critical("TLS handshake not done within 0.7 s [tls.timeout]", STARTED)


def test_starttls_that_is_not_answered_is_critical_in_time(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
        peer.wait()

    with ScriptedServer(script) as server:
        result = check(server, "--starttls", "--ca-file", authority.file, timeout="0.7")
    assert result[:3] == critical("no answer to STARTTLS within 0.7 s [starttls.timeout]", STARTED)


@pytest.mark.parametrize(
    ("greeting", "answer", "problem"),
    [
        ("* OK [CAPABILITY IMAP4rev1] ready", "", "STARTTLS is not offered"),
        (
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready",
            "NO no certificate here",
            "STARTTLS answered NO: no certificate here",
        ),
        ("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready", "BAD what?", "STARTTLS answered BAD: what?"),
        (
            "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome",
            "",
            "greeting is PREAUTH, after which STARTTLS is not possible, greeting is PREAUTH",
        ),
    ],
    ids=["not-offered", "no", "bad", "preauth"],
)
def test_server_without_starttls_is_critical(
    authority: Authority, greeting: str, answer: str, problem: str
) -> None:
    def script(peer: Peer) -> None:
        peer.send(f"{greeting}\r\n")
        tag, command = peer.command()
        if command == "CAPABILITY":  # the list in the greeting need not be whole
            peer.send(f"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n")
        elif answer:
            peer.send(f"{tag} {answer}\r\n")
        peer.wait()

    with ScriptedServer(script) as server:
        result = check(server, "--starttls", "--ca-file", authority.file)
    assert result[:3] == critical(f"{problem} [starttls.refused]", STARTED)
