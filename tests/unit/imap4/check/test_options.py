"""Wrong use is one clear line and exit 3; right use is frozen Options."""

from __future__ import annotations

import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nagiosplugin import Range

import check_imap4
from imap4.check.options import HelpWanted, UsageError, parse_arguments
from imap4.check.tls.handshake import server_name
from imap4.hostnames import to_ascii

SEE = " (see --help)"
LABELS = "between its dots, a name has 1 to 63 letters, digits, - or _"
NUMBERS = "an IPv4 address is four numbers up to 255, without leading zeros"
NEEDS_TLS = "needs --tls or --starttls" + SEE

WRONG = [
    ([], "the following arguments are required: -H/--host" + SEE),
    (["-H", ""], "argument -H/--host: an empty name, or one with a NUL, is no host" + SEE),
    (["-H", "a\0b"], "argument -H/--host: an empty name, or one with a NUL, is no host" + SEE),
    (["-H", "mail:143"], "argument -H/--host: mail:143 is no host; -p gives the port"),
    (["-H", "[mail]"], "argument -H/--host: (mail) is no IPv6 address in brackets; -p gives the port"),
    (["-H", "a..b"], "argument -H/--host: a..b is no host name and no address: " + LABELS + SEE),
    (["-H", "a b"], "argument -H/--host: a b is no host name and no address: " + LABELS + SEE),
    *(
        (["-H", host], f"argument -H/--host: {host} is no host name and no address: {NUMBERS}{SEE}")
        for host in ("127.0.0.010", "0x7f.1", "2130706433", "127.1", "1.2.3.4.", "256.1.1.1", "0x7f000001")
    ),
    (["-H", "mail;reboot"], f"argument -H/--host: mail;reboot is no host name and no address: {LABELS}{SEE}"),
    (["-H", "fe80::1"], "argument -H/--host: fe80::1 needs its interface, as in fe80::1%eth0" + SEE),
    (["-H", "[ff02::1]"], "argument -H/--host: ff02::1 needs its interface, as in ff02::1%eth0" + SEE),
    (
        ["-H", "x", "--source", "fe80::1"],
        "argument --source: fe80::1 needs its interface, as in fe80::1%eth0" + SEE,
    ),
    (
        ["-H", "x", "-S", "--server-name", "127.1"],
        f"argument --server-name: 127.1 is no host name and no address: {NUMBERS}{SEE}",
    ),
    (
        ["-H", "$HOSTADDRESS$"],
        "argument -H/--host: $HOSTADDRESS$ is no host name and no address: "
        "a macro that the monitoring engine did not replace" + SEE,
    ),
    (["-H", "x", "-p", "143\r"], "argument -p/--port: 143\\r is no port (1 to 65535)" + SEE),
    (
        ["-H", "mail.example.org\r"],
        f"argument -H/--host: mail.example.org\\r is no host name and no address: {LABELS}{SEE}",
    ),
    (["-H", "x", "$ARG1$"], "unrecognized arguments: $ARG1$" + SEE),
    (
        ["-H", "x", "-w", "$(reboot)$"],
        "argument -w/--warning: (reboot) is no range such as 10, 10:, ~:10, 10:20 or @10:20" + SEE,
    ),
    (["-H", "x" * 64], f"argument -H/--host: {'x' * 64} is no host name and no address: " + LABELS + SEE),
    (["-H", "/" + "x" * 107], "argument -H/--host: the path of a Unix socket has at most 107 bytes"),
    (["-H", "x", "--nonsense"], "there is no option --nonsense" + SEE),
    (["-H", "x", "--time", "3"], "there is no option --time; did you mean --timeout?" + SEE),
    (["-H", "x", "stray"], "unrecognized arguments: stray" + SEE),
    (["-H", "x", "-p", "0"], "argument -p/--port: 0 is no port (1 to 65535)" + SEE),
    (["-H", "x", "-p", "70000"], "argument -p/--port: 70000 is no port (1 to 65535)" + SEE),
    (["-H", "x", "-p", "imap"], "argument -p/--port: imap is no port (1 to 65535)" + SEE),
    (["-H", "x", "-p", "٣"], "argument -p/--port: ٣ is no port (1 to 65535)" + SEE),
    (["-H", "x", "-t", "0"], "argument -t/--timeout: the time must be above 0 and at most 86400 s" + SEE),
    (["-H", "x", "-t", "nan"], "argument -t/--timeout: nan is no time, such as 10, 2.5, 10s or 2m" + SEE),
    (["-H", "x", "-t", "1e3"], "argument -t/--timeout: 1e3 is no time, such as 10, 2.5, 10s or 2m" + SEE),
    *(
        (
            ["-H", "x", "-w", warning, "-c", critical],
            "there would never be a WARNING: -w wants a narrower range than -c" + SEE,
        )
        for warning, critical in (("5", "1"), ("10:20", "12:18"), ("~:9", "0:9"), ("1:", "2:3"))
    ),
    (
        ["-H", "x", "-t", "10:maybe"],
        "argument -t/--timeout: maybe is none of the states ok, warning, critical, unknown" + SEE,
    ),
    (
        ["-H", "x", "-w", "abc"],
        "argument -w/--warning: abc is no range such as 10, 10:, ~:10, 10:20 or @10:20" + SEE,
    ),
    (
        ["-H", "x", "-w", ""],
        "argument -w/--warning: an empty word is no range such as 10, 10:, ~:10, 10:20 or @10:20" + SEE,
    ),
    (["-H", "x", "--critical=--"], "--critical=: -- is no value" + SEE),
    (["-H", "x", "-w--"], "-w: -- is no value" + SEE),
    (["-H", "x", "--critical=-1"], "argument -c/--critical: -1: the range ends before it starts" + SEE),
    (
        ["-H", "x", "-c", "~:"],
        "argument -c/--critical: ~: is no range such as 10, 10:, ~:10, 10:20 or @10:20" + SEE,
    ),
    (["-H", "x", "-c", "20:10"], "argument -c/--critical: 20:10: the range ends before it starts" + SEE),
    (
        ["-H", "x", "-e", "("],
        "argument -e/--expect: ( is no regular expression: "
        "missing ), unterminated subpattern at position 0" + SEE,
    ),
    (["-H", "x", "--capability", "A B"], "argument --capability: A B is no capability name" + SEE),
    (["-H", "x", "--source", "here"], "argument --source: here is no IPv4 or IPv6 address" + SEE),
    (["-H", "x", "--name", "x" * 65], "argument --name: a name has 1 to 64 printable characters" + SEE),
    (["-H", "x", "--name", ""], "argument --name: a name has 1 to 64 printable characters" + SEE),
    (["-H", "x", "-4", "-6"], "-4 and -6 exclude each other" + SEE),
    (["-H", "::1", "-4"], "-H, --source, -4 and -6 name different address families"),
    (["-H", "::1", "--source", "127.0.0.1"], "-H, --source, -4 and -6 name different address families"),
    (["-H", "x", "-S", "--starttls"], "--tls and --starttls exclude each other" + SEE),
    (["-H", "/s", "-p", "1"], "a Unix socket has no port: leave out -p" + SEE),
    (["-H", "/s", "-4"], "a Unix socket has no address family: leave out -4 and -6" + SEE),
    (["-H", "/s", "--source", "::1"], "a Unix socket has no source address: leave out --source" + SEE),
    (["-H", "/s", "--all-addresses"], "a Unix socket has one address: leave out --all-addresses" + SEE),
    (["-H", "/s", "-S"], "TLS over a Unix socket needs --server-name or --insecure" + SEE),
    (["-H", "x", "--ca-file", "f"], f"--ca-file {NEEDS_TLS}"),
    (["-H", "x", "--server-name", "n"], f"--server-name {NEEDS_TLS}"),
    (
        ["-H", "x", "-S", "--server-name", ".x"],
        "argument --server-name: .x is no host name and no address: " + LABELS + SEE,
    ),
    (["-H", "x", "--client-cert", "f"], f"--client-cert {NEEDS_TLS}"),
    (["-H", "x", "-D", "30"], f"--certificate {NEEDS_TLS}"),
    (["-H", "x", "--insecure"], "--insecure needs --tls, --starttls or --login" + SEE),
    (["-H", "x", "-S", "--client-key", "f"], "--client-key needs --client-cert" + SEE),
    (
        ["-H", "x", "-S", "--insecure", "--ca-file", "f"],
        "--ca-file and --insecure exclude each other" + SEE,
    ),
    (
        ["-H", "x", "-S", "-D", "14,30"],
        "argument -D/--certificate: the first number is for WARNING, "
        "the second, not larger, for CRITICAL" + SEE,
    ),
    (
        ["-H", "x", "-S", "-D", "soon"],
        "argument -D/--certificate: soon is no number of days, or two, such as 30 or 30,14" + SEE,
    ),
    (["-H", "x", "-S", "--login"], "--login needs --user" + SEE),
    (["-H", "x", "--user", "a\udcffb"], "argument --user: a\\udcffb is not UTF-8" + SEE),
    (
        ["-H", "x", "-S", "--login", "--user", "u"],
        "--login needs one of --password-file and --password-fd" + SEE,
    ),
    (
        ["-H", "x", "--login", "--user", "u", "--password-fd", "3"],
        "--login needs --tls or --starttls, or --insecure to send the password in the clear" + SEE,
    ),
    (["-H", "x", "--user", "u"], "--user and --password-... need --login" + SEE),
    (
        ["-H", "x", "-S", "--ca-file", "/nowhere/ca.pem"],
        "argument --ca-file: cannot read /nowhere/ca.pem: No such file or directory",
    ),
    (
        ["-H", "x", "-S", "--ca-file", "/etc/hostname"],
        "argument --ca-file: no certificate (PEM) in /etc/hostname",
    ),
    (
        ["-H", "x", "-S", "--insecure", "--client-cert", "/nowhere/c.pem"],
        "argument --client-cert: cannot read /nowhere/c.pem or its key: No such file or directory",
    ),
    (
        ["-H", "x", "-S", "--login", "--user", "u", "--password-file", "/nowhere/p"],
        "argument --password-file: cannot read /nowhere/p: No such file or directory",
    ),
    (
        ["-H", "x", "-S", "--login", "--user", "u", "--password-file", "/dev/null"],
        "argument --password-file: /dev/null is not a plain file",
    ),
    (
        ["-H", "x", "-S", "--login", "--user", "u", "--password-fd", "999"],
        "argument --password-fd: cannot read descriptor 999: Bad file descriptor",
    ),
]


