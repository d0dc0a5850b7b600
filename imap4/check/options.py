"""The command line: argv -> frozen Options. Shared by everything that runs the check."""

from __future__ import annotations

import argparse
import functools
import re
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from imap4 import VERSION
from imap4.arguments import Parser, show_examples
from imap4.check import values
from imap4.hostnames import family_of
from imap4.text import clean, shown

IMAP_PORT = 143
IMAPS_PORT = 993


class UsageError(Exception):
    """The command line, or a file that it names, is wrong: exits UNKNOWN (3) with this one line."""


class HelpWanted(Exception):
    """``--help`` or ``--version``: exits 3 with this text, as the plugin guidelines say."""


class Options(NamedTuple):
    """Everything that one test needs to know. Times are in seconds, certificate limits in days."""

    host: str
    """As given, without the brackets of an IPv6 address; empty for a Unix socket."""
    port: int
    unix_path: str | None
    name: str
    """Begins the status line; the monitor's own name or ``IMAP4``."""
    family: int
    """``socket.AF_INET``, ``AF_INET6`` or ``AF_UNSPEC``."""
    source: str | None
    proxy_protocol: int | None
    """Version of the PROXY protocol's header that is sent first."""
    all_addresses: bool
    timeout: float
    timeout_state: str
    """One of ``values.STATES``: the verdict where time runs out."""
    warning: str
    """Range on the whole time, in the guidelines' syntax; empty for none."""
    critical: str
    expect: str | None
    """Regular expression that replaces what greeting passes."""
    preauth: bool
    """Whether ``* PREAUTH`` passes."""
    logout: str
    """``warning``, ``critical`` or ``ignore``: what a failed LOGOUT means."""
    tls: str
    """``none``, ``implicit`` or ``starttls``."""
    insecure: bool
    ca_file: str | None
    server_name: str | None
    tls_min: str
    tls_security_level: int | None
    """OpenSSL's; None for the system's."""
    client_cert: str | None
    client_key: str | None
    certificate: tuple[float, float | None] | None
    """Days left below which the verdict is WARNING, and CRITICAL."""
    capabilities: tuple[str, ...]
    login: bool
    user: str | None
    password_file: str | None
    password_fd: int | None
    verbose: int
    record: str | None = None
    """The folder that a line about the test is appended in, for reports."""
    id: str | None = None
    """What the record calls the monitor."""
    downtime: int = 0
    """Above 0 where the test falls into a planned downtime."""
    no_worker: bool = False
    """Whether it is to be run by nobody but the process that was told so."""

    @property
    def target(self) -> str:
        """What is tested, as the status line says it: ``host:port``, ``[address]:port`` or a path."""
        if self.unix_path is not None:
            return clean(self.unix_path, 107)
        return endpoint(clean(self.host, 255), self.port)


