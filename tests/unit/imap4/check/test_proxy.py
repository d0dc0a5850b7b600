"""HAProxy's header: its doc/proxy-protocol.txt, sections 2.1 and 2.2."""

from __future__ import annotations

import socket

import pytest

from imap4.check.proxy import header

V4 = (socket.AF_INET, ("192.0.2.1", 40000), ("192.0.2.9", 143))
V6 = (socket.AF_INET6, ("fe80::1%eth0", 40000, 0, 2), ("2001:db8::9", 143, 0, 0))
UNIX = (socket.AF_UNIX, "", "/run/imap")
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


@pytest.mark.parametrize(
    ("version", "ends", "wanted"),
    [
        (1, V4, b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 143\r\n"),
        (1, V6, b"PROXY TCP6 fe80::1 2001:db8::9 40000 143\r\n"),
        (1, UNIX, b"PROXY UNKNOWN\r\n"),
        (2, V4, SIGNATURE + bytes.fromhex("2111000c c0000201 c0000209 9c40 008f")),
        (
            2,
            V6,
            SIGNATURE
            + bytes.fromhex(
                "21210024 fe800000000000000000000000000001 20010db8000000000000000000000009 9c40 008f"
            ),
        ),
        (2, UNIX, SIGNATURE + bytes.fromhex("20000000")),
    ],
)
def test_header_is_as_haproxy_wants_it(version: int, ends: tuple[int, object, object], wanted: bytes) -> None:
    assert header(version, *ends) == wanted
