"""The stand-in itself, proved with a client that shares no code with pywinrm: pypsrp's WSMan layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan

from tests.machines.winrm import soap
from tests.machines.winrm.cmd import run_command
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.listeners import Site


def client(endpoint: Endpoint, site: Site, auth: str = "negotiate", **changes: object) -> WSMan:
    """pypsrp's client for an endpoint."""
    settings: dict[str, object] = {
        "port": endpoint.port,
        "username": site.account,
        "password": site.password,
        "ssl": endpoint.tls is not None,
        "auth": auth,
        "cert_validation": str(site.ca_file),
        "no_proxy": True,
        "operation_timeout": 5,
        "read_timeout": 10,
    }
    return WSMan("localhost", **{**settings, **changes})  # type: ignore[arg-type]


def whole_story(wsman: WSMan) -> None:
    """Create, Command, Send, Receive, Signal and Delete, each seen to do its part."""
    with wsman, WinRS(wsman) as shell:
        echo = Process(shell, "echo", ["hello"])
        echo.invoke()
        assert (echo.rc, echo.stdout, echo.stderr) == (0, b"hello\r\n", b"")
        echo.signal(SignalCode.TERMINATE)
        cat = Process(shell, "findstr", ["."])
        cat.begin_invoke()
        cat.send(b"one\n", end=False)
        cat.send(b"two\n", end=True)
        cat.end_invoke()
        assert (cat.rc, cat.stdout) == (0, b"one\ntwo\n")
        wrong = Process(shell, "nonsense", [])
        wrong.invoke()
        assert wrong.rc == 1
        assert b"not recognized" in wrong.stderr


@pytest.mark.parametrize("auth", ["negotiate", "ntlm", "credssp"])
def test_sealed_messages_over_http(site: Site, auth: str) -> None:
    with site.http(run_command) as endpoint:
        whole_story(client(endpoint, site, auth))
    assert endpoint.unencrypted == 0
    assert not endpoint.shells.open
    assert (endpoint.accounts.accepted, endpoint.accounts.refused) == (1, 0)


@pytest.mark.parametrize("auth", ["basic", "ntlm", "credssp", "certificate"])
def test_every_method_over_https(site: Site, auth: str) -> None:
    pem = str(site.client_pem)
    with site.https(run_command, "localhost") as endpoint:
        whole_story(client(endpoint, site, auth, certificate_pem=pem, certificate_key_pem=pem))
    assert not endpoint.shells.open


def test_large_output_arrives_whole(site: Site) -> None:
    with site.http(run_command) as endpoint, client(endpoint, site) as wsman, WinRS(wsman) as shell:
        fill = Process(shell, "fill", ["20"])
        fill.invoke()
        assert (len(fill.stdout), len(fill.stderr)) == (20 * 65536, 20 * 65536)


def test_an_idle_receive_ends_in_the_operation_timeout_fault(site: Site) -> None:
    with site.http(run_command) as endpoint, client(endpoint, site) as wsman, WinRS(wsman) as shell:
        cat = Process(shell, "findstr", ["."])
        cat.begin_invoke()
        with pytest.raises(WSManFaultError) as caught:
            shell.receive("stdout stderr", cat.id, timeout=1)
        assert caught.value.code == soap.OPERATION_TIMEOUT
        cat.signal(SignalCode.CTRL_C)
        cat.end_invoke()
        assert cat.rc == 0xC000013A


def test_unencrypted_soap_over_http_is_refused(site: Site) -> None:
    with site.http(run_command) as endpoint:
        with pytest.raises(WinRMTransportError), WinRS(client(endpoint, site, "ntlm", encryption="never")):
            pass
        assert endpoint.unencrypted == 1
        assert endpoint.shells.created == 0


def test_basic_is_not_offered_over_http(site: Site) -> None:
    with site.http(run_command) as endpoint:
        reply = requests.post(
            f"http://127.0.0.1:{endpoint.port}/wsman", auth=(site.account, site.password), timeout=5
        )
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == "Negotiate, Kerberos, CredSSP"


@pytest.mark.parametrize("auth", ["ntlm", "basic"])
def test_a_wrong_password_is_refused(site: Site, auth: str) -> None:
    with site.https(run_command, "localhost") as endpoint:
        with (
            pytest.raises((AuthenticationError, WinRMTransportError)),
            WinRS(client(endpoint, site, auth, password="wrong")),  # noqa: S106 - it is meant to be wrong
        ):
            pass
        assert (endpoint.accounts.accepted, endpoint.accounts.refused) == (0, 1)


def test_a_certificate_that_maps_to_nobody_is_refused(site: Site, tmp_path: Path) -> None:
    pem = tmp_path / "other.pem"
    site.authority.issue_cert("stranger@example.org").private_key_and_cert_chain_pem.write_to_path(str(pem))
    with (
        site.https(run_command, "localhost") as endpoint,
        pytest.raises((AuthenticationError, WinRMTransportError)),
        WinRS(client(endpoint, site, "certificate", certificate_pem=str(pem), certificate_key_pem=str(pem))),
    ):
        pass


def test_faults_carry_their_number(site: Site) -> None:
    with site.http(run_command) as endpoint:
        endpoint.shells.administrators = set()
        with pytest.raises(WSManFaultError) as caught, WinRS(client(endpoint, site)):
            pass
        assert caught.value.code == soap.ACCESS_DENIED


def test_a_user_has_a_quota_of_shells(site: Site) -> None:
    with site.http(run_command) as endpoint, client(endpoint, site) as wsman:
        for _ in range(30):
            WinRS(wsman).open()
        with pytest.raises(WSManFaultError) as caught:
            WinRS(wsman).open()
        assert caught.value.code == soap.QUOTA
