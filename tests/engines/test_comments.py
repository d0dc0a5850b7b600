"""Reports of repairs in real engines: a comment on the service, and a passive result."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from imap4.monitor.engines.icinga2.api import IcingaReporter
from imap4.monitor.engines.nagios.reporter import NagiosReporter
from imap4.monitor.engines.report import Report, ReportError
from tests.engines import nagios_core
from tests.engines.conftest import Run

HOSTILE = 'restarted; <b onload="x()">after</b> 4.1 s | a=1;2\n[7] SHUTDOWN_PROGRAM\u2028$HOME$ \u6f22 `id`'
SHOWN = "restarted; (b onload=\"x()\")after(/b) 4.1 s / a=1;2 [7] SHUTDOWN_PROGRAM 'HOME' \u6f22 'id'"


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = Deadline(20)
    while not condition():
        assert not deadline.expired
        time.sleep(0.1)


def _icinga(runs: dict[str, Run], user: str = "imap4-recovery") -> IcingaReporter:
    api = runs["icinga2"].api
    assert api is not None
    return IcingaReporter("localhost", api.port, user, str(api.passwords[user]), str(api.ca_file))


def test_a_comment_and_a_result_reach_nagios_on_one_line_without_markup(runs: dict[str, Run]) -> None:
    run = runs["nagios"]
    assert isinstance(run.engine, nagios_core.Nagios)
    reporter = NagiosReporter(str(run.engine.command_file))
    reporter.send(Report("mail", "Blip", HOSTILE, status=1), Deadline(5))
    status = run.engine.folder / "status.dat"

    def block(kind: str) -> str:
        blocks = re.findall(rf"^{kind} \{{\n(.*?)^\t\}}", status.read_text(), re.DOTALL | re.MULTILINE)
        return "".join(each for each in blocks if "service_description=Blip\n" in each)

    until(lambda: "entry_type=1" in block("servicecomment") and "last_hard_state=" in block("servicestatus"))
    comment = block("servicecomment")
    assert f"\tcomment_data={SHOWN}\n" in comment
    assert "\tauthor=imap4-recovery\n" in comment
    assert "\tpersistent=1\n" in comment
    until(
        lambda: (
            "\tcurrent_state=1\n" in block("servicestatus")
            or "SERVICE ALERT: mail;Blip;WARNING" in run.engine.log()
        )
    )
    # Every failing result is hard, and so a notification that is logged, be it into silence.
    told = "EXTERNAL COMMAND.*|PASSIVE.*|SERVICE ALERT.*|SERVICE NOTIFICATION.*"
    assert "SHUTDOWN" not in re.sub(told, "", run.engine.log())


def test_a_comment_and_a_result_reach_icinga_over_verified_tls(runs: dict[str, Run]) -> None:
    run = runs["icinga2"]
    _icinga(runs).send(Report("mail", "Blip", HOSTILE, status=1), Deadline(5))
    folder = run.engine.folder / "data" / "api" / "packages" / "_api"
    until(lambda: any("imap4-recovery" in each.read_text() for each in folder.rglob("comments/*.conf")))
    texts = [each.read_text() for each in folder.rglob("comments/*.conf")]
    assert any("text = " + json.dumps(SHOWN, ensure_ascii=False) in each for each in texts), texts


@pytest.mark.parametrize(("user", "service"), [("nobody", "Blip"), ("imap4-recovery", "None")])
def test_icingas_refusals_are_told(runs: dict[str, Run], user: str, service: str) -> None:
    with pytest.raises(ReportError) as caught:
        _icinga(runs, user).send(Report("mail", service, "text"), Deadline(5))
    assert str(caught.value) == (
        f"Icinga's API at localhost:{_icinga(runs).port}, add-comment: there is no service mail!{service}, "
        f'or {user} lacks the permission "actions/add-comment"'
    )


def test_a_wrong_password_is_told_and_not_shown(runs: dict[str, Run], tmp_path: Path) -> None:
    right = _icinga(runs)
    wrong = tmp_path / "password"
    wrong.touch(mode=0o600)
    wrong.write_text("not-the-password\n")
    reporter = IcingaReporter("localhost", right.port, "imap4-recovery", str(wrong), right.ca_file)
    with pytest.raises(ReportError) as caught:
        reporter.send(Report("mail", "Blip", "text"), Deadline(5))
    assert str(caught.value).endswith(f"the user imap4-recovery and the password in {wrong} are refused")
    assert "not-the-password" not in str(caught.value) + repr(reporter)
