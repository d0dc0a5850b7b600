"""The commands of a login, and why one failed: by the response code (RFC 5530 section 3), never by words.

The words of the usual servers only help the hint. Which cause it is decides whether a repair is tried, and
whether somebody changes a password at night while a backend is down.
"""

from __future__ import annotations

import re

from imap4.causes import Failed
from imap4.check.echo import plain_response
from imap4.check.protocol import Status, quoted

CAUSES = {
    "UNAVAILABLE": "login.unavailable",
    "SERVERBUG": "login.unavailable",
    "LIMIT": "login.limit",
    "INUSE": "login.limit",
    "PRIVACYREQUIRED": "login.privacy",
    "EXPIRED": "login.expired",
}
"""Response codes that say more than "no"; every other is ``login.refused``."""

_HINTS = {
    "AUTHENTICATIONFAILED": "wrong user or password, or a closed account; the server means to tell no more",
    "AUTHORIZATIONFAILED": "the password is right, but the user may not log in here",
    "CONTACTADMIN": "the server wants its administrator to look at the account",
    "REFERRAL": "the server sends this user to another server (RFC 2221)",
}

# Without a code: what these words are known to mean.
_WORDS = (
    # Dovecot's "Temporary authentication failure", where it has no code; others' are like it.
    ("temporary", "the words tell of trouble on the server, not of a wrong password; see its log"),
    ("try again later", "the words tell of trouble on the server, not of a wrong password; see its log"),
    # Exchange: the front end let the user in, the mailbox's server did not answer.
    (
        "authenticated but not connected",
        "Exchange took the password but cannot reach the mailbox: see its database and server",
    ),
    # Zimbra and others, without PRIVACYREQUIRED.
    ("ssl", "the words ask for TLS: use --tls or --starttls"),
    ("too many", "the words tell of a limit, not of a wrong password"),
)

_UNKNOWN = "the server does not say why; see its log before anybody changes a password"

OTHER_WAYS_ONLY = "the server takes only ways to log in that the check does not know, or none at all"


def authenticate_parts(user: str, password: str, at_once: bool) -> list[bytes]:
    """AUTHENTICATE PLAIN, and its response in the same line where the server takes that (RFC 4959)."""
    secret = plain_response(user, password)
    return [b"AUTHENTICATE PLAIN " + secret] if at_once else [b"AUTHENTICATE PLAIN", secret]


def login_parts(user: str, password: str) -> list[bytes]:
    """LOGIN's arguments as quoted strings, or as literals where they must be (RFC 9051 section 4.3)."""
    parts = [b"LOGIN"]
    for text in (user, password):
        # GNU imap4d (3.15) does not find the end of a quoted string that ends with a backslash.
        if (string := quoted(text)) is not None and not text.endswith("\\"):
            parts[-1] += b" " + string
        else:
            data = text.encode()
            parts[-1] += b" {%d}" % len(data)
            parts.append(data)
    return parts


def cause_of(status: Status) -> str:
    """The cause that a refusal's code means; some servers put ``[ALERT]`` before the code that counts."""
    codes = re.match(r"(?:\[[^\]]*\] ?)*", status.text)
    known = (CAUSES.get(code.upper()) for code in re.findall(r"\[([^\] ]+)", codes[0] if codes else ""))
    return next(filter(None, known), "login.refused")


def hint_for(status: Status) -> str:
    """What to do about ``login.refused``; claims nothing that the server did not say."""
    if status.code in _HINTS:
        return _HINTS[status.code]
    words = status.text.lower()
    return next((hint for word, hint in _WORDS if word in words), _UNKNOWN)


def refused(status: Status, text: str) -> Failed:
    """The failure of a login that was answered, in the words that the line shall have."""
    cause = cause_of(status)
    return Failed(cause, text, hint=hint_for(status) if cause == "login.refused" else "")


def not_offered(over_tls: bool) -> Failed:
    """The failure of a login where LOGIN is disabled and AUTHENTICATE PLAIN not offered."""
    if not over_tls:
        return Failed("login.privacy", "the server takes no password without TLS (LOGINDISABLED)")
    text = "neither LOGIN nor AUTHENTICATE PLAIN is offered"
    return Failed("login.refused", text, hint=OTHER_WAYS_ONLY)
