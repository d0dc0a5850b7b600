"""Rows of the table of hostile cases: what servers do within the dialogue, and why a login fails."""

from __future__ import annotations

import base64

from tests.machines.case import (
    GREETED,
    PASSED,
    Case,
    answers,
    critical,
    dialogue,
    greets,
    passes,
    says,
    warning,
)

_CAPABLE = ("resolve", "connect", "greeting", "capability", "logout")
_ASKED = ("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\nTAG OK done\r\n")
_IDLE = ("--capability", "IDLE")
_QUOTA = ("--capability", "QUOTA")

LOGIN = ("--login", "--user", "jane", "--password-file", "PASSWORD_FILE", "--insecure")
PASSWORD = 'se"cr\\et'  # noqa: S105 - nobody's password
"""What the tests put into PASSWORD_FILE: it shows the quoting."""
_QUOTED = 'LOGIN "jane" "se\\"cr\\\\et"'
_PLAIN = base64.b64encode(f"\0jane\0{PASSWORD}".encode()).decode()
_AUTHENTICATE = f"AUTHENTICATE PLAIN {_PLAIN}"
_READY = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n"
_NO_PLAIN = "* OK [CAPABILITY IMAP4rev1] ready\r\n"
_LOGGED_IN = ("resolve", "connect", "greeting", "login", "logout")
_CAPABLE_IN = ("resolve", "connect", "greeting", "login", "capability", "logout")

CAPABILITIES = (
    passes(
        "offers it, in the greeting as well",
        dialogue("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n", _ASKED),
        "--capability",
        "idle",
        phases=_CAPABLE,
    ),
    passes(
        "offers more than its greeting says",
        dialogue("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", _ASKED),
        *_IDLE,
        phases=_CAPABLE,
    ),
    passes(
        "offers it when asked",
        dialogue("* OK ready\r\n", ("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n* 1 EXISTS\r\nTAG OK\r\n")),
        *_IDLE,
        phases=_CAPABLE,
    ),
    passes(
        "tells two lists, of which the last counts",
        dialogue("* OK ready\r\n", ("CAPABILITY", "* CAPABILITY X\r\n* CAPABILITY IDLE\r\nTAG OK\r\n")),
        *_IDLE,
        phases=_CAPABLE,
    ),
    passes(
        "offers it after the login, and says so in its answer to that",
        dialogue(_READY, (_AUTHENTICATE, "TAG OK [CAPABILITY IMAP4rev1 QUOTA] in\r\n")),
        *_QUOTA,
        *LOGIN,
        phases=_CAPABLE_IN,
    ),
    passes(
        "offers it after the login, and says so in an untagged line",
        dialogue(_READY, (_AUTHENTICATE, "* CAPABILITY IMAP4rev1 QUOTA\r\nTAG OK in\r\n")),
        *_QUOTA,
        *LOGIN,
        phases=_CAPABLE_IN,
    ),
    passes(
        "offers it after the login, and says so when asked anew",
        dialogue(
            _READY,
            (_AUTHENTICATE, "TAG OK [CAPABILITY IMAP4rev1] in\r\n"),
            ("CAPABILITY", "* CAPABILITY IMAP4rev1 QUOTA\r\nTAG OK done\r\n"),
        ),
        *_QUOTA,
        *LOGIN,
        phases=_CAPABLE_IN,
    ),
    critical(
        "does not offer them",
        dialogue("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n", _ASKED),
        "capabilities QUOTA, X-ONE are not offered before login [capability.missing]",
        "--capability",
        "quota",
        *_IDLE,
        "--capability",
        "x-one",
        phases=GREETED,
    ),
    critical(
        "offers it before the login only",
        dialogue(
            "* OK [CAPABILITY AUTH=PLAIN SASL-IR QUOTA] ready\r\n", (_AUTHENTICATE, "TAG OK in\r\n"), _ASKED
        ),
        "capability QUOTA is not offered [capability.missing]",
        *_QUOTA,
        *LOGIN,
        phases=(*GREETED, "login"),
    ),
    critical(
        "greets with PREAUTH and does not offer it",
        dialogue("* PREAUTH ready\r\n", _ASKED),
        "capability QUOTA is not offered, greeting is PREAUTH [capability.missing]",
        *_QUOTA,
        phases=GREETED,
    ),
    critical(
        "answers CAPABILITY without a list",
        dialogue("* OK ready\r\n", ("CAPABILITY", "TAG OK done\r\n")),
        "CAPABILITY answered without a list [capability.protocol]",
        *_IDLE,
        phases=GREETED,
    ),
    critical(
        "refuses to say",
        dialogue("* OK ready\r\n", ("CAPABILITY", "TAG NO not now\r\n")),
        "CAPABILITY answered NO: not now [capability.protocol]",
        *_IDLE,
        phases=GREETED,
    ),
    critical(
        "does not answer",
        says("* OK ready\r\n"),
        "no answer to CAPABILITY within 0.5 s [capability.timeout]",
        *_IDLE,
        "-t",
        "0.5",
        phases=GREETED,
    ),
    critical(
        "closes instead of answering",
        dialogue("* OK ready\r\n", ("never", "")),
        "connection closed before the answer to CAPABILITY [capability.closed]",
        *_IDLE,
        phases=GREETED,
    ),
)


