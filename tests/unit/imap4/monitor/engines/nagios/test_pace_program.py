"""The event handler's command line: what is read quickly is read as argparse reads it."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.nagios import objects, pace_program
from imap4.monitor.model import Contact, Definition, Monitor
from tests.unit.imap4.monitor.engines.nagios.pace_lines import argument_lists, rendered


def by_argparse(arguments: list[str]) -> pace_program.Request | int:
    """What the parser finds, or its exit code."""
    try:
        given = pace_program._parser().parse_args(arguments)
    except SystemExit as error:
        return int(error.code or 0)
    return pace_program._request({name.replace("_", "-"): value for name, value in vars(given).items()})


@given(argument_lists())
def test_what_is_read_quickly_is_what_argparse_reads(arguments: list[str]) -> None:
    quick = pace_program.read(arguments)
    assert quick is None or quick == by_argparse(arguments)


@given(rendered())
def test_what_is_rendered_is_read_quickly(arguments: list[str]) -> None:
    assert pace_program.read(arguments) is not None


def test_the_rendered_event_handler_is_read_quickly() -> None:
    monitor = Monitor("Mail", "192.0.2.1", "mail", "Mail", contacts=(Contact("admins"),))
    files = objects.render(Definition("m.toml", (monitor,)), Programs())
    [line] = [each for each in files["imap4-commands.cfg"].splitlines() if " pace " in each]
    macros = {"UP": "300", "WARN": "300", "DOWN": "300", "LOST": "300", "FAILURES": "3", "ALERTS": "3"}
    macros |= {"WRAP": "0", "DURATION": "10", "COUNT": "7:1:0:1:1:9"}
    for name, value in macros.items():
        line = line.replace(f"$_SERVICEIMAP4_{name}$", value)
    values = {"SERVICESTATE": "CRITICAL", "SERVICENOTIFICATIONNUMBER": "2", "SERVICEDOWNTIME": "0"}
    values |= {"HOSTDOWNTIME": "", "HOSTSTATE": "UP", "HOSTSTATETYPE": "HARD", "SERVICEPROBLEMID": "7"}
    for name, value in values.items():
        line = line.replace(f"${name}$", value)
    words = shlex.split(line.partition("command_line")[2])
    request = pace_program.read(words[2:])
    assert request is not None
    assert request == by_argparse(words[2:])
    assert (request.told.number, request.before.failures, request.length) == (2, 1, 60)


@pytest.mark.parametrize(
    "change",
    [
        ["--up", "-5"],
        ["--up", "1_0"],
        ["--up=5"],
        ["--number", "\u0663"],
        ["--wrap"],
        ["--help"],
        ["--duration", "inf"],
        ["--", "x"],
        ["more"],
    ],
)
def test_what_is_unusual_is_left_to_argparse(change: list[str]) -> None:
    common = [
        "--command-file",
        "x",
        "--host",
        "h",
        "--service",
        "s",
        "--warn",
        "1",
        "--down",
        "1",
        "--lost",
        "1",
    ]
    common += ["--failures", "3", "--alerts", "3", "--duration", "10", "--state", "OK", "--number", "0"]
    common += [
        "--notice",
        "",
        "--problem",
        "",
        "--downtime",
        "0",
        "--host-downtime",
        "0",
        "--host-state",
        "UP",
    ]
    common += ["--host-state-type", "HARD", "--count", "-", "--up", "300"]
    # A count of "-" in a word of its own is an option to argparse, too; rendered is one word.
    common[common.index("--count") : common.index("--up")] = ["--count=-"]
    assert pace_program.read(common) is not None
    assert pace_program.read([*common, *change]) is None
