"""From what the caller calls a machine to its address."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.errors import NameNotFound, UsageError
from recovery.machines.address import locate
from recovery.machines.netbios import is_netbios_name, lookup
from recovery.model import Target


@pytest.mark.parametrize(
    ("machine", "address"),
    [("127.0.0.9", "127.0.0.9"), ("::1", "::1"), ("[::1]", "::1"), ("fe80::1%eth0", "fe80::1%eth0")],
)
def test_address_is_taken_as_it_is(machine: str, address: str) -> None:
    assert locate(machine, 22, Deadline(1)) == Target(address, address, 22)


def test_name_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    target = locate("localhost", None, Deadline(5))
    assert target.machine == "localhost"
    assert target.address in {"127.0.0.1", "::1"}


@pytest.mark.parametrize("machine", ["", "-oProxyCommand=x", "a b", "user@host", "a/b", "a\nb"])
def test_impossible_name_is_a_usage_error(machine: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a machine"):
        locate(machine, None, Deadline(1))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_port_is_a_usage_error(port: int) -> None:
    with pytest.raises(UsageError, match="is not between 1 and 65535"):
        locate("localhost", port, Deadline(1))


def test_unknown_dns_name_is_told() -> None:
    with pytest.raises(NameNotFound, match=r"^no\.such\.machine\.invalid: "):
        locate("no.such.machine.invalid", None, Deadline(20))


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