def _refuses(answer: str, text: str) -> Case:
    """A login that is answered so."""
    does = f"answers the login with `{answer.removeprefix('TAG ')}`"
    return critical(does, dialogue(_READY, (_AUTHENTICATE, f"{answer}\r\n")), text, *LOGIN, phases=GREETED)


LOGINS = (
    passes(
        "takes LOGIN",
        dialogue(
            _NO_PLAIN,
            ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"),
            (_QUOTED, "TAG OK welcome\r\n"),
        ),
        *LOGIN,
        phases=_LOGGED_IN,
    ),
    passes(
        "takes LOGIN, and refuses CAPABILITY",
        dialogue(_NO_PLAIN, ("CAPABILITY", "TAG BAD what?\r\n"), (_QUOTED, "TAG OK welcome\r\n")),
        *LOGIN,
        phases=_LOGGED_IN,
    ),
    passes(
        "takes AUTHENTICATE PLAIN, which its greeting does not say",
        dialogue(
            _NO_PLAIN,
            ("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR\r\nTAG OK\r\n"),
            (_AUTHENTICATE, "TAG OK welcome\r\n"),
        ),
        *LOGIN,
        phases=_LOGGED_IN,
    ),
    passes(
        "takes AUTHENTICATE PLAIN at once",
        dialogue(
            "* OK [CAPABILITY AUTH=PLAIN SASL-IR] ready\r\n",
            (_AUTHENTICATE, "TAG OK welcome\r\n"),
        ),
        *LOGIN,
        phases=_LOGGED_IN,
    ),
    _refuses(
        "TAG NO [AUTHENTICATIONFAILED] wrong",
        "login answered NO: (AUTHENTICATIONFAILED) wrong [login.refused]",
    ),
    _refuses(
        "TAG NO [AUTHORIZATIONFAILED] not you",
        "login answered NO: (AUTHORIZATIONFAILED) not you [login.refused]",
    ),
    _refuses("TAG NO [CONTACTADMIN] see us", "login answered NO: (CONTACTADMIN) see us [login.refused]"),
    _refuses("TAG NO no", "login answered NO: no [login.refused]"),
    _refuses("TAG BAD no", "login answered BAD: no [login.refused]"),
    _refuses(
        "TAG NO [UNAVAILABLE] backend is away",
        "login answered NO: (UNAVAILABLE) backend is away [login.unavailable]",
    ),
    _refuses("TAG NO [serverbug] oops", "login answered NO: (serverbug) oops [login.unavailable]"),
    _refuses("TAG NO [LIMIT] too many", "login answered NO: (LIMIT) too many [login.limit]"),
    _refuses("TAG NO [INUSE] locked", "login answered NO: (INUSE) locked [login.limit]"),
    _refuses("TAG NO [EXPIRED] too old", "login answered NO: (EXPIRED) too old [login.expired]"),
    _refuses("TAG NO [PRIVACYREQUIRED] no", "login answered NO: (PRIVACYREQUIRED) no [login.privacy]"),
    _refuses(
        "TAG NO backend [UNAVAILABLE] is away",
        "login answered NO: backend (UNAVAILABLE) is away [login.refused]",
    ),
    _refuses(
        "TAG NO [ALERT] [UNAVAILABLE] away",
        "login answered NO: (ALERT) (UNAVAILABLE) away [login.unavailable]",
    ),
    critical(
        "takes no password without TLS",
        dialogue(
            "* OK [CAPABILITY STARTTLS LOGINDISABLED] ready\r\n",
            ("CAPABILITY", "* CAPABILITY STARTTLS LOGINDISABLED\r\nTAG OK\r\n"),
        ),
        "the server takes no password without TLS (LOGINDISABLED) [login.privacy]",
        *LOGIN,
        phases=GREETED,
    ),
    critical(
        "greets with PREAUTH",
        greets("* PREAUTH [CAPABILITY IMAP4rev1] root\r\n"),
        "greeting is PREAUTH: the login cannot be tested, greeting is PREAUTH [login.refused]",
        *LOGIN,
        phases=GREETED,
    ),
    critical(
        "sends the whole command back",
        dialogue(_READY, (_AUTHENTICATE, "TAG NO cannot do: LINE\r\n")),
        "login answered NO: cannot do: a1 AUTHENTICATE PLAIN *** [login.refused]",
        *LOGIN,
        phases=GREETED,
    ),
    critical(
        "sends the whole command back, untagged and in another case",
        dialogue(
            _NO_PLAIN,
            ("CAPABILITY", "TAG BAD what?\r\n"),
            (_QUOTED, f"* BAD {_QUOTED.upper()}\r\nTAG NO say {PASSWORD} again\r\n"),
        ),
        "login answered NO: say *** again, BAD: LOGIN JANE *** [login.refused]",
        *LOGIN,
        phases=GREETED,
    ),
)