def endpoint(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_arguments(argv: Sequence[str]) -> Options:
    """Read the command line, without the program's name.

    Raises:
        UsageError: it is wrong; the text is one line.
        HelpWanted: it asks for help or the version.
    """
    _reject_lost_values(argv)
    given = _parser().parse_args([_in_our_words(argument) for argument in argv])
    _reject_contradictions(given)
    host, unix_path = _target(given.host)
    family = _family(given, host)
    port = given.port or (IMAPS_PORT if given.tls else IMAP_PORT)
    tls = "implicit" if given.tls else "starttls" if given.starttls else "none"
    seconds, state = given.timeout
    return Options(
        host=host,
        port=port,
        unix_path=unix_path,
        name=given.name,
        family=family,
        source=given.source,
        proxy_protocol=given.proxy_protocol,
        all_addresses=given.all_addresses,
        timeout=seconds,
        timeout_state=state,
        warning=given.warning or "",
        critical=given.critical or "",
        expect=given.expect,
        preauth=not given.no_preauth,
        logout=given.logout,
        tls=tls,
        insecure=given.insecure,
        ca_file=given.ca_file,
        server_name=given.server_name,
        tls_min=given.tls_min,
        tls_security_level=given.tls_security_level,
        client_cert=given.client_cert,
        client_key=given.client_key,
        certificate=given.certificate,
        capabilities=tuple(given.capability),
        login=given.login,
        user=given.user,
        password_file=given.password_file,
        password_fd=given.password_fd,
        verbose=min(given.verbose, 3),
        record=given.record,
        id=given.id,
        downtime=max(given.downtime, default=0),
        no_worker=given.no_worker,
    )


class _Parser(Parser):
    """An ArgumentParser that raises instead of printing and exiting (argparse exits 2 and 0)."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{shown(message, 200)} (see --help)")


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        raise HelpWanted(parser.format_help())


class _Version(argparse.Action):
    def __call__(self, *_: Any) -> NoReturn:
        raise HelpWanted(f"check_imap4 {VERSION}\n")


_EXAMPLES = {
    "check_imap4": (
        "check_imap4 -H mail.example.org --tls -D 30,14 -w 1 -c 5",
        "check_imap4 -H mail.example.org --starttls --login --user probe --password-file /etc/probe",
    )
}


@functools.cache
def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="check_imap4",
        usage="check_imap4 -H HOST [options]",
        description="Tests an IMAP4 server: connects, waits for the greeting, sends LOGOUT, disconnects.",
        epilog="RANGE is 10, 10:, ~:10, 10:20 or @10:20, in seconds. Exit codes: 0 OK, 1 WARNING, "
        "2 CRITICAL, 3 UNKNOWN; --help and --version exit 3 too, as the plugin guidelines say. "
        "--hostname, --ssl, --sni, --use-ipv4 and --use-ipv6 of other plugins are understood.",
        add_help=False,
        allow_abbrev=False,
    )
    _add_general(parser.add_argument_group("general"))
    _add_target(parser.add_argument_group("target"))
    _add_judgement(parser.add_argument_group("judgement"))
    _add_tls(parser.add_argument_group("TLS"))
    _add_login(parser.add_argument_group("login"))
    _add_record(parser.add_argument_group("record, for reports"))
    show_examples(parser, _EXAMPLES)
    return parser


def _add_general(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-h", "--help", action=_Help, nargs=0, help="print this and exit 3")
    add("-V", "--version", action=_Version, nargs=0, help="print the version and exit 3")
    add("-v", "--verbose", action="count", default=0, help="more lines; -vv phases, -vvv the dialogue")
    add(
        "--name",
        type=values.name,
        default="IMAP4",
        help="begins the status line, at most 64 characters (IMAP4)",
    )
    add(
        "--no-worker",
        action="store_true",
        help="test in this process, also where imap4-worker serves on this machine",
    )


def _add_target(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "-H", "--host", metavar="HOST", required=True, help="name, address, or absolute path of a Unix socket"
    )
    add("-p", "--port", type=values.port, metavar="PORT", help="TCP port (143; 993 with --tls)")
    add("-4", dest="ipv4", action="store_true", help="IPv4 only")
    add("-6", dest="ipv6", action="store_true", help="IPv6 only")
    add("--source", type=values.address, metavar="ADDRESS", help="local address to connect from")
    add(
        "--proxy-protocol",
        type=int,
        choices=(1, 2),
        help="begin with HAProxy's header, of this version, for a server that waits for one",
    )
    add("--all-addresses", action="store_true", help="test every address of the name; the worst verdict wins")
    add(
        "-t",
        "--timeout",
        type=values.timeout,
        default=(10.0, "critical"),
        metavar="TIME[:STATE]",
        help="maximum duration of the whole test (10; 2.5, 10s, 2m), the state if it is outlasted (critical)",
    )


def _add_judgement(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-w", "--warning", type=values.threshold, metavar="RANGE", help="WARNING where the time is outside")
    add("-c", "--critical", type=values.threshold, metavar="RANGE", help="CRITICAL where the time is outside")
    add(
        "-e",
        "--expect",
        type=values.regex,
        metavar="REGEX",
        help="pass a greeting that this is found in, no other",
    )
    add("--no-preauth", action="store_true", help="WARNING where the greeting is PREAUTH")
    add(
        "--logout",
        choices=("warning", "critical", "ignore"),
        default="warning",
        help="what a failed LOGOUT means (warning)",
    )
    add(
        "--capability",
        action="append",
        default=[],
        type=values.capability,
        metavar="NAME",
        help="the server must offer it; may be given again",
    )


def _add_tls(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-S", "--tls", action="store_true", help="TLS from the first byte (IMAPS)")
    add("--starttls", action="store_true", help="TLS by the STARTTLS command")
    add("--ca-file", metavar="FILE", help="trust these certificates instead of the system's")
    add(
        "--server-name",
        type=values.host,
        metavar="NAME",
        help="name in the certificate, where it is not HOST",
    )
    add("--insecure", action="store_true", help="do not verify the certificate; allow --login without TLS")
    add(
        "--tls-min",
        choices=values.TLS_VERSIONS,
        default="1.2",
        help="oldest TLS version to speak (1.2); 1.0 and 1.1 mean security level 0",
    )
    add(
        "--tls-security-level",
        type=int,
        choices=(0, 1, 2, 3),
        help="OpenSSL's, for old servers: 1 and 0 take RSA key exchange and small keys (the system's)",
    )
    add("--client-cert", metavar="FILE", help="certificate to show, PEM")
    add("--client-key", metavar="FILE", help="its key, PEM, where it is not in the same file")
    add(
        "-D",
        "--certificate",
        type=values.days,
        metavar="DAYS[,DAYS]",
        help="WARNING, and CRITICAL, where the certificate has fewer days left",
    )


def _add_login(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--login", action="store_true", help="log in as well; no mailbox is opened")
    add("--user", type=values.text, metavar="USER")
    add("--password-file", metavar="FILE", help="its first line is the password")
    add(
        "--password-fd",
        type=values.descriptor,
        metavar="FD",
        help="read the password from this file descriptor",
    )


def _add_record(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--record", type=values.folder, metavar="FOLDER", help="append a line about the test to a file there")
    add("--id", type=values.identity, metavar="ID", help="what the line calls the monitor")
    add(
        "--downtime",
        action="append",
        default=[],
        type=values.depth,
        metavar="N",
        help="above 0: the test falls into a planned downtime; may be given again",
    )


# The spellings of the C plugins (monitoring-plugins, nagios-plugins) that differ from ours.
_SPELLINGS = {
    "--hostname": "--host",
    "--ssl": "--tls",
    "--sni": "--server-name",
    "--use-ipv4": "-4",
    "--use-ipv6": "-6",
}


def _in_our_words(argument: str) -> str:
    """An option in our spelling. What begins with ``--`` is no value, or argparse would refuse it."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return _SPELLINGS.get(name, name) + equals + value


def _reject_lost_values(argv: Sequence[str]) -> None:
    """Refuse ``--option=--``, of which argparse before Python 3.13 loses the value without a word."""
    for argument in argv:
        if argument.endswith("--") and re.fullmatch("--[a-z-]+=--|-[A-Za-z]--", argument):
            raise UsageError(f"{argument[:-2]}: -- is no value (see --help)")


def _reject_contradictions(given: argparse.Namespace) -> None:
    uses_tls = given.tls or given.starttls
    is_path = given.host.startswith("/")
    wrong = (
        (
            given.warning and given.critical and values.never_warns(given.warning, given.critical),
            "there would never be a WARNING: -w wants a narrower range than -c",
        ),
        (given.tls and given.starttls, "--tls and --starttls exclude each other"),
        (given.ipv4 and given.ipv6, "-4 and -6 exclude each other"),
        (is_path and given.port is not None, "a Unix socket has no port: leave out -p"),
        (is_path and (given.ipv4 or given.ipv6), "a Unix socket has no address family: leave out -4 and -6"),
        (is_path and given.source is not None, "a Unix socket has no source address: leave out --source"),
        (is_path and given.all_addresses, "a Unix socket has one address: leave out --all-addresses"),
        (
            is_path and uses_tls and not (given.server_name or given.insecure),
            "TLS over a Unix socket needs --server-name or --insecure",
        ),
        *(
            (getattr(given, option) is not None and not uses_tls, f"{flag} needs --tls or --starttls")
            for option, flag in (
                ("ca_file", "--ca-file"),
                ("server_name", "--server-name"),
                ("client_cert", "--client-cert"),
                ("client_key", "--client-key"),
                ("certificate", "--certificate"),
            )
        ),
        (
            given.insecure and not (uses_tls or given.login),
            "--insecure needs --tls, --starttls or --login",
        ),
        (given.ca_file and given.insecure, "--ca-file and --insecure exclude each other"),
        (given.client_key and not given.client_cert, "--client-key needs --client-cert"),
        ((given.record is None) != (given.id is None), "--record and --id go together"),
        (given.downtime and given.record is None, "--downtime needs --record"),
        (given.login and not given.user, "--login needs --user"),
        (
            given.login and (given.password_file is None) == (given.password_fd is None),
            "--login needs one of --password-file and --password-fd",
        ),
        (
            not given.login
            and (given.user or given.password_file is not None or given.password_fd is not None),
            "--user and --password-... need --login",
        ),
        (
            given.login and not (uses_tls or is_path or given.insecure),
            "--login needs --tls or --starttls, or --insecure to send the password in the clear",
        ),
    )
    for is_wrong, why in wrong:
        if is_wrong:
            raise UsageError(f"{why} (see --help)")


def _target(given: str) -> tuple[str, str | None]:
    """Split -H into host and path of a Unix socket."""
    if not given or "\0" in given:
        raise UsageError("argument -H/--host: an empty name, or one with a NUL, is no host (see --help)")
    if given.startswith("/"):
        # sun_path holds 108 bytes, the closing NUL included: unix(7).
        if len(given.encode("utf-8", "surrogateescape")) > 107:
            raise UsageError("argument -H/--host: the path of a Unix socket has at most 107 bytes")
        return "", given
    bare = given
    if given.startswith("["):
        bare = given[1:-1]
        if not given.endswith("]") or family_of(bare) != socket.AF_INET6:
            raise UsageError(
                f"argument -H/--host: {shown(given)} is no IPv6 address in brackets; -p gives the port"
            )
    elif ":" in given and family_of(given) is None:
        raise UsageError(f"argument -H/--host: {shown(given)} is no host; -p gives the port")
    try:
        return values.host(bare), None
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"argument -H/--host: {error} (see --help)") from None


def _family(given: argparse.Namespace, host: str) -> int:
    """The address family that -4, -6, --source and a literal address leave."""
    wanted = socket.AF_INET if given.ipv4 else socket.AF_INET6 if given.ipv6 else socket.AF_UNSPEC
    literal = family_of(host)
    source = family_of(given.source) if given.source else None
    families = {family for family in (wanted or None, literal, source) if family is not None}
    if len(families) > 1:
        raise UsageError("-H, --source, -4 and -6 name different address families")
    return families.pop() if families else socket.AF_UNSPEC
