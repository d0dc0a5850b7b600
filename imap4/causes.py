"""Why a test failed: one cause a failure, printed last on the status line as ``[cause]``.

A cause is ``phase.what``. Recovery decides by it, people search by it, so the names are an interface:
they are not changed, only added to.
"""

from __future__ import annotations

_NOT_IMAP4 = "the service, or what stands before it, does not behave as an IMAP4 server"
_HUNG = "the session began but came to a halt: the service is overloaded or hung"
_HUNG_UP = "the service hung up in the middle of the session; see its log"

HINTS = {
    "dns.not_found": "the name has no address here; compare: getent ahosts NAME",
    "dns.timeout": "the name servers in /etc/resolv.conf do not answer",
    "dns.failure": "the name servers in /etc/resolv.conf answer, but with an error; try again later",
    "connect.refused": "nothing listens on that port; is the IMAP service running?",
    "connect.timeout": "no answer at all: the machine is down, or a firewall drops the packets",
    "connect.unreachable": "no route to the machine, or a firewall rejects it",
    "connect.reset": "something accepted the connection and dropped it: a proxy without a server behind it?",
    "tls.handshake": "is it the right port for --tls? plain IMAP4 ports want --starttls or neither",
    "tls.untrusted": "name the issuing certificates with --ca-file, or renew the certificate",
    "tls.expired": "renew the certificate; then restart the service, since many read it only at start",
    "tls.name": "test by a name that is in the certificate, or give that name with --server-name",
    "tls.timeout": "the server accepts connections but does not get on with TLS; is it overloaded?",
    "greeting.timeout": "the port is open but the service is silent: overloaded, hung, or a TLS port (--tls)",
    "greeting.closed": "the service hangs up on new connections; see its log",
    "greeting.bye": "the service refuses sessions; the reason is in its text or its log",
    "greeting.protocol": "another service listens on this port",
    "greeting.too_long": "another service listens on this port",
    "starttls.refused": "does the server allow STARTTLS on this port, and has it a certificate?",
    "starttls.injection": "someone on the way adds text to the connection, or the server is broken",
    "starttls.timeout": _HUNG,
    "starttls.closed": _HUNG_UP,
    "starttls.protocol": _NOT_IMAP4,
    "starttls.too_long": _NOT_IMAP4,
    "capability.missing": "the server's configuration has changed, or another server answers",
    "capability.timeout": _HUNG,
    "capability.closed": _HUNG_UP,
    "capability.protocol": _NOT_IMAP4,
    "capability.too_long": _NOT_IMAP4,
    "login.refused": "wrong user or password, or the account is closed",
    "login.timeout": _HUNG,
    "login.closed": _HUNG_UP,
    "login.protocol": _NOT_IMAP4,
    "login.too_long": _NOT_IMAP4,
    "logout.timeout": _HUNG,
    "logout.closed": _HUNG_UP,
    "logout.protocol": _NOT_IMAP4,
    "logout.too_long": _NOT_IMAP4,
}
"""Every cause, and what to do about it, for ``-v``."""


class Failed(Exception):
    """A phase of the test failed. It never leaves the probe, which returns it as a value.

    ``cause`` is the cause, ``text`` one line about it for people, already cleaned.
    """

    def __init__(self, cause: str, text: str, out_of_time: bool = False) -> None:
        super().__init__(cause, text)
        self.cause = cause
        self.text = text
        self.out_of_time = out_of_time
        """Whether it failed only because the maximum test duration was over."""
