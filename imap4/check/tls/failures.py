"""What went wrong with TLS, in words, with its cause and a hint that fits. Imported only where it did."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence

from imap4.causes import Failed
from imap4.check.tls.certificate import Certificate
from imap4.text import clean

# X509_V_ERR_... codes: openssl-verification-options(1), x509_vfy.h of OpenSSL 3.
_UNKNOWN_ISSUER = (20, 21)
_NOT_YET_VALID = 9
_EXPIRED = 10
_WRONG_NAME = (62, 63, 64)
_TOO_WEAK = (66, 67, 68)

_UNTRUSTED_HINTS = {
    2: "--ca-file must lead up to the authority's own certificate, which signed itself",
    7: "the certificate was altered, or is signed by another key of an authority with the same name",
    18: "the certificate signed itself: name it with --ca-file, or have an authority sign one",
    19: "the server's authority is not known on this machine: name its own certificate with --ca-file",
    24: "a certificate is signed by one that is no authority's; the server sends the wrong chain",
    26: "the certificate is not one for servers (its extended key usage)",
    79: "a certificate is signed by one that is no authority's; the server sends the wrong chain",
    **dict.fromkeys(
        _TOO_WEAK,
        "a key or signature is too weak for this machine: renew it; until then see --tls-security-level",
    ),
}

NOT_TLS = "the server does not speak TLS on this port"

_OLD = "it is an old server: see --tls-min and --tls-security-level"

# OpenSSL's reasons, what they mean to an administrator, and what to do where that is known.
_REASONS = {
    "WRONG_VERSION_NUMBER": (NOT_TLS, ""),
    "HTTP_REQUEST": (NOT_TLS, ""),
    "UNSUPPORTED_PROTOCOL": ("the server speaks only older versions of TLS", _OLD),
    "TLSV1_ALERT_PROTOCOL_VERSION": ("the server does not speak a TLS version that is allowed here", _OLD),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "the server refuses the TLS handshake (version, cipher, certificate?)",
        "server and check have no cipher in common, or the server has no certificate for this name; "
        "for an old server see --tls-security-level",
    ),
    "TLSV1_UNRECOGNIZED_NAME": (
        "the server does not know this server name",
        "give a name that the server knows with --server-name",
    ),
    "EE_KEY_TOO_SMALL": ("the server's key is too small for this machine's security level", _OLD),
    "DH_KEY_TOO_SMALL": ("the server's key exchange is too weak for this machine's security level", _OLD),
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": ("the server lacks secure renegotiation (RFC 5746)", _OLD),
}

# The server's alerts about the client's certificate: RFC 8446 section 6.2, RFC 5246 section 7.2.2.
_CLIENT_CERTIFICATE = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not take the client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the server does not take this kind of client certificate",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the server says that the client certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server says that the client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server does not take the client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not trust the client certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "the server does not let the client certificate in",
}

# Mean the client's certificate only from a server that has shown its own, with which version and cipher
# were agreed on: TLS 1.2 has no alert of its own for a certificate that is missing. The second is GnuTLS'.
_PERHAPS_CLIENT_CERTIFICATE = ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_DECODE_ERROR")


def explained(error: ssl.SSLError, shown: bool, seen: bool) -> Failed:
    """An error of OpenSSL's as a failure.

    Args:
        shown: whether the check has a certificate to show.
        seen: whether the server's certificate has come.
    """
    reason = error.reason or ""
    if reason in _CLIENT_CERTIFICATE or (reason in _PERHAPS_CLIENT_CERTIFICATE and seen):
        # Some servers say "bad certificate" where there was none.
        text = "the server wants a client certificate"
        if shown:
            text = _CLIENT_CERTIFICATE.get(reason, "the server does not take the client certificate")
        return Failed("tls.client_certificate", text)
    # Without a reason there is only Python's text, which ends with a place in its source.
    words = reason.replace("_", " ").lower() or str(error.strerror).partition(" (_ssl.c")[0]
    text, hint = _REASONS.get(reason) or (clean(f"TLS error: {words}"), "")
    return Failed("tls.handshake", text, hint=hint)


def untrusted(error: ssl.SSLCertVerificationError, sent: Sequence[Certificate]) -> Failed:
    """A certificate that was not verified as a failure.

    Args:
        sent: the certificates that the server sent, its own first.
    """
    text, code = clean(error.verify_message), error.verify_code
    if code == _EXPIRED:
        wrong = [each for each in sent if each.end < time.time()]
        return Failed("tls.expired", f"{_which(wrong, sent)} has expired")
    if code == _NOT_YET_VALID:
        wrong = [each for each in sent if each.begin > time.time()]
        return Failed("tls.not_yet_valid", f"{_which(wrong, sent)} is not yet valid")
    if code in _WRONG_NAME:
        hint = ""
        if sent and not sent[0].has_names:
            text = "it has only a common name, which does not count"
            hint = "renew the certificate with its names as subjectAltName (RFC 9525 section 6.3)"
        return Failed("tls.name", f"wrong name in the certificate: {text}", hint=hint)
    hint = _UNTRUSTED_HINTS.get(code, "")
    if code in _UNKNOWN_ISSUER and sent:
        hint = f"nobody here knows {sent[-1].issuer}: name its certificate with --ca-file"
        if len(sent) == 1:
            hint = (
                f"the server sends no certificate but its own: let it send that of {sent[0].issuer} as well, "
                "or name it with --ca-file"
            )
    return Failed("tls.untrusted", f"certificate not trusted: {text}", hint=hint)


def _which(wrong: Sequence[Certificate], sent: Sequence[Certificate]) -> str:
    """The certificate that is to blame; OpenSSL tells the reason, but not of which one."""
    if wrong and wrong[0] is not sent[0]:
        return f"certificate of {wrong[0].subject}"
    if not wrong and sent:
        return f"an authority's certificate on this machine, above {sent[-1].subject},"
    return "certificate"
