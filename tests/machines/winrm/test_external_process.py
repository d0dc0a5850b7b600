"""external-process over WinRM: what is particular to Windows; the rest is in test_every_way.py."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap4.deadline import Deadline
from recovery.actions.external_process import plan, run
from recovery.errors import ConnectFailed, UsageError
from recovery.model import Outcome, Transport
from recovery.requests import ProcessRequest
from recovery.transports import connect
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.links import credential, target
from tests.machines.winrm.listeners import Site
from tests.machines.winrm.powershell import FOLDER
from tests.machines.winrm.windows import Windows

SCRIPT = FOLDER.joinpath("process.ps1").read_text()


def execute(site: Site, endpoint: Endpoint, *arguments: str, seconds: float = 20) -> Outcome:
    def way(deadline: Deadline) -> Transport:
        return connect(target(site, endpoint), credential(site), deadline=deadline)

    return run(way, ProcessRequest(arguments), deadline=Deadline(seconds))


@pytest.mark.parametrize("program", ["mend.bat", "C:\\x\\mend.CMD", "mend.cmd. ."])
def test_batch_files_are_refused_because_cmd_would_interpret_arguments(
    site: Site, endpoint: Endpoint, program: str
) -> None:
    with pytest.raises(UsageError, match=r"Windows runs batch files through cmd.exe"):
        execute(site, endpoint, program, "&calc")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(('a"b',), "is not the name"), (("x", "a\0"), "NUL"), (("x", "y" * 40000), "32000")],
)
def test_what_windows_cannot_be_given_is_refused(
    site: Site, endpoint: Endpoint, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        execute(site, endpoint, *arguments)


def test_program_that_is_not_there_is_told(site: Site, endpoint: Endpoint) -> None:
    with pytest.raises(ConnectFailed, match=r"^no-such-program was not started on the machine: No such file"):
        execute(site, endpoint, "no-such-program")


def test_plan_names_the_account(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    def way(deadline: Deadline) -> Transport:
        return connect(target(site, endpoint), credential(site), deadline=deadline)

    lines = plan(way, ProcessRequest(("iisreset.exe", "/noforce")), deadline=Deadline(20)).lines
    assert lines[0] == "would run as STANDIN\\svc: iisreset.exe /noforce"


def quote(text: str) -> str:
    """Format-Argument of process.ps1, with the very patterns that stand there."""
    plain, inner, last = re.findall(r"-notmatch '(.*?)'|Replace\(\$\w+, '(.*?)', '(?:.*?)'\)", SCRIPT)
    if text and not re.search(plain[0], text):
        return text
    assert "'$1$1\\\"')" in SCRIPT
    escaped = re.sub(inner[1], r'\1\1\\"', text)
    escaped = re.sub(last[1].replace("\\z", "\\Z"), r"\1\1", escaped)
    return f'"{escaped}"'


def split(line: str) -> list[str]:
    """CommandLineToArgvW, for arguments after the program's name (Microsoft: parsing C++ arguments)."""
    found: list[str] = []
    at = 0
    while at < len(line):
        if line[at] in " \t":
            at += 1
            continue
        word, quoted = "", False
        while at < len(line) and (quoted or line[at] not in " \t"):
            backslashes = len(line[at:]) - len(line[at:].lstrip("\\"))
            at += backslashes
            if at < len(line) and line[at] == '"':
                word += "\\" * (backslashes // 2)
                if backslashes % 2:
                    word += '"'
                else:
                    quoted = not quoted
                at += 1
            else:
                word += "\\" * backslashes
                if at < len(line) and not backslashes:
                    word += line[at]
                    at += 1
        found.append(word)
    return found


@given(st.lists(st.text(st.sampled_from('a\\" \t\nü$%^&|'), max_size=8), max_size=4))
def test_quoting_is_undone_by_the_rules_of_windows(arguments: Sequence[str]) -> None:
    assert split(" ".join(quote(argument) for argument in arguments)) == list(arguments)