WORDS = (
    critical(
        "says BYE with a reason to the login, and closes",
        dialogue(_READY, (_AUTHENTICATE, "* BYE overloaded\r\nCLOSE")),
        "says BYE to LOGIN: overloaded [login.closed]",
        *LOGIN,
        phases=GREETED,
    ),
    critical(
        "says BYE with a code to the login, and closes",
        dialogue(_READY, (_AUTHENTICATE, "* BYE [UNAVAILABLE] backend is down\r\nCLOSE")),
        "says BYE to LOGIN: (UNAVAILABLE) backend is down [login.unavailable]",
        *LOGIN,
        phases=GREETED,
    ),
    critical(
        "says BYE to the login, and stays",
        dialogue(_READY, (_AUTHENTICATE, "* BYE overloaded\r\nWAIT")),
        "says BYE to LOGIN: overloaded [login.closed]",
        *LOGIN,
        "-t",
        "30:unknown",
        phases=GREETED,
    ),
    critical(
        "says BYE to the login, and then NO",
        dialogue(_READY, (_AUTHENTICATE, "* BYE see you\r\nTAG NO too many\r\nCLOSE")),
        "login answered NO: too many, BYE: see you [login.refused]",
        *LOGIN,
        phases=GREETED,
    ),
    critical(
        "lets the user in and says BYE",
        dialogue(_READY, (_AUTHENTICATE, "* BYE closing\r\nTAG OK in\r\nCLOSE")),
        "says BYE to LOGIN: closing [login.closed]",
        *LOGIN,
        phases=GREETED,
    ),
    critical(
        "says BYE to CAPABILITY",
        dialogue("* OK ready\r\n", ("CAPABILITY", "* BYE idle for too long\r\nCLOSE")),
        "says BYE to CAPABILITY: idle for too long [capability.closed]",
        *_IDLE,
        phases=GREETED,
    ),
    critical(
        "says BYE to STARTTLS",
        dialogue("* OK [CAPABILITY STARTTLS] ready\r\n", ("STARTTLS", "* BYE no certificate\r\nCLOSE")),
        "says BYE to STARTTLS: no certificate [starttls.closed]",
        "--starttls",
        "--insecure",
        phases=GREETED,
    ),
    critical(
        "answers LOGOUT with an untagged BAD only",
        dialogue("* OK ready\r\n", ("LOGOUT", "* BAD command not understood\r\nWAIT")),
        "greeting in T s, no answer to LOGOUT within 0.5 s, BAD: command not understood [logout.timeout]",
        "-t",
        "0.5",
        phases=GREETED,
    ),
    warning(
        "says untagged NO and closes at LOGOUT",
        answers("* NO [ALERT] disk is full\r\n"),
        "greeting in T s, connection closed before the answer to LOGOUT, ALERT: disk is full [logout.closed]",
    ),
    critical(
        "greets with an alert, and hangs",
        says("* OK [ALERT] maintenance at ten\r\n"),
        "greeting in T s, no answer to LOGOUT within 0.5 s, ALERT: maintenance at ten [logout.timeout]",
        "-t",
        "0.5",
        phases=GREETED,
    ),
    passes("warns with an untagged NO at LOGOUT", answers("* NO disk is full\r\n* BYE\r\nTAG OK\r\n")),
    Case(
        "",
        "greets with an alert, and takes too long",
        greets("* OK [ALERT] maintenance at ten\r\n"),
        1,
        f"{PASSED}, time T s is outside range 5:, ALERT: maintenance at ten".replace("OK", "WARNING", 1),
        ("-w", "5:"),
    ),
)
