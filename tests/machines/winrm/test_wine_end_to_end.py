"""From the command line through pywinrm to PowerShell for Windows under Wine, and back."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest

from recovery.actions import reboot_server
from recovery.platforms.windows import Windows
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.host import Host
from tests.machines.winrm.listeners import Site
from tests.machines.winrm.wine_machine import WineMachine


@pytest.fixture
def windows_endpoint(site: Site, wine: WineMachine, host: Host) -> Iterator[Endpoint]:
    host.add("winrm-ntlm")
    with site.http(wine) as endpoint:
        yield endpoint
    wine.forget_turns()


def test_restart_with_dependents(host: Host, wine: WineMachine, windows_endpoint: Endpoint) -> None:
    wine.service("Store")
    wine.service("Mail [x]", needs="Store")
    ran = host.act(
        "restart-service",
        "winrm-ntlm",
        windows_endpoint,
        "--service",
        "Store",
        "--settle",
        "1s",
        "--timeout",
        "90s",
    )
    assert re.fullmatch(
        r"OK - restart-service Store on 127\.0\.0\.1: running again after \d+\.\d s \(PID \d+ -> \d+\)",
        ran.last,
    ), ran
    assert ran.code == 0
    assert [line for line in wine.log() if line.endswith((" start", " stop"))] == [
        *("Store start", "Mail [x] start"),
        *("Mail [x] stop", "Store stop", "Store start", "Mail [x] start"),
    ]
    assert windows_endpoint.unencrypted == 0
    assert not windows_endpoint.shells.open
    assert wine.guards() == []


@pytest.mark.parametrize("idle", [False, True], ids=["its shell goes on", "its shell is ended as idle"])
def test_services_come_back_though_the_monitoring_host_is_killed(
    host: Host, wine: WineMachine, windows_endpoint: Endpoint, idle: bool
) -> None:
    wine.service("Store")
    wine.service("Mail", "slowstop", 3000, needs="Store")
    repair = host.start(
        *("restart-service", "winrm-ntlm", windows_endpoint),
        *("--service", "Store", "--settle", "1s", "--timeout", "240s"),
    )
    try:
        wine.wait(lambda: "Mail stop" in wine.log(), 200)
    finally:
        repair.kill()
        repair.communicate()
    if idle:
        windows_endpoint.shells.end_all()
    wine.wait(lambda: wine.log().count("Mail start") == 2, 200)
    wine.wait(lambda: [wine.state(name)[0] for name in ("Store", "Mail")] == [4, 4])
    wine.wait(lambda: wine.guards() == [])
    wine.wait(lambda: wine.shells() == [])


def test_program_with_a_time_out(host: Host, wine: WineMachine, windows_endpoint: Endpoint) -> None:
    words = ("--timeout", "25s", "--", "C:\\program.exe", "orphan", "600000")
    ran = host.act("external-process", "winrm-ntlm", windows_endpoint, *words)
    assert re.fullmatch(
        r"CRITICAL - external-process C:\\program\.exe on 127\.0\.0\.1: "
        r"C:\\program\.exe failed after \d+\.\d s \(killed by the time-out\)",
        ran.last,
    ), ran
    assert ran.code == 2
    wine.wait(lambda: wine.children() == [])


def test_reboot_with_its_proof(
    host: Host, wine: WineMachine, windows_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reboot_server, "_FIRST_PAUSE", 0.3)
    monkeypatch.setattr(Windows, "reboot_settle", 1.0)
    log = wine.drive / "shutdown.log"

    def reboot() -> None:
        wine.wait(log.exists)
        windows_endpoint.shut()
        wine.shut_down()
        wine.boot()
        windows_endpoint.open_again()

    thread = threading.Thread(target=reboot)
    thread.start()
    ran = host.act("reboot-server", "winrm-ntlm", windows_endpoint, "--min-uptime", "1s", "--timeout", "150s")
    thread.join()
    assert re.fullmatch(
        r"OK - reboot-server on 127\.0\.0\.1: "
        r"up again after \d+\.\d s \(boot id [0-9a-f]{4} -> [0-9a-f]{4}\)",
        ran.last,
    ), ran
    assert log.read_text().startswith("[/r][/t][5][/c][check_imap4 recovery: ")


def test_doctor_and_list_of_services(host: Host, wine: WineMachine, windows_endpoint: Endpoint) -> None:
    wine.service("Mail")
    ran = host.act("services", "winrm-ntlm", windows_endpoint, "--timeout", "60s")
    assert "Mail: active (running)" in ran.out.splitlines()
    ran = host.act("doctor", "winrm-ntlm", windows_endpoint, "--service", "Mail", "--timeout", "60s")
    assert re.search(r"^ok   service: Mail: active \(running\), PID \d+$", ran.out, re.MULTILINE), ran
    assert "ok   powershell: 7." in ran.out
