"""What a credential may be used for."""

from __future__ import annotations

import pytest

from recovery.credentials.restrictions import check, matches, read_actions, read_machines
from recovery.errors import Refused, UsageError
from recovery.model import Credential, Target


@pytest.mark.parametrize(
    ("pattern", "machine", "address", "inside"),
    [
        ("mail1", "mail1", "192.0.2.1", True),
        ("mail1", "MAIL1", "192.0.2.1", True),
        ("mail1", "mail1.example.org", "192.0.2.1", False),
        ("mail1", "mail11", "192.0.2.1", False),
        ("*.example.org", "mail1.example.org.", "192.0.2.1", True),
        ("*.example.org", "example.org", "192.0.2.1", False),
        ("*.example.org", "mail1.example.org.evil.test", "192.0.2.1", False),
        ("mail?", "mail1", "192.0.2.1", True),
        ("*", "anything", "192.0.2.1", True),
        ("192.0.2.0/24", "mail1", "192.0.2.1", True),
        ("192.0.2.0/24", "mail1", "::ffff:192.0.2.1", True),
        ("192.0.2.0/24", "mail1", "192.0.3.1", False),
        ("192.0.2.0/24", "192.0.2.7", "192.0.2.7", True),
        ("192.0.2.1", "mail1", "192.0.2.1", True),
        ("192.0.2.1", "mail1", "192.0.2.11", False),
        ("2001:db8::/32", "mail1", "2001:db8::1", True),
        ("2001:db8::/32", "mail1", "192.0.2.1", False),
        ("fe80::/10", "mail1", "fe80::1%eth0", True),
        ("192.0.2.0/24", "mail1", "", False),
    ],
)
def test_a_pattern_holds_names_and_a_network_addresses(
    pattern: str, machine: str, address: str, inside: bool
) -> None:
    assert matches(pattern, Target(machine, address)) is inside


def test_a_list_of_machines_is_read() -> None:
    assert read_machines(" Mail1.example.org., 192.0.2.0/24,2001:DB8::/32 ,,*") == (
        *("mail1.example.org", "192.0.2.0/24", "2001:db8::/32", "*"),
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("192.0.2.1/24", "has host bits set; write 192.0.2.0/24"),
        ("192.0.2.0/99", "is no address and no network"),
        ("2001:db8::g", "is no address and no network"),
        ("mail 1", "is no name pattern"),
        ("mail[12]", "is no name pattern"),
    ],
)
def test_a_bad_machine_pattern_is_refused(text: str, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        read_machines(text)


def test_actions_are_read_in_their_own_order() -> None:
    assert read_actions("reboot-server, restart-service") == ("restart-service", "reboot-server")
    assert read_actions("all") == ("restart-service", "reboot-server", "external-process")
    with pytest.raises(UsageError, match="'reboot' is no action; actions are restart-service, reboot-server"):
        read_actions("reboot")


MAIL = Credential("mail", "recovery", "ssh-agent", machines=("mail*",), actions=("restart-service",))


@pytest.mark.parametrize("action", ["restart-service", None])
def test_what_is_allowed_passes(action: str | None) -> None:
    check(MAIL, Target("mail1", "192.0.2.1"), action)


@pytest.mark.parametrize(
    ("credential", "machine", "action", "error"),
    [
        (
            MAIL,
            "web1",
            "restart-service",
            "credential mail may not be used on web1 (192.0.2.1): it is for mail* "
            "(imap4-recovery credentials set mail --machines ... changes that)",
        ),
        (
            MAIL,
            "mail1",
            "reboot-server",
            "credential mail may not be used for reboot-server: it is for restart-service "
            "(imap4-recovery credentials set mail --actions ... changes that)",
        ),
        (
            Credential("bare", "recovery", "ssh-agent"),
            "mail1",
            None,
            "credential bare may not be used on mail1 (192.0.2.1): it is for none "
            "(imap4-recovery credentials set bare --machines ... changes that)",
        ),
    ],
)
def test_anything_else_is_refused(
    credential: Credential, machine: str, action: str | None, error: str
) -> None:
    with pytest.raises(Refused) as refused:
        check(credential, Target(machine, "192.0.2.1"), action)
    assert str(refused.value) == error
