"""What the probe wants prepared, with TLS contexts kept for as long as the files behind them stay."""

from __future__ import annotations

import os
import ssl
import time
from typing import NamedTuple

from imap4.check.options import Options
from imap4.check.probe import Preparation, prepare
from imap4.check.tls import handshake as tls
from imap4.deadline import Deadline

_MAX_AGE = 30.0
"""Seconds after which a context is made anew, whatever its files say."""

_LOOK_AGAIN = 1.0
_MAX_CONTEXTS = 256


class _KeptContext(NamedTuple):
    context: ssl.SSLContext
    files: list[tuple[int, int, int] | None]
    made: float
    looked: float


class Preparations:
    """Makes Preparations; ``ready`` in the hub, ``make`` in a thread, since files may hang."""

    def __init__(self, sockets: type[ssl.SSLSocket]) -> None:
        self._sockets = sockets
        self._kept: dict[tuple[object, ...], _KeptContext] = {}

    def ready(self, options: Options) -> Preparation | None:
        """What needs no look at a file, if there is such. Passwords are not kept."""
        if options.login:
            return None
        kept = self._kept.get(_key(options))
        if kept is None or time.monotonic() - kept.looked >= _LOOK_AGAIN:
            return None
        return Preparation(kept.context, tls.server_name(options), None)

    def make(self, options: Options, deadline: Deadline) -> Preparation:
        """As imap4.check.probe.prepare, which says what is raised."""
        return prepare(options, deadline, self._context)

    def _context(self, options: Options) -> ssl.SSLContext:
        now = time.monotonic()
        key, files = _key(options), _files(options)
        kept = self._kept.get(key)
        if kept is None or now - kept.made >= _MAX_AGE or kept.files != files:
            context = tls.make_context(options)
            context.sslsocket_class = self._sockets
            kept = _KeptContext(context, files, now, now)
            if len(self._kept) >= _MAX_CONTEXTS:
                self._kept.clear()
        self._kept[key] = kept._replace(looked=now)
        return kept.context


def _key(options: Options) -> tuple[object, ...]:
    """All that a context depends on; the same for most of a site's commands."""
    return (
        options.tls_min,
        options.tls_security_level,
        options.insecure,
        options.ca_file,
        options.client_cert,
        options.client_key,
    )


def _files(options: Options) -> list[tuple[int, int, int] | None]:
    """What tells whether the files behind a context have changed."""
    paths: list[str | None] = [options.ca_file, options.client_cert, options.client_key]
    if options.ca_file is None and not options.insecure:
        defaults = ssl.get_default_verify_paths()
        paths += [defaults.cafile, defaults.capath]
    return [_identity(path) for path in paths if path is not None]


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
