"""How jump hosts are written."""

from __future__ import annotations

import re

import pytest

from imap4.monitor.jumps import Jump, parse


@pytest.mark.parametrize(
    ("text", "jump"),
    [
        ("gate", Jump("gate")),
        ("gate.example.org:2222", Jump("gate.example.org", "", 2222)),
        ("way@gate", Jump("gate", "way")),
        ("way@site@gate:22", Jump("gate", "way@site", 22)),
        ("way@192.0.2.1", Jump("192.0.2.1", "way")),
        ("way@[2001:db8::1]:2222", Jump("2001:db8::1", "way", 2222)),
        ("[fe80::1%eth0]", Jump("fe80::1%eth0")),
    ],
)
def test_it_is_read(text: str, jump: Jump) -> None:
    assert parse(text) == jump


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no jump host; write CREDENTIAL@HOST or CREDENTIAL@HOST:PORT"),
        ("@gate", "is no jump host"),
        ("-oProxyCommand=x", "is no jump host"),
        ("way@-gate", "is no jump host"),
        ("way@gate;reboot", "is no jump host"),
        ("way@gate\n", "is no jump host"),
        ("ssh://gate", "is no jump host"),
        ("2001:db8::1", "is no jump host"),
        ("[gate]", "is no jump host"),
        ("[1::2::3]", "1::2::3 is no IPv6 address"),
        ("gate:0", "port 0 is not between 1 and 65535"),
        ("gate:65536", "port 65536 is not between 1 and 65535"),
        ("127.0.0.010", "an IPv4 address is four numbers up to 255"),
    ],
)
def test_what_names_no_host_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse(text)
