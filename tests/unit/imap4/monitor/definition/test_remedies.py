"""Messages about definitions: what each says to write is written, and then the file has no mistakes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from imap4.monitor.definition.reader import DefinitionError, parse
from tests.unit.imap4.monitor.conftest import Run

HEAD = '[[monitor]]\nname = "Mail"\naddress = "192.0.2.1"\n'


def told(text: str) -> list[str]:
    """The mistakes in a definition; [] where it has none."""
    try:
        parse(text, "f")
    except DefinitionError as error:
        return str(error).splitlines()
    return []


# Wrong lines below HEAD; what is said of them; the lines with the remedy in their place.
REMEDIES = [
    (
        'tls = "starttls"',
        '4: MAIL: tls: "starttls" is not a table; write tls = { ... }, or [monitor.tls] below the other keys',
        '[monitor.tls]\nmode = "starttls"',
    ),
    (
        "delays = 5",
        "4: MAIL: delays: 5 is not a table; write delays = { ... }, or [monitor.delays] below the other keys",
        "delays = { up = 5 }",
    ),
    (
        'recovery = { action = "reboot-server" }',
        "4: MAIL: recovery.action: is not a list of tables; write [[monitor.recovery.action]] below the "
        "other keys",
        '[monitor.recovery]\nmachine = "m"\ncredential = "c"\n'
        '[[monitor.recovery.action]]\ndo = "reboot-server"',
    ),
    (
        "timeout = 5",
        '4: MAIL: timeout: is unknown; did you mean "test_duration"?',
        "test_duration = 5",
    ),
    ("up = 5", '4: MAIL: up: is unknown; did you mean "delays.up"?', "delays.up = 5"),
    (
        "up = 5\n[monitor.delays]\ndown = 7",
        "4: MAIL: up: is unknown; it belongs into [monitor.delays]",
        "[monitor.delays]\nup = 5\ndown = 7",
    ),
    (
        'ca_file = "/c"\n[monitor.tls]\nmode = "tls"',
        "4: MAIL: ca_file: is unknown; it belongs into [monitor.tls]",
        '[monitor.tls]\nmode = "tls"\nca_file = "/c"',
    ),
    (
        'contacts = ["boss@example.org"]',
        '4: MAIL: contacts: "boss@example.org" is an e-mail address; write the name of the engine\'s '
        'contact that has it, or { name = "boss@example.org" } if this is its name',
        'contacts = [{ name = "boss@example.org" }]',
    ),
    ("enabled = yes", "4: not valid TOML: Invalid value; write enabled = true", "enabled = true"),
    ("enabled = False", "4: not valid TOML: Invalid value; write enabled = false", "enabled = false"),
    (
        "host = mail",
        '4: not valid TOML: Invalid value; put the text in quotes, host = "mail"',
        'host = "mail"',
    ),
    (
        "test_duration = 5 s",
        "4: not valid TOML: Expected newline or end of document after a statement; write the number alone, "
        "test_duration = 5",
        "test_duration = 5",
    ),
    (
        'options = ["--name", "C:\\mail"]',
        "4: not valid TOML: Unescaped '\\' in a string; write \\\\ for each backslash",
        'options = ["--name", "C:\\\\mail"]',
    ),
    (
        'host = "a"\nport = 1\nhost = "b"',
        '6: not valid TOML: "host" is there twice, also in line 4',
        'port = 1\nhost = "b"',
    ),
]


@pytest.mark.parametrize(("wrong", "said", "right"), REMEDIES, ids=[each[0] for each in REMEDIES])
def test_what_the_message_says_to_write_is_right(wrong: str, said: str, right: str) -> None:
    assert told(HEAD + wrong + "\n") == [f"f:{said}".replace("MAIL", 'monitor "Mail"')]
    assert told(HEAD + right + "\n") == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mail:993", 'address = "mail" and port = 993'),
        ("imaps://mail.example.org/", 'address = "mail.example.org"'),
        ("192.0.2.1:143", 'address = "192.0.2.1" and port = 143'),
    ],
)
def test_an_address_with_a_port_is_taken_apart(address: str, said: str) -> None:
    text = f'[[monitor]]\nname = "Mail"\naddress = "{address}"\n'
    assert told(text) == [f'f:3: monitor "Mail": address: "{address}": write the name alone, {said}']
    assert told('[[monitor]]\nname = "Mail"\n' + said.replace(" and ", "\n") + "\n") == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.010", ": an IPv4 address is four numbers up to 255, without leading zeros"),
        ("2130706433", ": an IPv4 address is four numbers up to 255, without leading zeros"),
        ("fe80::1", " needs its interface, as in fe80::1%eth0"),
    ],
)
def test_an_address_that_is_none_is_told(address: str, said: str) -> None:
    text = f'[[monitor]]\nname = "Mail"\naddress = "{address}"\n'
    assert told(text) == [f'f:3: monitor "Mail": address: "{address}"{said}']


def test_a_misspelt_table_of_monitors_has_a_line() -> None:
    found = told('# mine\n[[monitors]]\nname = "Mail"\n')
    assert found == ['f:2: monitors: is unknown; did you mean "monitor"?']


PLUGIN_SAYS = [
    ('["--nonsense"]', "there is no option --nonsense"),
    ('["--version"]', "--help and --version test nothing"),
    ('["-h"]', "--help and --version test nothing"),
    ('["-e", "("]', "argument -e/--expect: "),
    ('["-e"]', "argument -e/--expect: expected one argument"),
    ('["-vw1"]', "-w makes WARNINGs, which would use up the alerts; make it a service of its own"),
    ('["-e ^220"]', '"-e ^220" is two arguments; write "-e", "^220"'),
    ('["--expect ^220"]', '"--expect ^220" is two arguments; write "--expect", "^220"'),
    ('["-t5"]', "-t: use the key test_duration"),
    ('["-4t5"]', "an option sets what has a key of its own: use the key test_duration"),
    ('["-4", "-6"]', "-4 and -6 exclude each other"),
    ('["--login"]', "--login needs --user"),
    ('["--login", "--user", "u", "--password-file", "/p"]', "--login"),
    ('["mail2"]', "unrecognized arguments: mail2"),
]


@pytest.mark.parametrize(("options", "said"), PLUGIN_SAYS, ids=[each[0] for each in PLUGIN_SAYS])
def test_options_that_the_plugin_would_refuse_at_night_are_told_now(options: str, said: str) -> None:
    (found,) = told(f"{HEAD}port = 144\noptions = {options}\n")
    assert found.startswith(f'f:5: monitor "Mail": options: {said}')
    assert "see --help" not in found


def test_options_in_the_defaults_are_told_once_and_there() -> None:
    two = HEAD + HEAD.replace("Mail", "Other").replace("2.1", "2.2")
    text = '[defaults]\noptions = ["--nonsense"]\n' + two
    assert told(text) == ["f:2: [defaults]: options: there is no option --nonsense"]


def test_options_that_the_plugin_takes_are_right() -> None:
    assert told(HEAD + 'options = ["-e", "^220 ", "--all-addresses", "-4", "-c", "5", "-v"]\n') == []
    login = 'options = ["--login", "--user", "u", "--password-file", "/p"]\n'
    assert told(HEAD + 'tls = { mode = "tls", verify = false }\n' + login) == []
    assert told(HEAD + "tls = { verify = false }\n" + login) == []


def test_a_mark_of_windows_editors_is_no_mistake(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_bytes(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode())
    ended = imap4_monitor("validate", "f.toml")
    assert (ended.stdout, ended.returncode) == ("f.toml: 1 monitor, no mistakes\n", 0)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("UTF-16", "1: is UTF-16, not UTF-8: save it as UTF-8, or iconv -f UTF-16 -t UTF-8 FILE >NEW"),
        ("UTF-16LE", "1: is UTF-16LE, not UTF-8: save it as UTF-8, or iconv -f UTF-16LE -t UTF-8 FILE >NEW"),
        (
            "LATIN1",
            "4: is not UTF-8 text (byte 0xFC): save the file as UTF-8; where it is Latin-1, "
            "iconv -f LATIN1 -t UTF-8 FILE >NEW",
        ),
    ],
)
def test_a_file_in_another_encoding_is_told_and_iconv_mends_it(
    imap4_monitor: Run, tmp_path: Path, encoding: str, said: str
) -> None:
    (tmp_path / "f.toml").write_bytes((HEAD + 'host = "m\u00fcl"\n').encode(encoding))
    ended = imap4_monitor("validate", "f.toml")
    assert (ended.stdout, ended.returncode) == (f"f.toml:{said}\n", 1)
    command = "iconv" + said.rpartition("iconv")[2].replace("FILE", "f.toml").replace("NEW", "new.toml")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert imap4_monitor("validate", "new.toml").returncode == 0


def test_two_addresses_under_one_host_are_told(imap4_monitor: Run, write: Callable[[str], str]) -> None:
    one = HEAD + 'host = "mail"\n'
    two = one.replace("Mail", "Other").replace("2.1", "2.2")
    said = (
        'warning: monitors.toml:5: monitor "Other": host: mail has the address of "Mail", 192.0.2.1, not '
        "192.0.2.2; name another host here, or render with --existing-hosts\n"
    )
    file = write(one + two)
    ended = imap4_monitor("validate", file)
    assert (ended.stdout, ended.returncode) == ("monitors.toml: 2 monitors, no mistakes\n", 0)
    assert ended.stderr == said
    command = ("render", "icinga2", file, "-o", "out", "--check-command", "/bin/true")
    assert imap4_monitor(*command).stderr == f"render: {said}"
    assert imap4_monitor(*command, "--existing-hosts").stderr == ""
    assert imap4_monitor("validate", write(one + two.replace('"mail"', '"mail2"'))).stderr == ""
