"""The check and chains of certificates: which one ends first, which is to blame, what the hint says."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.machines.chains import Issued, issue, serving, write, write_with_key
from tests.machines.plugin import Run, run
from tests.machines.scripted import Peer, ScriptedServer, good

FAILED = "time resolve connect certificate"
PASSED = "time resolve connect tls greeting logout certificate"


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("Root of Trust", days=3000, authority=True)


def check(context: ssl.SSLContext, *options: str) -> Run:
    with ScriptedServer(good, tls=context) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "--tls", *options)
    return result._replace(line=result.line.replace(f":{server.port} ", ":PORT "))


def judged(state: int, text: str, perfdata: str = FAILED) -> tuple[int, str, str]:
    return state, f"IMAP4 {('OK', 'WARNING', 'CRITICAL')[state]} - 127.0.0.1:PORT {text}", perfdata


# Which one ends first


@pytest.mark.parametrize(
    ("middle", "leaf", "state", "remark", "days"),
    [
        (400, 100.52, 0, "", "100.52"),
        (10.52, 100.52, 1, ", certificate of Middle and Sons ends in 10.5 days", "10.52"),
        (5.52, 100.52, 2, ", certificate of Middle and Sons ends in 5.5 days", "5.52"),
        (10.52, 5.52, 2, ", certificate ends in 5.5 days", "5.52"),
    ],
)
def test_earliest_end_in_the_chain_counts(
    root: Issued, tmp_path: Path, middle: float, leaf: float, state: int, remark: str, days: str
) -> None:
    intermediate = issue("Middle and Sons", root, days=middle, authority=True)
    chain = issue("localhost", intermediate, days=leaf), intermediate
    result = check(serving(tmp_path, *chain), "--ca-file", write(tmp_path / "ca", root), "-D", "30,7")
    assert result[:3] == judged(state, f"greeting in T s, logged out{remark}", PASSED)
    assert result.output.endswith(f" certificate={days};30:;7:\n")


def test_root_in_the_store_counts_and_one_that_is_only_sent_does_not(tmp_path: Path) -> None:
    root = issue("Old Root", days=10.52, authority=True)
    leaf = issue("localhost", root)
    stray = issue("Stray", days=3.52, authority=True)
    context = serving(tmp_path, leaf, stray)
    result = check(context, "--ca-file", write(tmp_path / "ca", root), "-D", "30")
    remark = "certificate of Old Root ends in 10.5 days"
    assert result[:3] == judged(1, f"greeting in T s, logged out, {remark}", PASSED)
    result = check(context, "--insecure", "-D", "30")
    assert result[:3] == judged(0, "greeting in T s, logged out", PASSED)


# Which one is to blame


def test_expired_intermediate_is_told_as_such(root: Issued, tmp_path: Path) -> None:
    intermediate = issue("Middle and Sons", root, days=-3.52, authority=True)
    chain = issue("localhost", intermediate), intermediate
    result = check(serving(tmp_path, *chain), "--ca-file", write(tmp_path / "ca", root), "-D", "30")
    problem = "certificate of Middle and Sons has expired, certificate of Middle and Sons ended 3.5 days ago"
    assert result[:3] == judged(2, f"{problem} [tls.expired]")


def test_expired_root_in_the_store_is_told_as_such(tmp_path: Path) -> None:
    root = issue("Old Root", days=-3.52, authority=True)
    leaf = issue("localhost", root)
    result = check(serving(tmp_path, leaf), "--ca-file", write(tmp_path / "ca", root))
    problem = "an authority's certificate on this machine, above localhost, has expired [tls.expired]"
    assert result[:3] == judged(2, problem)


def test_intermediate_of_tomorrow_is_not_yet_valid(root: Issued, tmp_path: Path) -> None:
    intermediate = issue("Middle and Sons", root, begun=1, authority=True)
    chain = issue("localhost", intermediate), intermediate
    result = check(serving(tmp_path, *chain), "--ca-file", write(tmp_path / "ca", root))
    assert result[:3] == judged(2, "certificate of Middle and Sons is not yet valid [tls.not_yet_valid]")


# Hints


def hint(result: Run) -> str:
    return result.output.splitlines()[-1].removeprefix("hint: ")


def test_missing_intermediate_has_its_hint(root: Issued, tmp_path: Path) -> None:
    intermediate = issue("Middle and Sons", root, authority=True)
    leaf = issue("localhost", intermediate)
    result = check(serving(tmp_path, leaf), "--ca-file", write(tmp_path / "ca", root), "-v")
    problem = "certificate not trusted: unable to get local issuer certificate [tls.untrusted]"
    assert result[:3] == judged(2, problem)
    assert hint(result) == (
        "the server sends no certificate but its own: let it send that of Middle and Sons as well, "
        "or name it with --ca-file"
    )


def test_unknown_authority_has_its_hint(root: Issued, tmp_path: Path) -> None:
    intermediate = issue("Middle and Sons", root, authority=True)
    context = serving(tmp_path, issue("localhost", intermediate), intermediate)
    stranger = write(tmp_path / "ca", issue("Stranger", authority=True))
    result = check(context, "--ca-file", stranger, "-v")
    assert hint(result) == "nobody here knows Root of Trust: name its certificate with --ca-file"
    whole = serving(tmp_path, issue("localhost", intermediate), intermediate, root)
    result = check(whole, "--ca-file", stranger, "-v")
    assert "self-signed certificate in certificate chain [tls.untrusted]" in result.line
    assert hint(result) == (
        "the server's authority is not known on this machine: name its own certificate with --ca-file"
    )


def test_self_signed_certificate_has_its_hint(root: Issued, tmp_path: Path) -> None:
    result = check(serving(tmp_path, issue("localhost")), "--ca-file", write(tmp_path / "ca", root), "-v")
    assert "certificate not trusted: self-signed certificate [tls.untrusted]" in result.line
    assert hint(result) == (
        "the certificate signed itself: name it with --ca-file, or have an authority sign one"
    )


def test_half_a_chain_in_the_ca_file_does_not_do(root: Issued, tmp_path: Path) -> None:
    # Python's default context takes it from 3.13 on; the check's verdict does not hang on the Python.
    intermediate = issue("Middle and Sons", root, authority=True)
    context = serving(tmp_path, issue("localhost", intermediate), intermediate)
    result = check(context, "--ca-file", write(tmp_path / "ca", intermediate), "-v")
    assert result.line.endswith("unable to get issuer certificate [tls.untrusted]")
    assert hint(result) == "--ca-file must lead up to the authority's own certificate, which signed itself"


def test_certificate_with_only_a_common_name_does_not_pass(root: Issued, tmp_path: Path) -> None:
    context = serving(tmp_path, issue("localhost", root, names=False))
    options = ("--ca-file", write(tmp_path / "ca", root), "--server-name", "localhost", "-v")
    result = check(context, *options)
    problem = "wrong name in the certificate: it has only a common name, which does not count [tls.name]"
    assert result[:3] == judged(2, problem)
    assert hint(result) == "renew the certificate with its names as subjectAltName (RFC 9525 section 6.3)"


def test_old_company_authority_is_trusted(tmp_path: Path) -> None:
    """Python's default context refuses it from 3.13 on (VERIFY_X509_STRICT)."""
    root = issue("Company 1999", authority=True, old=True)
    leaf = issue("localhost", root, old=True)
    result = check(serving(tmp_path, leaf), "--ca-file", write(tmp_path / "ca", root))
    assert result[:3] == judged(0, "greeting in T s, logged out", PASSED)


