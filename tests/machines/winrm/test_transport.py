"""The transport against the endpoint: what it carries there and back."""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import time

import pytest

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed, DeadlineExceeded, PrivilegeMissing
from recovery.model import Ended, Target
from recovery.transports.winrm import transport as winrm_transport
from recovery.transports.winrm.budget import Budget
from recovery.transports.winrm.session import make_protocol
from recovery.transports.winrm.transport import WinRmTransport
from recovery.transports.winrm.wire import Wire, tls_context
from tests.machines.winrm import soap, trouble
from tests.machines.winrm.links import SCRIPT, Echo, connected, credential, link, target
from tests.machines.winrm.listeners import Site

NASTY = [
    "",
    "a b",
    'q"uo"te',
    "back\\slash\\",
    "new\nline",
    "$env:PATH `$x",
    "ünïcode ✓ 🚀",
    "/Date(0)/",
    "%PATH% ^&|",
]


@pytest.mark.parametrize("method", ["winrm-ntlm", "winrm-credssp", "winrm-basic", "winrm-certificate"])
def test_script_runs_over_https(site: Site, echo: Echo, method: str) -> None:
    with site.https(echo) as endpoint, connected(site, endpoint, method) as transport:
        result = transport.run(
            SCRIPT, NASTY, deadline=Deadline(20), stdin=b"\x00\xff", environment={"A": "ä=b"}
        )
    assert (result.ended, result.exit_status) == (Ended.EXITED, 0)
    assert json.loads(result.stdout) == {"arguments": NASTY, "stdin": "00ff", "environment": {"A": "ä=b"}}
    assert not endpoint.shells.open
    assert (endpoint.accounts.accepted, endpoint.connections) == (1, 1)


@pytest.mark.parametrize("method", ["winrm-ntlm", "winrm-credssp"])
def test_script_runs_over_http_with_every_message_sealed(site: Site, echo: Echo, method: str) -> None:
    with site.http(echo) as endpoint, connected(site, endpoint, method) as transport:
        for _ in range(2):
            result = transport.run(SCRIPT, NASTY, deadline=Deadline(20))
            assert json.loads(result.stdout)["arguments"] == NASTY
    assert endpoint.unencrypted == 0
    assert endpoint.actions == ["Create", *["Command", "Send", "Receive", "Signal"] * 2, "Delete"]


def test_large_input_goes_in_parts(site: Site, echo: Echo) -> None:
    stdin = secrets.token_bytes(400_000)
    with site.http(echo) as endpoint, connected(site, endpoint) as transport:
        result = transport.run(SCRIPT, deadline=Deadline(20), stdin=stdin)
    assert json.loads(result.stdout)["stdin"] == stdin.hex()
    assert endpoint.actions.count("Send") > 5