@pytest.mark.parametrize(("arguments", "why"), WRONG, ids=lambda value: str(value)[:60])
def test_wrong_use_is_one_line_and_unknown(arguments: list[str], why: str) -> None:
    assert check_imap4.main(arguments) == (3, f"IMAP4 UNKNOWN - {why}\n")


@pytest.mark.parametrize("option", ["--help", "-h", "--version", "-V"])
def test_help_and_version_exit_3_even_without_a_host(option: str) -> None:
    code, text = check_imap4.main([option])
    assert code == 3
    assert text.startswith(("usage: check_imap4 -H HOST", "check_imap4 0."))


def test_wrong_use_after_the_name_is_told_under_the_name() -> None:
    arguments = ["-H", "x", "--name", "Post", "-S", "--ca-file", "/nowhere"]
    assert check_imap4.main(arguments)[1].startswith("Post UNKNOWN - argument --ca-file")


def test_defaults_are_ipmonitors() -> None:
    options = parse_arguments(["-H", "mail.example.org"])
    assert (options.port, options.timeout, options.timeout_state) == (143, 10.0, "critical")
    assert (options.tls, options.logout, options.preauth) == ("none", "warning", True)
    assert options.target == "mail.example.org:143"


def test_tls_has_its_own_default_port() -> None:
    assert parse_arguments(["-H", "x", "-S"]).port == 993
    assert parse_arguments(["-H", "x", "--starttls"]).port == 143
    assert parse_arguments(["-H", "x", "-S", "-p", "143"]).port == 143


