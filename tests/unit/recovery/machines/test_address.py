"""From what the caller calls a machine to its address."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from imap4.causes import CAUSES
from imap4.deadline import Deadline
from recovery.errors import NameNotFound, NameNotResolved, UsageError
from recovery.machines.address import locate
from recovery.machines.netbios import is_netbios_name, lookup
from recovery.model import Target


@pytest.mark.parametrize(
    ("machine", "address"),
    [
        ("127.0.0.9", "127.0.0.9"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::1%lo", "::1"),
        ("FE80:0::1%eth0", "fe80::1%eth0"),
        ("2001:DB8::a", "2001:db8::a"),
    ],
)
def test_address_is_taken_as_it_is(machine: str, address: str) -> None:
    assert locate(machine, 22, Deadline(1)) == Target(address, address, 22)


def test_name_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    target = locate("localhost", None, Deadline(5))
    assert target.machine == "localhost"
    assert target.address in {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "machine", ["", "-oProxyCommand=x", "a b", "user@host", "a/b", "a\nb", "10.1", "0x7f.1", "010.0.0.1"]
)
def test_impossible_name_is_a_usage_error(machine: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a machine"):
        locate(machine, None, Deadline(1))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_port_is_a_usage_error(port: int) -> None:
    with pytest.raises(UsageError, match="is not between 1 and 65535"):
        locate("localhost", port, Deadline(1))


@pytest.mark.parametrize("name", ["a..b", "x" * 64, "xn--\u00e4"])
def test_name_that_no_resolver_takes_is_told(name: str) -> None:
    with pytest.raises((NameNotFound, NameNotResolved, UsageError)) as error:
        locate(name, None, Deadline(20))
    assert str(error.value).startswith((f"{name}: ", f"{name!r} is not the name of a machine"))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (socket.EAI_AGAIN, "name not resolved: temporary failure in name resolution [dns.failure]"),
        (socket.EAI_FAIL, "name not resolved: non-recoverable failure in name resolution [dns.failure]"),
    ],
)
def test_what_the_resolver_cannot_say_is_no_reason_to_ask_netbios(
    monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    def fails(*_: object) -> list[object]:
        raise socket.gaierror(code, told.split(": ")[1].partition(" [")[0])

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    monkeypatch.setattr("recovery.machines.address.lookup", lambda *_: pytest.fail("NetBIOS was asked"))
    with pytest.raises(NameNotResolved) as error:
        locate("MAIL1", None, Deadline(20))
    assert str(error.value) == f"MAIL1: {told}; {CAUSES['dns.failure'].hint}"


@pytest.mark.parametrize(
    "failure",
    [socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure"), OSError(24, "Too many open files")],
)
def test_a_host_that_cannot_ask_says_so(monkeypatch: pytest.MonkeyPatch, failure: OSError) -> None:
    def fails(*_: object) -> list[object]:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(NameNotResolved) as error:
        locate("mail1", None, Deadline(20))
    assert str(error.value) == f"mail1: this host could not ask for it: {failure.strerror}"


@pytest.mark.parametrize(
    ("name", "yes"),
    [("MAIL1", True), ("mail_1-a$", True), ("mail1.example", False), ("a" * 16, False), ("-x", False)],
)
def test_netbios_names_are_known_by_their_form(name: str, yes: bool) -> None:
    assert is_netbios_name(name) is yes


def test_missing_nmblookup_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(NameNotFound, match="samba-common-bin"):
        lookup("MAIL1", Deadline(1))
