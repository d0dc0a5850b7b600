"""The transport against the endpoint: what it carries there and back."""

from __future__ import annotations

import json
import secrets

import pytest

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed, PrivilegeMissing
from recovery.model import Ended
from tests.machines.winrm import soap, trouble
from tests.machines.winrm.links import SCRIPT, Echo, connected
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
