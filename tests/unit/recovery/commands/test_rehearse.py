"""``rehearse``, run as a program: whole lines and exit codes, with machines that say what the test wants."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recovery.history.recoveries import opened
from tests.unit.recovery.commands.test_actions import EVENT, RESTART
from tests.unit.recovery.conftest import Ran, Recovery

DEFINITION = """\
[[monitor]]
name = "Mail | one"
id = "mail-1"
address = "192.0.2.1"
[monitor.recovery]
machine = "mail1"
credential = "mail"
services = ["dovecot", "postfix"]
[[monitor.recovery.action]]
do = "restart-service"
alerts = "1-2"
[[monitor.recovery.action]]
do = "reboot-server"
alerts = 3

[[monitor]]
name = "Other"
address = "192.0.2.2"
[monitor.recovery]
machine = "mail1"
credential = "mail"
verify = false
[[monitor.recovery.action]]
do = "external-process"
command = ["/usr/local/sbin/unstick", "{host}", "{output}"]

[[monitor]]
name = "Asleep"
address = "192.0.2.3"
enabled = false
[monitor.recovery]
machine = "web1"
credential = "nobody"
services = ["x"]
[[monitor.recovery.action]]
do = "restart-service"
"""
FINE: dict[str, Any] = {"findings": [[True, "login", "recovery with ssh-password"]]}
WELL = "OK - rehearsal: all 3 repairs of 2 monitors would work | repairs=3;;;0 failing=0;0;;0\n"
RESTARTED, REBOOTED = "restart-service dovecot postfix on mail1", "reboot-server on mail1"
RUN = "external-process /usr/local/sbin/unstick on mail1"


@pytest.fixture
def host(recovery: Recovery) -> Recovery:
    recovery.add_credential()
    (recovery.folder / "monitors.toml").write_text(DEFINITION)
    return recovery


def rehearse(host: Recovery, *more: str, machines: dict[str, Any] | None = None) -> Ran:
    found = FINE if machines is None else machines
    return host("rehearse", str(host.folder / "monitors.toml"), *more, machines=found)


def failing(count: int, first: str) -> str:
    more = f", and {count - 1} more" if count > 1 else ""
    figures = f"repairs=3;;;0 failing={count};0;;0"
    return f"WARNING - rehearsal: {count} of 3 repairs would fail: {first}{more} | {figures}\n"


def test_repairs_that_would_work_are_ok_and_leave_nothing(host: Recovery) -> None:
    assert rehearse(host) == Ran(0, WELL, "")
    with opened(host.paths.state) as history:
        assert history.database.execute("SELECT count(*) FROM recoveries").fetchone()[0] == 0
    asked = [(call["call"], call.get("services"), call.get("dependents")) for call in host.calls()]
    # A reboot needs other rights than a process, so the machine is asked for each of the two.
    assert [one for one in asked if one[0] == "doctor"] == [
        ("doctor", ["dovecot", "postfix"], True),
        ("doctor", [], True),
        ("doctor", [], True),
    ]
    assert [one[0] for one in asked].count("plan") == 3
    assert not any(one[0] == "run" for one in asked)


def test_verbose_names_what_would_work(host: Recovery) -> None:
    assert rehearse(host, "-v").out == (
        WELL + f"Mail / one: {RESTARTED}: would work\nMail / one: {REBOOTED}: would work\n"
        f"Other: {RUN}: would work\n"
    )


def test_what_a_machine_lacks_is_a_warning_with_every_problem(host: Recovery) -> None:
    says = {
        "findings": [
            [True, "login", "recovery with ssh-password"],
            [False, "service", "dovecot.service: not-found", "correct | its name"],
            [
                False,
                "privilege",
                "sudo does not let recovery run 4 of 8 commands without a password",
                "add:\nx",
            ],
        ]
    }
    lacks = f"privilege: {says['findings'][2][2]}"
    ran = rehearse(host, machines=says)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        failing(3, f"{RESTARTED}: service: dovecot.service: not-found")
        + f"Mail / one: {RESTARTED}: service: dovecot.service: not-found\n"
        + f"Mail / one: {RESTARTED}: {lacks}\n"
        + f"Mail / one: {REBOOTED}: service: dovecot.service: not-found\n"
        + f"Mail / one: {REBOOTED}: {lacks}\n"
        # A process has rights of its own, so the account's other ones are no matter.
        + f"Other: {RUN}: service: dovecot.service: not-found\n"
    )
    verbose = rehearse(host, "-v", machines=says).out.splitlines()
    assert verbose[2] == "    correct | its name"


@pytest.mark.parametrize(
    ("machines", "problem"),
    [
        (
            {"lost": True, "error": {"kind": "NameNotFound", "text": "mail1: no name"}},
            "machine: mail1: no name",
        ),
        ({"error": {"kind": "ConnectFailed", "text": "mail1: refused"}}, "machine: mail1: refused"),
        ({**FINE, "plan": {"verdict": "failed", "reason": "dovecot is masked"}}, "plan: dovecot is masked"),
    ],
)
def test_whatever_goes_wrong_is_a_problem_of_the_repair(
    host: Recovery, machines: dict[str, Any], problem: str
) -> None:
    ran = rehearse(host, machines=machines)
    assert ran.code == 1
    assert ran.out.splitlines()[1] == f"Mail / one: {RESTARTED}: {problem}"


def test_offline_asks_no_machine(host: Recovery) -> None:
    assert rehearse(host, "--offline") == Ran(0, WELL, "")
    assert host.calls() == []


def test_a_credential_that_is_not_there_or_not_allowed_is_found_offline(host: Recovery) -> None:
    host("credentials", "set", "mail", "--actions", "restart-service")
    ran = rehearse(host, "--offline")
    assert ran.code == 1
    assert [line.split(": ", 2)[1:] for line in ran.out.splitlines()[1:]] == [
        [REBOOTED, "credential: " + why("reboot-server")],
        [RUN, "credential: " + why("external-process")],
    ]
    host("credentials", "remove", "mail")
    assert rehearse(host, "--offline").out.splitlines()[0] == failing(
        3,
        f"{RESTARTED}: credential: there is no credential 'mail' in {host.paths.credentials}; it holds none",
    ).rstrip("\n")


def why(action: str) -> str:
    return (
        f"credential mail may not be used for {action}: it is for restart-service (imap4-recovery "
        "credentials set mail --actions ... changes that)"
    )


def test_a_key_that_is_gone_is_found_offline(host: Recovery) -> None:
    key = host.folder / "key-file"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    assert host("credentials", "set", "mail", "--private-key-file", str(key)).code == 0
    assert rehearse(host, "--offline").code == 0
    key.unlink()
    ran = rehearse(host, "--offline")
    assert ran.code == 1
    assert ran.out.splitlines()[1].startswith(f"Mail / one: {RESTARTED}: credential: ")
    assert str(key) in ran.out


def test_a_plugin_that_is_not_there_is_found_offline(host: Recovery) -> None:
    ran = rehearse(host, "--offline", "--check-command", "/usr/lib/no/check_imap4")
    lacks = "verify: /usr/lib/no/check_imap4 is not there, so that no repair could be proven"
    assert (ran.code, ran.out) == (
        1,
        failing(2, f"{RESTARTED}: {lacks}")
        + f"Mail / one: {RESTARTED}: {lacks}\nMail / one: {REBOOTED}: {lacks}\n",
    )


def test_a_token_that_is_none_is_found_offline(host: Recovery) -> None:
    file = host.folder / "monitors.toml"
    file.write_text(DEFINITION.replace("{host}", "{hosst}"))
    ran = rehearse(host, "--offline")
    # Where the definition's reader knows tokens too, it is told there.
    assert ran.code in (1, 3)
    assert "{hosst}" in ran.out


def test_a_limit_that_is_used_up_is_found_and_a_cooldown_is_not(host: Recovery) -> None:
    host(*RESTART, *EVENT)
    assert rehearse(host, "--offline").code == 0
    for _ in range(2):
        host(*RESTART, *EVENT, "--cooldown", "none")
    ran = rehearse(host, "--offline")
    used = "rules: already done 3 times on this machine in 1h, and --at-most is 3/1h"
    assert (ran.code, ran.out) == (
        1,
        failing(1, f"{RESTARTED}: {used}") + f"Mail / one: {RESTARTED}: {used}\n",
    )


def test_a_pause_is_no_problem(host: Recovery) -> None:
    host("pause", "--for", "8h", "--why", "x")
    assert rehearse(host, "--offline").code == 0


def test_the_last_one_is_told_at_once(host: Recovery) -> None:
    says = {"findings": [[False, "service", "dovecot.service: not-found"]]}
    first = rehearse(host, "--save", machines=says)
    assert host("rehearse", "--last") == first
    assert first.code == 1
    assert (host.paths.state / "rehearsal.json").stat().st_mode & 0o777 == 0o600
    calls = len(host.calls())
    told = json.loads(host("rehearse", "--last", "--json").out)
    assert (told["code"], [one["monitor"] for one in told["repairs"]]) == (1, ["Mail | one"] * 2 + ["Other"])
    assert len(host.calls()) == calls
    assert rehearse(host, "--save").code == 0
    assert host("rehearse", "--last").out == WELL


def test_a_last_one_that_is_missing_old_or_damaged_is_unknown(host: Recovery) -> None:
    file = host.paths.state / "rehearsal.json"
    assert host("rehearse", "--last") == Ran(
        3, f"UNKNOWN - rehearsal: no rehearsal was kept in {file}: rehearse --save keeps one\n", ""
    )
    rehearse(host, "--save")
    told = json.loads(file.read_text())
    for seconds, words in (
        (-40 * 3600, r"1d16h\S* ago, longer than --max-age 1d6h"),
        (7200, "in the future"),
    ):
        file.write_text(json.dumps({**told, "at": told["at"] + seconds}))
        ran = host("rehearse", "--last")
        assert (ran.code, ran.err) == (3, "")
        assert re.match(
            rf"UNKNOWN - rehearsal: the last rehearsal was {words} \(.*\): is its timer on\?\n", ran.out
        )
    for text in ("", "[]", "{}", '{"at": 1, "code": "x"}'):
        file.write_text(text)
        assert host("rehearse", "--last").out == (
            f"UNKNOWN - rehearsal: {file} is not a rehearsal: rehearse --save makes a new one\n"
        )


def test_a_definition_with_a_mistake_is_unknown_in_one_line(host: Recovery) -> None:
    (host.folder / "monitors.toml").write_text("[[monitor]]\nname = 1\n")
    ran = rehearse(host)
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.startswith("UNKNOWN - rehearsal: ")
    assert ran.out.count("\n") == 1
    assert "monitors.toml" in ran.out


def test_a_definition_without_repairs_is_told(host: Recovery) -> None:
    (host.folder / "monitors.toml").write_text('[[monitor]]\nname = "Mail"\naddress = "192.0.2.1"\n')
    assert rehearse(host) == Ran(
        0,
        "OK - rehearsal: no monitor of the definitions has a repair | repairs=0;;;0 failing=0;0;;0\n",
        "",
    )


@pytest.mark.parametrize(
    "arguments", [(), ("--last", "x.toml"), ("--last", "--save"), ("--last", "--offline")]
)
def test_wrong_use(host: Recovery, arguments: tuple[str, ...]) -> None:
    ran = host("rehearse", *arguments)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("imap4-recovery: rehearse: ")


def test_the_plugin_beside_this_program_proves_repairs(host: Recovery) -> None:
    assert Path(sys.executable).with_name("check_imap4").exists()
    assert rehearse(host, "--offline").code == 0