def test_source_decides_the_family_of_a_name() -> None:
    assert parse_arguments(["-H", "x", "--source", "[::1]"]).family == socket.AF_INET6
    assert parse_arguments(["-H", "x", "--source", "127.0.0.2"]).family == socket.AF_INET
    assert parse_arguments(["-H", "x"]).family == socket.AF_UNSPEC


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("mail_1.example.", "mail_1.example."),
    ],
)
def test_name_is_encoded_by_idna_2008(name: str, encoded: str) -> None:
    assert to_ascii(name) == encoded


def test_name_for_a_certificate_is_encoded_by_idna_2008() -> None:
    assert server_name(parse_arguments(["-H", "straße.example", "-S"])) == "xn--strae-oqa.example"


def test_invisible_characters_of_a_host_are_shown() -> None:
    with pytest.raises(UsageError, match=r"a\\u2028b.example is no host name and no address: not a name"):
        parse_arguments(["-H", "a\u2028b.example"])


@pytest.mark.parametrize("name", ["1\uff127.0.0.010", "\uff12130706433"])
def test_full_width_numbers_are_no_way_around(name: str) -> None:
    with pytest.raises(UsageError, match="four numbers"):
        parse_arguments(["-H", name])


def test_name_in_another_alphabet_is_taken() -> None:
    assert parse_arguments(["-H", "bücher.example"]).target == "bücher.example:143"


