"""The check and names: many addresses, none, dead ones, and name servers that fail or never answer.

A namespace has a real name server, real routes and real packet loss.
"""

from __future__ import annotations

import re

import pytest

from tests.machines.network import (
    BLACKHOLE4,
    FORBIDDEN4,
    FULL4,
    GOOD4,
    GOOD6,
    LOST4,
    LOST6,
    OTHER4,
    PROHIBITED4,
    REFUSING4,
    REFUSING6,
    REJECTED4,
    REJECTED6,
    SILENT4,
    SOURCE_ONLY4,
    UNREACHABLE4,
    Network,
)
from tests.machines.plugin import Run, run

PASSED = "time resolve connect greeting logout"


def check(net: Network, *options: str, timeout: str = "0.8", locale: str = "C") -> Run:
    return run(*options, timeout=timeout, prefix=net.prefix, env={"LC_ALL": locale})


def ok(name: str, more: str = "") -> tuple[int, str, str]:
    return 0, f"IMAP4 OK - {name}:143 greeting in T s, logged out{more}", PASSED


def critical(name: str, problem: str, perfdata: str) -> tuple[int, str, str]:
    return 2, f"IMAP4 CRITICAL - {name}:143 {problem}", perfdata


# Which address


@pytest.mark.parametrize(
    ("options", "used"), [((), GOOD6), (("-6",), GOOD6), (("-4",), GOOD4)], ids=["any", "6", "4"]
)
def test_family_decides_which_address_is_tested(net: Network, options: tuple[str, ...], used: str) -> None:
    result = check(net, "-H", "good.test", "-v", *options)
    assert result[:3] == ok("good.test")
    assert f"\nconnected to {used}\n" in result.output


def test_first_address_that_connects_decides(net: Network) -> None:
    result = check(net, "-H", "refusing-first.test")
    assert result[:3] == ok("refusing-first.test", f", {REFUSING6}: connection refused")


def test_dead_first_address_leaves_time_for_the_next(net: Network) -> None:
    result = check(net, "-H", "dead-first.test")
    assert result[:3] == ok("dead-first.test", f", {LOST6}: no answer")


def test_address_without_a_route_is_tried_last(net: Network) -> None:
    # The resolver sorts it so (RFC 6724, rule 1).
    result = check(net, "-H", "unreachable-first.test", "-v")
    assert result[:3] == ok("unreachable-first.test")
    assert f"\naddresses: {GOOD4}, {UNREACHABLE4}\n" in result.output


def test_two_dead_addresses_are_critical_in_time(net: Network) -> None:
    result = check(net, "-H", "lost.test")
    problem = "no connection within 0.8 s [connect.timeout]"
    assert result[:3] == critical("lost.test", problem, "time resolve")


def test_an_answer_tells_more_than_none(net: Network) -> None:
    result = check(net, "-H", "lost-and-refusing.test")
    problem = "connection refused [connect.refused]"
    assert result[:3] == critical("lost-and-refusing.test", problem, "time resolve")


def test_name_outside_ascii_is_tested(net: Network) -> None:
    assert check(net, "-H", "münchen.test", locale="C.UTF-8")[:3] == ok("münchen.test")


def test_name_is_looked_up_by_idna_2008(net: Network) -> None:
    # By the IDNA of 2003 it would be strasse.test, which somebody else may have.
    assert check(net, "-H", "straße.test", locale="C.UTF-8")[:3] == ok("straße.test")


def test_name_with_the_dot_of_the_root_is_tested(net: Network) -> None:
    assert check(net, "-H", "good.test.")[:3] == ok("good.test.")


# Single addresses that cannot be reached


@pytest.mark.parametrize("address", [LOST4, LOST6, FULL4])
def test_address_that_never_answers_is_critical_in_time(net: Network, address: str) -> None:
    shown = f"[{address}]" if ":" in address else address
    problem = "no connection within 0.8 s [connect.timeout]"
    assert check(net, "-H", address)[:3] == critical(shown, problem, "time resolve")


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (UNREACHABLE4, "no route to host"),
        (BLACKHOLE4, "a blackhole route of this machine drops the packets"),
        (PROHIBITED4, "permission denied"),
        ("233.252.0.1", "network is unreachable"),
    ],
    ids=["unreachable", "blackhole", "prohibited", "no-route"],
)
def test_address_without_a_way_to_it_is_critical(net: Network, address: str, problem: str) -> None:
    result = check(net, "-H", address)
    assert result[:3] == critical(address, f"{problem} [connect.unreachable]", "time resolve")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (REJECTED4, "port unreachable"),
        (REJECTED6, "port unreachable"),
        (FORBIDDEN4, "administratively prohibited"),
    ],
)
def test_firewall_that_rejects_is_not_told_as_refused(net: Network, address: str, said: str) -> None:
    shown = f"[{address}]" if ":" in address else address
    problem = f"{said} (ICMP from {address}) [connect.unreachable]"
    assert check(net, "-H", address)[:3] == critical(shown, problem, "time resolve")


@pytest.mark.parametrize("address", [REFUSING4, REFUSING6])
def test_machine_without_the_service_refuses(net: Network, address: str) -> None:
    shown = f"[{address}]" if ":" in address else address
    problem = "connection refused [connect.refused]"
    assert check(net, "-H", address)[:3] == critical(shown, problem, "time resolve")


def test_interface_that_is_not_there_is_told(net: Network) -> None:
    problem = "this machine has no interface eth7 [connect.unreachable]"
    assert check(net, "-H", "fe80::1%eth7")[:3] == critical("[fe80::1%eth7]", problem, "time")


