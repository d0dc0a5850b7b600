"""The transport against the endpoint: what it never lets happen."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import time
from dataclasses import replace
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from imap4.deadline import Deadline
from recovery.errors import DeadlineExceeded, HostKeyRejected, LoginFailed, UsageError
from recovery.model import Ended, Secret, Target
from recovery.transports.winrm.transport import WinRmTransport
from tests.machines.winrm import trouble
from tests.machines.winrm.links import SCRIPT, Echo, connected, credential, link, refused, target
from tests.machines.winrm.listeners import HOST, Site


@pytest.mark.parametrize("where", ["Logon", "Create", "Receive"])
@pytest.mark.parametrize("how", ["trickle", "trickle_head", "silence"])
def test_no_peer_outlasts_the_deadline(site: Site, echo: Echo, where: str, how: str) -> None:
    with site.http(echo) as endpoint:
        endpoint.troubles[where] = getattr(trouble, how)
        deadline = Deadline(1.5)
        began = time.monotonic()
        if where == "Receive":
            with link(target(site, endpoint), credential(site), deadline=Deadline(20)) as transport:
                result = transport.run(SCRIPT, deadline=deadline)
                assert result.ended is Ended.LINK_LOST
        else:
            with (
                pytest.raises(DeadlineExceeded),
                link(target(site, endpoint), credential(site), deadline=deadline),
            ):
                pass
        assert time.monotonic() - began < 3


def test_an_answer_without_an_end_is_cut_off(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        endpoint.troubles["Create"] = trouble.flood
        error = refused(site, endpoint)
    assert str(error).endswith("an answer of more than 4 MiB; this is not WinRM")


def test_wrong_password_is_tried_once(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        wrong = credential(site, password=Secret("wrong"))
        with pytest.raises(LoginFailed), link(target(site, endpoint), wrong, deadline=Deadline(20)):
            pass
        assert endpoint.accounts.refused == 1


def test_no_plaintext_after_a_failed_first_connection(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        endpoint.troubles["Logon"] = trouble.after(0, trouble.close)
        refused(site, endpoint)
        endpoint.troubles.clear()
        with connected(site, endpoint) as transport:
            transport.run(SCRIPT, deadline=Deadline(20))
    assert endpoint.unencrypted == 0


@pytest.mark.parametrize("method", ["winrm-basic", "winrm-certificate"])
@pytest.mark.parametrize("port", [5985, None])
def test_methods_without_sealing_refuse_http(site: Site, method: str, port: int | None) -> None:
    place = Target(HOST, "127.0.0.1", port, None if port else "http")
    with pytest.raises(UsageError, match="would cross the network unencrypted over HTTP"):
        WinRmTransport.connect(place, credential(site, method), deadline=Deadline(5))


def test_forged_plaintext_answer_is_not_believed(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        endpoint.answer_unsealed = True
        error = refused(site, endpoint)
    assert "an answer came unencrypted where it had to be sealed" in str(error)
    assert echo.runs == 0


def test_proxies_and_netrc_of_the_environment_are_ignored(
    site: Site, echo: Echo, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine {HOST} login thief password thief\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)
        for opened, method in ((site.http, "winrm-ntlm"), (site.https, "winrm-certificate")):
            with opened(echo) as endpoint, connected(site, endpoint, method) as transport:
                assert transport.run(SCRIPT, deadline=Deadline(20)).ok
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(site: Site, echo: Echo, status: int) -> None:
    with site.http(echo) as elsewhere, site.https(echo) as endpoint:
        goal = f"http://127.0.0.1:{elsewhere.port}/wsman"
        endpoint.troubles["Logon"] = trouble.answer(status, "", ("Location", goal))
        error = refused(site, endpoint, "winrm-basic")
    assert "it redirects elsewhere, which is not followed" in str(error)
    assert elsewhere.connections == 0


def test_certificate_for_another_name_is_refused(site: Site, echo: Echo) -> None:
    with site.https(echo, "other.example.org") as endpoint:
        error = refused(site, endpoint)
    assert isinstance(error, HostKeyRejected)
    assert endpoint.accounts.accepted == 0


def test_certificate_of_an_unknown_authority_is_refused(site: Site, echo: Echo) -> None:
    stranger = replace(site, authority=trustme.CA())
    with stranger.https(echo) as endpoint:
        assert isinstance(refused(site, endpoint), HostKeyRejected)


def test_self_signed_certificate_can_be_trusted_itself(site: Site, echo: Echo, tmp_path: Any) -> None:
    with site.https(echo) as endpoint:
        assert endpoint.certificate is not None
        pinned = tmp_path / "machine.pem"
        pinned.write_text(ssl.DER_cert_to_PEM_cert(endpoint.certificate))
        place = target(site, endpoint, ca_file=str(pinned))
        with link(place, credential(site), deadline=Deadline(20)) as transport:
            assert transport.run(SCRIPT, deadline=Deadline(20)).ok


def test_local_account_and_domain_forms_log_in(site: Site, echo: Echo) -> None:
    for account in (site.account, f".\\{site.account}", f"STANDIN\\{site.account}"):
        with site.http(echo) as endpoint:
            who = credential(site, account=account)
            with link(target(site, endpoint), who, deadline=Deadline(20)):
                assert endpoint.accounts.accepted == 1


def test_client_key_with_a_passphrase_needs_the_right_one(site: Site, echo: Echo) -> None:
    pem = site.client_pem.read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    passphrase = secrets.token_urlsafe(12)
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    chain = pem[pem.index(b"-----BEGIN CERTIFICATE-----") :]
    good = credential(
        site,
        "winrm-certificate",
        private_key=Secret((sealed + chain).decode()),
        passphrase=Secret(passphrase),
    )
    with site.https(echo) as endpoint:
        with link(target(site, endpoint), good, deadline=Deadline(20)) as transport:
            assert transport.run(SCRIPT, deadline=Deadline(20)).ok
        bad = replace(good, passphrase=Secret("wrong"))
        with pytest.raises(UsageError, match="the passphrase must fit"):
            WinRmTransport.connect(target(site, endpoint), bad, deadline=Deadline(20))
