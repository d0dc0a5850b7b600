"""winrm-kerberos with a real MIT KDC. Run by ``make test-kerberos``, which installs what it needs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions.restart_service import run
from recovery.errors import ConnectFailed, LoginFailed, UsageError
from recovery.model import Credential, Secret, Transport, Verdict
from recovery.requests import RestartRequest
from recovery.transports import connect
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.kdc import Acceptor, Realm, realm, why_not
from tests.machines.winrm.links import target
from tests.machines.winrm.listeners import HOST, Site
from tests.machines.winrm.recorder import recorded
from tests.machines.winrm.test_wire import assert_nothing_told
from tests.machines.winrm.windows import Windows

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def kingdom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    folder = tmp_path_factory.mktemp("kdc")
    with realm(folder, HOST, "operator", secrets.token_urlsafe(12)) as opened:
        yield opened


@pytest.fixture
def who(kingdom: Realm) -> Credential:
    return Credential("mail-admin", kingdom.account, "winrm-kerberos", password=Secret(kingdom.password))


@pytest.fixture
def guarded(endpoint: Endpoint) -> Endpoint:
    endpoint.accounts.acceptor = Acceptor
    return endpoint


def test_repair_with_a_ticket_tells_nothing_on_the_wire(
    site: Site, guarded: Endpoint, windows: Windows, who: Credential
) -> None:
    with recorded(guarded.port) as recording:
        place = target(site, guarded, port=recording.port)

        def way(deadline: Deadline) -> Transport:
            return connect(place, who, deadline=deadline)

        outcome = run(way, RestartRequest(("IMAP4",), settle=0.1), deadline=Deadline(10))
        assert_nothing_told(recording, who)
    assert outcome.verdict is Verdict.PROVEN
    assert windows.calls[-1] == "start Web Mail"
    assert "KRB5CCNAME" not in os.environ


def test_repair_over_https(site: Site, windows: Windows, who: Credential) -> None:
    with site.https(windows) as endpoint:
        endpoint.accounts.acceptor = Acceptor
        link = connect(target(site, endpoint), who, deadline=Deadline(10))
        link.close()
        assert endpoint.accounts.accepted == 1


def test_wrong_password_is_refused_by_the_kdc_once(site: Site, guarded: Endpoint, who: Credential) -> None:
    wrong = replace(who, password=Secret("wrong"))
    with pytest.raises(LoginFailed, match=r"^kinit operator@EXAMPLE.ORG: .*; it was tried once\."):
        connect(target(site, guarded), wrong, deadline=Deadline(10))
    assert guarded.accounts.accepted == 0


def test_machine_without_a_principal_is_told(site: Site, guarded: Endpoint, who: Credential) -> None:
    place = replace(target(site, guarded), machine="other.example.org")
    with pytest.raises(LoginFailed, match="Kerberos gave no ticket for this machine"):
        connect(place, who, deadline=Deadline(10))


def test_no_kdc_is_told(
    site: Site, guarded: Endpoint, who: Credential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path(os.environ["KRB5_CONFIG"]).read_text()
    nowhere = tmp_path / "krb5.conf"
    nowhere.write_text(
        "\n".join("kdc = 127.0.0.1:9" if "kdc = " in line else line for line in config.splitlines())
    )
    monkeypatch.setenv("KRB5_CONFIG", str(nowhere))
    with pytest.raises(ConnectFailed, match=r"Cannot contact any KDC .*; see /etc/krb5.conf"):
        connect(target(site, guarded), who, deadline=Deadline(10))


def test_address_or_netbios_domain_is_a_usage_error(site: Site, guarded: Endpoint, who: Credential) -> None:
    with pytest.raises(UsageError, match="Kerberos knows machines by name"):
        connect(replace(target(site, guarded), machine="127.0.0.1"), who, deadline=Deadline(10))
    with pytest.raises(UsageError, match="Kerberos needs the account as"):
        connect(target(site, guarded), replace(who, account="EXAMPLE\\operator"), deadline=Deadline(10))
