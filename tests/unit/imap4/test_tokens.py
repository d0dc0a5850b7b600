"""Where a token may stand: never where a shell or an interpreter would run what a server wrote."""

from __future__ import annotations

import pytest

from imap4.tokens import ParsedToken, refuse_parsed


@pytest.mark.parametrize(
    "command",
    [
        ("/bin/sh", "-c", "logger -t imap {output}"),
        ("/bin/sh", "-c", "{output}"),
        ("bash", "-lc", "echo {host}"),
        ("bash", "-o", "pipefail", "-c", "echo {host}"),
        ("/usr/bin/env", "A=1", "sh", "-c", "x {service}"),
        ("/usr/bin/timeout", "5", "dash", "-ec", "x {state}"),
        ("find", "/srv", "-exec", "sh", "-c", "echo {output}", ";"),
        ("sh", "{output}"),
        ("sh", "/opt/{service}.sh"),
        ("su", "-c", "logger {service}", "nobody"),
        ("python3", "-c", "print('{output}')"),
        ("/usr/bin/python3.11", "-c", "{output}"),
        ("perl", "-ne", "print '{host}'"),
        ("perl", "-eprint '{host}'"),
        ("php", "-r", "{service}"),
        ("node", "--eval", "{output}"),
        ("awk", "/{host}/", "/var/log/mail.log"),
        ("sed", "-i", "s/x/{output}/", "/etc/x"),
        ("ssh", "other", "logger", "{output}"),
        ("xargs", "logger", "{output}"),
        ("cmd.exe", "/c", "echo", "{output}"),
        ("C:\\Windows\\System32\\cmd.exe", "/c", "echo {service}"),
        ("powershell.exe", "-Command", "Write-Host", "{output}"),
        ("pwsh", "{output}"),
        ("C:\\tools\\fix.bat", "{output}"),
    ],
    ids=" ".join,
)
def test_a_token_that_would_be_read_as_code_is_refused(command: tuple[str, ...]) -> None:
    with pytest.raises(
        ParsedToken, match=r"stands where \S+ reads it as code, and a server could write code"
    ):
        refuse_parsed(command)


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", 'logger -t imap "$1"', "sh", "{output}"),
        ("/usr/bin/env", "A=1", "bash", "-c", 'x "$1" "$2"', "bash", "{output}", "{host}"),
        ("sh", "/opt/fix.sh", "{output}", "{service}"),
        ("python3", "/opt/fix.py", "--host={host}", "{output}"),
        ("perl", "-e", "print @ARGV", "{output}"),
        ("awk", "-f", "/opt/x.awk", "{state}"),
        ("/usr/bin/logger", "-t", "imap", "{output}"),
        ("/usr/bin/logger", "-t", "imap-{service}", "{{output}}"),
        ("powershell.exe", "-File", "C:\\fix.ps1", "{output}"),
        ("sh", "-c", "echo {{host}}"),
    ],
    ids=" ".join,
)
def test_a_token_that_is_data_may_stay(command: tuple[str, ...]) -> None:
    refuse_parsed(command)


def test_the_servers_text_is_never_a_part_of_an_argument() -> None:
    with pytest.raises(ParsedToken) as refused:
        refuse_parsed(("/opt/fix", "--text={output}"))
    assert str(refused.value) == (
        "{output} must be an argument of its own, not a part of one, since its text is the server's: "
        "sh -c '... \"$1\"' sh {output}"
    )


def test_a_token_names_no_program() -> None:
    with pytest.raises(ParsedToken, match="cannot name the program"):
        refuse_parsed(("{service}",))