def test_silent_server_is_critical_in_time(net: Network) -> None:
    problem = "no greeting within 0.8 s [greeting.timeout]"
    assert check(net, "-H", SILENT4)[:3] == critical(SILENT4, problem, "time resolve connect")


# The source address


def test_source_address_is_used(net: Network) -> None:
    own = check(net, "-H", SOURCE_ONLY4)
    other = check(net, "-H", SOURCE_ONLY4, "--source", OTHER4)
    problem = "says BYE: strangers are not served [greeting.bye]"
    assert own[:3] == critical(SOURCE_ONLY4, problem, "time resolve connect")
    assert other[:3] == ok(SOURCE_ONLY4)


def test_source_address_decides_the_family(net: Network) -> None:
    result = check(net, "-H", "source.test", "--source", OTHER4, "-v")
    assert result[:3] == ok("source.test")
    assert f"\naddresses: {SOURCE_ONLY4}\n" in result.output


def test_source_address_of_another_machine_is_wrong_use(net: Network) -> None:
    result = check(net, "-H", "good.test", "--source", "192.0.2.99")
    problem = "argument --source: cannot connect from 192.0.2.99: cannot assign requested address"
    assert result[:3] == (3, f"IMAP4 UNKNOWN - {problem}", "")


# Names without addresses


def test_name_that_is_not_there_is_critical(net: Network) -> None:
    problem = "name not found [dns.not_found]"
    assert check(net, "-H", "none.test")[:3] == critical("none.test", problem, "time")


def test_name_without_an_address_of_the_family_is_critical(net: Network) -> None:
    problem = "name has no IPv6 address [dns.not_found]"
    assert check(net, "-H", "good4.test", "-6")[:3] == critical("good4.test", problem, "time")


@pytest.mark.parametrize("name", ["mail.failing.example", "mail.refused.example"])
def test_name_server_that_fails_is_critical(net: Network, name: str) -> None:
    problem = "name not resolved: temporary failure in name resolution [dns.failure]"
    assert check(net, "-H", name)[:3] == critical(name, problem, "time")


@pytest.mark.parametrize("timeout", ["0.3", "0.8", "1.7"])
def test_name_server_that_never_answers_is_critical_in_time(net: Network, timeout: str) -> None:
    problem = f"name not resolved within {timeout} s [dns.timeout]"
    result = check(net, "-H", "mail.silent.example", timeout=timeout)
    assert result[:3] == critical("mail.silent.example", problem, "time")


def test_name_server_that_never_answers_can_be_unknown(net: Network) -> None:
    result = check(net, "-H", "mail.silent.example", timeout="0.3:unknown")
    line = "IMAP4 UNKNOWN - mail.silent.example:143 name not resolved within 0.3 s [dns.timeout]"
    assert result[:3] == (3, line, "time")


# All addresses


def test_all_good_addresses_are_ok(net: Network) -> None:
    result = check(net, "-H", "good.test", "--all-addresses")
    line = "IMAP4 OK - good.test:143 2 of 2 addresses OK"
    assert result[:3] == (0, line, f"time resolve time_{dashed(GOOD6)} time_{GOOD4}")
    assert lines(result) == [
        f"[{GOOD6}]:143: OK, greeting in T s, logged out",
        f"{GOOD4}:143: OK, greeting in T s, logged out",
    ]


def test_one_refusing_address_among_all_is_critical(net: Network) -> None:
    result = check(net, "-H", "mixed.test", "--all-addresses")
    problem = f"{REFUSING4}:143 connection refused, 1 of 2 addresses OK [connect.refused]"
    perfdata = f"time resolve time_{dashed(GOOD6)} time_{REFUSING4}"
    assert result[:3] == critical("mixed.test", problem, perfdata)
    assert lines(result) == [
        f"[{GOOD6}]:143: OK, greeting in T s, logged out",
        f"{REFUSING4}:143: CRITICAL, connection refused [connect.refused]",
    ]


def test_every_address_is_told_and_each_has_all_the_time(net: Network) -> None:
    result = check(net, "-H", "three.test", "--all-addresses")
    assert result.code == 2
    assert sorted(lines(result)) == [
        "192.0.2.2:143: CRITICAL, says BYE: closed [greeting.bye]",
        f"[{GOOD6}]:143: OK, greeting in T s, logged out",
        f"[{LOST6}]:143: CRITICAL, no connection within 0.8 s [connect.timeout]",
    ]
    assert ", 1 of 3 addresses OK [" in result.line


def test_dead_addresses_are_named_each(net: Network) -> None:
    result = check(net, "-H", "lost.test", "--all-addresses")
    problem = f"[{LOST6}]:143 no connection within 0.8 s, 0 of 2 addresses OK [connect.timeout]"
    perfdata = f"time resolve time_{dashed(LOST6)} time_{LOST4}"
    assert result[:3] == critical("lost.test", problem, perfdata)


def test_all_addresses_of_one_family_only(net: Network) -> None:
    result = check(net, "-H", "mixed.test", "--all-addresses", "-6")
    assert result[:3] == ok("mixed.test")


def dashed(address: str) -> str:
    """An address as the perfdata's label has it: Icinga 2 cuts labels at ``::``."""
    return address.replace(":", "-")


def lines(result: Run) -> list[str]:
    """The lines after the first, without measured times."""
    return [re.sub(r"[0-9]\.[0-9]{3} s", "T s", line) for line in result.output.splitlines()[1:]]
