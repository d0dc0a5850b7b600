"""Whose certificates are trusted, the same on every Python."""

from __future__ import annotations

import ssl


def context(ca_file: str | None) -> ssl.SSLContext:
    """The client's side of TLS, which verifies the peer and its name.

    From Python 3.13 on, ``create_default_context`` refuses certificates that do not follow RFC 5280 to the
    letter (VERIFY_X509_STRICT): those of Icinga 2's own authority up to 2.14, which have no Authority Key
    Identifier, and those of many a company's older one. The check never was so strict, and an answer must not
    depend on the Python that happens to run it.

    Args:
        ca_file: PEM certificates to trust, not the system's: of authorities, or of the peer itself, also
            where some authority issued it.

    Raises:
        OSError: the file cannot be read, or holds no certificates (``ssl.SSLError``).
    """
    made = ssl.create_default_context(cafile=ca_file)
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_file is not None:
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    else:
        made.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
    return made