def test_receive_goes_on_after_operation_time_outs(
    site: Site, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recovery.transports.winrm.transport.RECEIVE_SECONDS", 1)
    echo.seconds = 2.2
    with site.http(echo) as endpoint, connected(site, endpoint) as transport:
        result = transport.run(SCRIPT, deadline=Deadline(20))
    assert result.ok
    assert endpoint.actions.count("Receive") == 3


def test_script_that_fails_says_why(site: Site, echo: Echo) -> None:
    echo.fails = "Access is denied\r\nto the service"
    with site.http(echo) as endpoint, connected(site, endpoint) as transport:
        result = transport.run(SCRIPT, deadline=Deadline(20))
    assert (result.ended, result.exit_status, result.stderr) == (
        Ended.EXITED,
        1,
        b"Access is denied to the service",
    )


def test_script_that_hangs_is_ended_by_the_machine(site: Site, echo: Echo) -> None:
    echo.seconds = 30
    with site.http(echo) as endpoint, connected(site, endpoint) as transport:
        deadline = Deadline(4)
        result = transport.run(SCRIPT, deadline=deadline)
        assert not deadline.expired
    assert result.ended is Ended.TIMED_OUT


def test_locked_down_powershell_is_named(site: Site, echo: Echo) -> None:
    echo.language = "ConstrainedLanguage"
    with (
        site.http(echo) as endpoint,
        connected(site, endpoint) as transport,
        pytest.raises(PrivilegeMissing, match="PowerShell runs in ConstrainedLanguage mode for this account"),
    ):
        transport.run(SCRIPT, deadline=Deadline(20))


def test_only_scripts_of_the_package_run(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint, connected(site, endpoint) as transport:
        result = transport.run(SCRIPT + "\n", deadline=Deadline(20))
    assert result.stderr == b"the model knows no such script"
    assert echo.runs == 0


@pytest.mark.parametrize("action", ["Signal", "Delete"])
def test_result_survives_a_failed_clean_up(site: Site, echo: Echo, action: str) -> None:
    with site.http(echo) as endpoint:
        endpoint.troubles[action] = trouble.reset
        with connected(site, endpoint) as transport:
            assert transport.run(SCRIPT, deadline=Deadline(20)).ok


def test_shell_is_deleted_where_a_run_fails(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        endpoint.faults["Command"] = soap.Fault(1, "w:InternalError", "No.")
        with connected(site, endpoint) as transport, pytest.raises(ConnectFailed, match="WinRM refused"):
            transport.run(SCRIPT, deadline=Deadline(20))
    assert not endpoint.shells.open


@pytest.mark.parametrize("how", ["reset", "close", "truncate"])
def test_link_lost_while_the_script_runs_is_told_as_such(site: Site, echo: Echo, how: str) -> None:
    with site.http(echo) as endpoint:
        endpoint.troubles["Receive"] = getattr(trouble, how)
        with connected(site, endpoint) as transport:
            assert transport.run(SCRIPT, deadline=Deadline(20)).ended is Ended.LINK_LOST
            with pytest.raises(ConnectFailed):
                transport.run(SCRIPT, deadline=Deadline(20))
    assert endpoint.connections == 1, "a sealed message was tried on another connection"


BUSY = soap.Fault(soap.OPERATION_TIMEOUT, "w:TimedOut", "The time was up.", sender=False)


@pytest.mark.parametrize("action", ["Create", "Command"])
def test_machine_that_is_busy_is_asked_again(site: Site, echo: Echo, action: str) -> None:
    with site.http(echo) as endpoint:
        endpoint.once[action] = [BUSY, BUSY]
        with connected(site, endpoint) as transport:
            assert transport.run(SCRIPT, deadline=Deadline(20)).ok
        assert endpoint.actions.count(action) == 3
    assert echo.runs == 1


@pytest.mark.parametrize(("action", "what"), [("Create", "open a shell"), ("Command", "start PowerShell")])
def test_machine_that_stays_busy_is_told_as_such(site: Site, echo: Echo, action: str, what: str) -> None:
    with site.http(echo) as endpoint:
        endpoint.faults[action] = BUSY
        said = rf"too busy to {what} in time \(w:TimedOut\); nothing was done"

        def work() -> None:
            transport = WinRmTransport.connect(target(site, endpoint), credential(site), deadline=Deadline(4))
            with contextlib.closing(transport):
                transport.run(SCRIPT, deadline=Deadline(4))

        with pytest.raises(DeadlineExceeded, match=said):
            work()
    assert echo.runs == 0


@pytest.mark.parametrize("action", ["Send", "Signal"])
def test_slow_input_or_clean_up_costs_no_answer(site: Site, echo: Echo, action: str) -> None:
    # The fault comes instead of the answer to Send, whose input then did not arrive: the program waits on.
    with site.http(echo) as endpoint:
        endpoint.once[action] = [BUSY]
        with connected(site, endpoint) as transport:
            result = transport.run(SCRIPT, deadline=Deadline(20 if action == "Signal" else 4))
    assert result.ok if action == "Signal" else result.ended is Ended.LINK_LOST


def test_input_that_the_machine_refuses_is_no_lost_link(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        endpoint.once["Send"] = [soap.Fault(1460, "w:InternalError", "No room.")]
        with connected(site, endpoint) as transport:
            with pytest.raises(ConnectFailed, match=r"WinRM refused \(code 1460: No room\.\)"):
                transport.run(SCRIPT, deadline=Deadline(20))
            assert transport.run(SCRIPT, deadline=Deadline(20)).ok
    assert echo.runs == 1


def test_reason_of_a_lost_link_is_kept(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        endpoint.once["Receive"] = [soap.Fault(soap.ABORTED, "w:InternalError", "Aborted.")]
        with connected(site, endpoint) as transport:
            result = transport.run(SCRIPT, deadline=Deadline(20))
    assert result.ended is Ended.LINK_LOST
    assert "WinRM is stopping (code 995)" in result.notes[0]


def test_certificate_is_given_when_the_server_asks_after_the_handshake(site: Site, echo: Echo) -> None:
    with site.https(echo) as endpoint:
        assert endpoint.tls is not None
        endpoint.tls.minimum_version = ssl.TLSVersion.TLSv1_3
        endpoint.tls.post_handshake_auth = True
        endpoint.late_certificate = True
        with connected(site, endpoint, "winrm-certificate") as transport:
            assert transport.run(SCRIPT, deadline=Deadline(20)).ok


def test_authority_that_was_named_is_trusted_as_it_is(site: Site) -> None:
    # An authority without the key identifiers that RFC 5280 wants, as companies made them for years.
    context = tls_context(Target("x", "127.0.0.1"), credential(site), str(site.ca_file))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_shell_of_a_link_that_was_found_dead_is_deleted_over_the_next(site: Site, echo: Echo) -> None:
    with site.http(echo) as endpoint:
        way = connected(site, endpoint)
        transport = way.__enter__()
        endpoint.troubles["Command"] = trouble.reset
        with pytest.raises(ConnectFailed):
            transport.run(SCRIPT, deadline=Deadline(20))
        way.__exit__(None, None, None)
        assert len(endpoint.shells.open) == 1
        endpoint.troubles.clear()
        with connected(site, endpoint) as transport:
            assert transport.run(SCRIPT, deadline=Deadline(20)).ok
            assert len(endpoint.shells.open) == 1
        assert not endpoint.shells.open


def test_shell_of_a_link_lost_in_a_script_is_deleted_when_that_must_have_ended(
    site: Site, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next link of the same process, at its begin or its end, and not before."""
    monkeypatch.setattr(winrm_transport, "STARTING_SECONDS", 0.0)
    with site.http(echo) as endpoint:
        endpoint.troubles["Receive"] = trouble.reset
        with connected(site, endpoint) as transport:
            assert transport.run(SCRIPT, deadline=Deadline(5)).ended is Ended.LINK_LOST
            limit = Deadline(Budget.of(5).whole + 0.1)
        endpoint.troubles.clear()
        (left,) = endpoint.shells.open
        with connected(site, endpoint):
            assert left in endpoint.shells.open
            # The machine itself ends the script at this moment.
            while not limit.expired:
                assert left in endpoint.shells.open
                time.sleep(0.05)
        assert not endpoint.shells.open


@pytest.mark.parametrize(("seconds", "idle"), [(5, "PT60S"), (100, "PT120S"), (600, "PT180S")])
def test_a_shell_that_nobody_closes_ends_soon_after_our_time(
    site: Site, echo: Echo, seconds: int, idle: str
) -> None:
    with site.http(echo) as endpoint:
        with link(target(site, endpoint), credential(site), deadline=Deadline(seconds)):
            pass
        assert endpoint.shells.idle_timeouts == [idle]


@pytest.mark.parametrize(
    ("spn", "service", "host"),
    [(None, "HTTP", None), ("WSMAN/mail2.example.org", "WSMAN", "mail2.example.org")],
)
def test_service_principal_is_the_one_that_was_named(
    site: Site, echo: Echo, spn: str | None, service: str, host: str | None
) -> None:
    with site.http(echo) as endpoint:
        wire = Wire(target(site, endpoint), endpoint.port, None, Deadline(20))
        made = make_protocol(f"http://127.0.0.1:{endpoint.port}/wsman", credential(site), wire, spn).transport
        assert (made.service, made.kerberos_hostname_override) == (service, host)
        wire.close()