@pytest.mark.parametrize(
    "text", ["10", "10:", "~:10", "10:20", "@10:20", "0.5", "-5:5", "@~:10", ".5", "5.", ".1:.5"]
)
def test_ranges_of_the_guidelines_are_taken(text: str) -> None:
    assert parse_arguments(["-H", "x", f"--warning={text}"]).warning == text


@pytest.mark.parametrize(
    ("warning", "critical"),
    [("1", "5"), ("5", "5"), ("0:1", "5"), ("@5:9", "1"), ("1:", "~:5"), ("1", "1:2")],
)
def test_thresholds_that_can_warn_are_taken(warning: str, critical: str) -> None:
    options = parse_arguments(["-H", "x", "-w", warning, "-c", critical])
    assert (options.warning, options.critical) == (warning, critical)


@pytest.mark.parametrize(
    ("text", "timeout"),
    [("10s", (10.0, "critical")), ("2m", (120.0, "critical")), ("1m30s:unknown", (90.0, "unknown"))],
)
def test_times_may_have_units(text: str, timeout: tuple[float, str]) -> None:
    options = parse_arguments(["-H", "x", "-t", text])
    assert (options.timeout, options.timeout_state) == timeout


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (["--hostname", "x", "--ssl", "--sni", "n"], ["-H", "x", "--tls", "--server-name", "n"]),
        (["--hostname=x", "--use-ipv4"], ["-H", "x", "-4"]),
        (["--hostname=x", "--use-ipv6", "--ssl", "--sni=n"], ["-H", "x", "-6", "-S", "--server-name=n"]),
    ],
)
def test_spellings_of_the_c_plugins_are_understood(theirs: list[str], ours: list[str]) -> None:
    assert parse_arguments(theirs) == parse_arguments(ours)


@given(st.text(alphabet="0123456789.:~@-+eE_ ,\u0663n", max_size=12))
@example("--")
def test_any_range_is_refused_or_understood_by_nagiosplugin(text: str) -> None:
    try:
        spec = parse_arguments(["-H", "x", f"--critical={text}"]).critical
    except UsageError:
        return
    assert spec == text != ""
    parsed = Range(spec)
    assert parsed.start <= parsed.end
    assert parsed.invert == text.startswith("@")


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_arguments_are_refused_in_one_line_or_taken(arguments: list[str]) -> None:
    try:
        parse_arguments(["-H", "x", *arguments])
    except HelpWanted:
        return
    except UsageError as error:
        message = str(error)
    else:
        return
    assert "\n" not in message
    assert "|" not in message