# Old servers


def old_versions(context: ssl.SSLContext) -> None:
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1


def test_server_of_tls_1_0_can_be_tested(root: Issued, tmp_path: Path) -> None:
    context = serving(tmp_path, issue("localhost", root))
    old_versions(context)
    trust = ("--ca-file", write(tmp_path / "ca", root))
    refused, taken = check(context, *trust, "-v"), check(context, *trust, "--tls-min", "1.0", "-v")
    assert "[tls.handshake]" in refused.line
    assert hint(refused) == "it is an old server: see --tls-min and --tls-security-level"
    assert taken[:3] == judged(0, "greeting in T s, logged out", PASSED)
    assert "\nTLS: TLSv1, " in taken.output


def test_server_of_tls_1_0_fails_where_1_1_is_the_least(root: Issued, tmp_path: Path) -> None:
    context = serving(tmp_path, issue("localhost", root))
    old_versions(context)
    result = check(context, "--ca-file", write(tmp_path / "ca", root), "--tls-min", "1.1")
    assert (result.code, result.line.rpartition(" ")[2]) == (2, "[tls.handshake]")


def test_rsa_key_exchange_and_small_keys_can_be_tested(root: Issued, tmp_path: Path) -> None:
    # 1024 bits: what OpenSSL's level 2, Debian's, refuses.
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the check is to be told of it
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    leaf = issue("localhost", root, key=key)
    context.load_cert_chain(write_with_key(tmp_path / "server.pem", leaf))
    trust = ("--ca-file", write(tmp_path / "ca", root))
    refused, taken = check(context, *trust), check(context, *trust, "--tls-security-level", "0", "-v")
    # OpenSSL 3.0 has no cipher in common with that server at level 2; 3.5 has, and then refuses the key.
    refusals = (
        judged(2, "the server refuses the TLS handshake (version, cipher, certificate?) [tls.handshake]")[:2],
        judged(2, "certificate not trusted: EE certificate key too weak [tls.untrusted]")[:2],
    )
    assert refused[:2] == refusals[ssl.OPENSSL_VERSION_INFO >= (3, 5)]
    assert taken[:3] == judged(0, "greeting in T s, logged out", PASSED)
    assert "\nTLS: TLSv1.2, AES128-SHA, " in taken.output


