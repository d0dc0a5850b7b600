"""The doctor asks a running Icinga 2 what somebody has switched, by a permission for just that."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from imap4.monitor.engines.icinga2 import running
from imap4.monitor.engines.icinga2.api import IcingaReporter
from imap4.monitor.findings import Finding
from tests.engines.conftest import Run
from tests.engines.icinga_eyes import IcingaEyes


@pytest.fixture
def icinga2(runs: dict[str, Run]) -> Run:
    """The engine after its outages."""
    return runs["icinga2"]


def examined(run: Run, user: str = "doctor") -> list[Finding]:
    """What the doctor finds."""
    api = run.api
    assert api is not None
    reporter = IcingaReporter("localhost", api.port, user, str(api.passwords[user]), str(api.ca_file))
    monitors = [each.monitor for each in run.scenarios.values()]
    return list(running.examine(reporter, monitors, time.time()))


def wrong(run: Run) -> list[tuple[str, str]]:
    """The titles and remedies of what is bad."""
    return [(each.title, each.remedy) for each in examined(run) if not each.ok]


@contextmanager
def changed(run: Run, **values: object) -> Iterator[None]:
    """An attribute of the service Blip that somebody changes, and changes back."""
    assert run.api is not None
    eyes = IcingaEyes(run.api, "eyes")
    before = eyes.attributes("services", "mail!Blip")
    eyes.modify("services", "mail!Blip", **values)
    try:
        yield
    finally:
        eyes.modify("services", "mail!Blip", **{name: before[name] for name in values})


def test_it_finds_nothing_where_nobody_has_switched_anything(icinga2: Run) -> None:
    (finding,) = examined(icinga2)
    count = len(icinga2.scenarios)
    said = f"the running engine has {count} monitors, and nobody has switched them"
    assert (finding.ok, finding.title) == (True, said)


@pytest.mark.parametrize(
    ("values", "title", "remedy"),
    [
        ({"enable_event_handler": False}, "enable_event_handler = false", "switch its event handler on"),
        ({"enable_notifications": False}, "enable_notifications = false", "switch them on"),
        ({"enable_flapping": True}, "enable_flapping = true", "switch its flap detection off"),
        (
            {"volatile": False},
            "another event command, or is not volatile",
            "take back what was changed in mail!Blip",
        ),
    ],
)
def test_what_somebody_has_switched_is_named_with_its_remedy(
    icinga2: Run, values: dict[str, object], title: str, remedy: str
) -> None:
    with changed(icinga2, **values):
        assert wrong(icinga2) == [(f"the running engine's mail!Blip has {title}", remedy)]
    assert wrong(icinga2) == []


def test_a_test_that_is_far_away_is_found(icinga2: Run) -> None:
    """As it is after a clock was set back."""
    assert icinga2.api is not None
    eyes = IcingaEyes(icinga2.api, "eyes")
    put = {"type": "Service", "service": "mail!Blip"}
    eyes.act("reschedule-check", {**put, "next_check": time.time() + 400, "force": True})
    ((title, remedy),) = wrong(icinga2)
    assert title.startswith("the running engine's mail!Blip has its next test in ")
    assert remedy == "have it tested now"
    eyes.act("reschedule-check", {**put, "force": True})
    assert wrong(icinga2) == []


def test_without_the_permission_it_says_which(icinga2: Run) -> None:
    (finding,) = examined(icinga2, "imap4-recovery")
    assert (finding.ok, finding.title) == (False, "the running engine shows no monitors")
    assert finding.remedy == (
        'permissions of the ApiUser imap4-recovery: { permission = "objects/query/Service", '
        'filter = {{ service.check_command == "imap4-monitor" }} }'
    )


def test_what_is_off_for_all_is_found_by_who_may_ask(icinga2: Run) -> None:
    assert icinga2.api is not None
    eyes = IcingaEyes(icinga2.api, "eyes")
    found = [each.title for each in examined(icinga2, "eyes")]
    assert "the running engine has enable_notifications = true" in found
    eyes.modify("icingaapplications", "app", enable_event_handlers=False)
    try:
        bad = [each.title for each in examined(icinga2, "eyes") if not each.ok]
        assert bad == ["the running engine has enable_event_handlers = false"]
    finally:
        eyes.modify("icingaapplications", "app", enable_event_handlers=True)


def test_the_program_asks_where_its_environment_says_whom(icinga2: Run) -> None:
    assert icinga2.api is not None
    api = icinga2.api
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "IMAP4_ICINGA_API": f"https://localhost:{api.port}",
        "IMAP4_ICINGA_USER": "doctor",
        "IMAP4_ICINGA_PASSWORD_FILE": str(api.passwords["doctor"]),
        "IMAP4_ICINGA_CA_FILE": str(api.ca_file),
    }
    words = [sys.executable, "-m", "imap4.monitor.cli", "doctor", "icinga2", "--config", "/nonexistent"]
    with changed(icinga2, enable_flapping=True):
        ended = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment)
    assert "the running engine's mail!Blip has enable_flapping = true" in ended.stdout
    assert ended.returncode == 1
