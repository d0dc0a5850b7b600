"""What crosses the network on HTTP's port, byte by byte: no password, and no SOAP that is not sealed."""

from __future__ import annotations

import base64
import contextlib
import io
from http.client import HTTPMessage, parse_headers

import pytest
from winrm.protocol import Protocol

from imap4.deadline import Deadline
from recovery.actions.restart_service import run
from recovery.errors import RecoveryError
from recovery.model import Credential, Secret, Transport, Verdict
from recovery.requests import RestartRequest
from recovery.transports import connect
from tests.machines.winrm import soap, trouble
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.links import credential, target
from tests.machines.winrm.listeners import Site
from tests.machines.winrm.recorder import Recording, recorded

TOLD = (
    b"Envelope",
    b"soap-envelope",
    b"/wsman/1/windows/shell",
    b"powershell",
    b"IMAP4",
    b"ErrorActionPreference",
)
"""Words of every SOAP message, of the scripts and of the services."""


def messages(stream: bytes) -> list[tuple[str, HTTPMessage, bytes]]:
    """The HTTP messages in a direction: first line, headers, body."""
    found = []
    file = io.BytesIO(stream)
    while first := file.readline():
        headers = parse_headers(file)
        body = file.read(int(headers.get("Content-Length") or 0))
        found.append((first.decode("latin-1").strip(), headers, body))
    return found


def encodings(text: str) -> list[bytes]:
    """``text`` as it could be found on a wire."""
    plain = [text.encode(), text.encode("utf-16-le")]
    return [*plain, *(base64.b64encode(one) for one in plain)]


def assert_nothing_told(recording: Recording, who: Credential) -> None:
    seen = recording.everything
    assert who.password is not None
    secrets = [*encodings(who.password.reveal()), *encodings(f"{who.account}:{who.password.reveal()}")]
    assert not [secret for secret in secrets if secret.rstrip(b"=") in seen]
    assert not [word for word in TOLD if word in seen]
    for first, headers, body in [*messages(bytes(recording.sent)), *messages(bytes(recording.answered))]:
        assert "Basic" not in (headers.get("Authorization") or ""), first
        if body:
            assert (headers.get("Content-Type") or "").startswith("multipart/"), first
            assert b"-session-encrypted" in body


def restart(site: Site, recording: Recording, endpoint: Endpoint, who: Credential) -> Verdict:
    place = target(site, endpoint, port=recording.port)

    def way(deadline: Deadline) -> Transport:
        return connect(place, who, deadline=deadline)

    return run(way, RestartRequest(("IMAP4",), settle=0.1), deadline=Deadline(3)).verdict


@pytest.mark.parametrize("method", ["winrm-ntlm", "winrm-credssp"])
def test_a_whole_repair_tells_nothing_on_the_wire(site: Site, endpoint: Endpoint, method: str) -> None:
    who = credential(site, method)
    with recorded(endpoint.port) as recording:
        assert restart(site, recording, endpoint, who) is Verdict.PROVEN
        assert_nothing_told(recording, who)
    assert len(messages(bytes(recording.sent))) > 10
    assert b"-session-encrypted" in recording.sent


@pytest.mark.parametrize("method", ["winrm-ntlm", "winrm-credssp"])
@pytest.mark.parametrize(
    "failure", ["wrong password", "first connection", "reset", "fault", "not winrm", "no method"]
)
def test_no_failure_makes_it_tell(site: Site, endpoint: Endpoint, method: str, failure: str) -> None:
    who = credential(site, method)
    if failure == "wrong password":
        who = credential(site, method, password=Secret("wrong-" + site.password))
    elif failure == "first connection":
        endpoint.troubles["Logon"] = trouble.after(1, trouble.reset)
    elif failure == "reset":
        endpoint.troubles["Receive"] = trouble.reset
    elif failure == "fault":
        endpoint.faults["Command"] = soap.Fault(soap.ACCESS_DENIED, "w:AccessDenied", "Access is denied.")
    elif failure == "not winrm":
        endpoint.troubles["Logon"] = trouble.answer(200, "", ("Server", "nginx"))
    else:
        endpoint.accounts.methods, endpoint.accounts.basic = (), True
    with recorded(endpoint.port) as recording, contextlib.suppress(RecoveryError):
        assert restart(site, recording, endpoint, who) is not Verdict.PROVEN
    assert recording.sent
    assert_nothing_told(recording, who)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_recorder_would_see_it(site: Site, endpoint: Endpoint) -> None:
    # The same conversation with pywinrm as it comes, and its encryption off.
    who = credential(site)
    with recorded(endpoint.port) as recording:
        session = Protocol(
            f"http://127.0.0.1:{recording.port}/wsman",
            transport="ntlm",
            username=site.account,
            password=site.password,
            message_encryption="never",
        )
        with pytest.raises(Exception, match="500"):
            session.open_shell()
        with pytest.raises(AssertionError):
            assert_nothing_told(recording, who)