# A client's certificate after STARTTLS in TLS 1.3


def starttls(context: ssl.SSLContext | None) -> ScriptedServer:
    def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
        tag, _ = peer.command()
        peer.send(f"{tag} OK begin\r\n")
        assert context is not None
        peer.start_tls(context)
        peer.logout()

    return ScriptedServer(script)


def test_client_certificate_that_is_wanted_after_starttls_is_always_told(
    root: Issued, tmp_path: Path
) -> None:
    context = serving(tmp_path, issue("localhost", root))
    context.load_verify_locations(write(tmp_path / "ca", root))
    context.verify_mode = ssl.CERT_REQUIRED
    told = set()
    with starttls(context) as server:
        for _ in range(8):
            result = run("-H", "127.0.0.1", "-p", str(server.port), "--starttls", "--insecure")
            told.add(result.line.partition(" - ")[2].partition(" ")[2])
            assert result.code == 2
    assert told == {"the server wants a client certificate [tls.client_certificate]"}


@pytest.mark.parametrize("command", ["LOGOUT", "CAPABILITY"])
def test_server_that_hangs_up_right_after_the_handshake_is_told(
    root: Issued, tmp_path: Path, command: str
) -> None:
    """As Courier does, with GnuTLS, where it wants a client certificate: no alert, and no ticket."""
    context = serving(tmp_path, issue("localhost", root))
    context.num_tickets = 0

    def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
        tag, _ = peer.command()
        peer.send(f"{tag} OK begin\r\n")
        peer.start_tls(context)
        peer.command()

    options = ("--capability", "IDLE") if command == "CAPABILITY" else ()
    with ScriptedServer(script) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "--starttls", "--insecure", "-v", *options)
    assert result.code == 2
    assert result.line.endswith(
        "the server closed the connection right after the TLS handshake [starttls.closed]"
    )
    assert hint(result).startswith("so do servers that want a client certificate (--client-cert)")


def test_server_with_a_ticket_that_hangs_up_at_logout_is_a_warning(root: Issued, tmp_path: Path) -> None:
    context = serving(tmp_path, issue("localhost", root))

    def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
        tag, _ = peer.command()
        peer.send(f"{tag} OK begin\r\n")
        peer.start_tls(context)
        peer.command()

    with ScriptedServer(script) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "--starttls", "--insecure")
    assert (result.code, result.line.rpartition(" ")[2]) == (1, "[logout.closed]")
