"""Fixtures of the WinRM tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.winrm import lanes
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.host import Host
from tests.machines.winrm.links import Echo
from tests.machines.winrm.listeners import Site, make_site
from tests.machines.winrm.windows import Windows, mail_server
from tests.machines.winrm.wine_machine import WineMachine, wine_machine

_RAN: set[str] = set()
"""The lanes of which a test ran to its end, whatever it said."""


def _lane(name: str) -> str | None:
    """Whose a test is, by its file: the real PowerShell for ``linux`` or ``windows``."""
    if "/test_wine_" in name:
        return "windows"
    return "linux" if "/test_linux_lane" in name else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and not report.skipped and (lane := _lane(report.nodeid)):
        _RAN.add(lane)


def idle_lanes() -> list[str]:
    """The lanes that ran no test although there is a PowerShell for them; ``make test`` alone runs all."""
    if "IMAP4_TEST_ALL" not in os.environ:
        return []
    return [kind for kind in ("linux", "windows") if kind not in _RAN and lanes.powershell(kind)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if idle_lanes() and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for kind in idle_lanes():
        terminalreporter.write_line(
            f"FAILED: no test ran in the PowerShell for {kind}, which tools/find-powershell finds", red=True
        )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    before = os.environ.get("NTLM_USER_FILE")
    yield make_site(tmp_path_factory.mktemp("winrm"))
    if before is None:
        os.environ.pop("NTLM_USER_FILE", None)
    else:
        os.environ["NTLM_USER_FILE"] = before


@pytest.fixture
def windows() -> Windows:
    return mail_server()


@pytest.fixture
def endpoint(site: Site, windows: Windows) -> Iterator[Endpoint]:
    with site.http(windows) as opened:
        windows.go_down, windows.come_up = opened.shut, opened.open_again
        yield opened


@pytest.fixture
def host(site: Site, tmp_path: Path) -> Host:
    return Host(tmp_path, site)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture(scope="session")
def wine_prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WineMachine]:
    pwsh = lanes.needed("windows")
    with wine_machine(tmp_path_factory.mktemp("wine"), pwsh) as machine:
        yield machine


@pytest.fixture
def wine(wine_prefix: WineMachine) -> Iterator[WineMachine]:
    yield wine_prefix
    wine_prefix.clean()
