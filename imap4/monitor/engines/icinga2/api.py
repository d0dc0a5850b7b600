"""Icinga 2's API, as much of it as a report needs (its manual, "API", Actions).

The certificate is always verified, against Icinga's own CA. The password is read from its file at each
use, and is nowhere else: no object, no message and no environment of another process has it.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from imap4 import trust
from imap4.causes import Failed
from imap4.deadline import Deadline
from imap4.hostnames import NotAHost
from imap4.monitor.engines.report import Report, ReportError, ReportRefused, cleaned
from imap4.resolver import resolve
from imap4.secrets import SecretError, read_line

CA_FILE = "/var/lib/icinga2/certs/ca.crt"
PORT = 5665
_LONGEST_ANSWER = 1 << 20
_LONGEST_LIST = 1 << 26
"""Bytes of a list of objects; a service is about 400."""
_QUERY = {"X-HTTP-Method-Override": "GET"}
"""A question with a body, as the manual has it."""


def _password(path: str) -> str:
    """The first line of a file that nobody else may read."""
    if not path:
        raise ReportError("Icinga's API: no file with the password (IMAP4_ICINGA_PASSWORD_FILE)")
    try:
        return read_line(path, "the password file")
    except SecretError as error:
        raise ReportError(f"Icinga's API: {error}") from None


class KeptConnection:
    """A connection that is kept for the next request; for one thread."""

    connection: http.client.HTTPConnection | None = None

    def take(self) -> http.client.HTTPConnection | None:
        """The connection, which is not kept any more, or None."""
        connection, self.connection = self.connection, None
        return connection


@dataclass(frozen=True)
class IcingaReporter:
    """One Icinga 2 that takes reports."""

    host: str
    port: int
    user: str
    password_file: str
    ca_file: str = CA_FILE
    server_name: str | None = None
    """The name in the certificate, where it is not ``host``."""

    @classmethod
    def at(
        cls,
        url: str,
        *,
        user: str,
        password_file: str,
        ca_file: str = CA_FILE,
        server_name: str | None = None,
    ) -> IcingaReporter:
        """The API at ``https://host:5665``.

        Raises:
            ReportError: it is no such address.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or PORT
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.username:
            raise ReportError(f"Icinga's API: {url!r} is no address like https://icinga.example.org:{PORT}")
        return cls(parts.hostname, port, user, password_file, ca_file, server_name)

    def send(self, report: Report, deadline: Deadline) -> None:
        """See ``Reporter``."""
        name = f"{report.host}!{report.service}"
        target = {"type": "Service", "service": name}
        text = cleaned(report.text)
        comment = {**target, "author": cleaned(report.author), "comment": text}
        self._act("add-comment", comment, name, deadline)
        if report.status is not None:
            result = {**target, "exit_status": report.status, "plugin_output": text}
            self._act("process-check-result", result, name, deadline)

    def check_result(
        self, host: str, service: str, result: dict[str, Any], deadline: Deadline, kept: KeptConnection
    ) -> None:
        """Pass a result in; ``result`` has the action's own keys (``exit_status``, ``plugin_output`` ...).

        Raises:
            ReportRefused: Icinga does not want it for this service.
            ReportError: Icinga does not know about it now, or that is not certain.
        """
        name = f"{host}!{service}"
        body = {"type": "Service", "service": name, **result}
        self._act("process-check-result", body, name, deadline, kept)

    def services(self, chosen: str, attributes: Sequence[str], deadline: Deadline) -> list[dict[str, Any]]:
        """The attributes of the services that a filter chooses.

        Raises:
            ReportRefused: there is none that the user may see.
            ReportError: Icinga did not answer.
        """
        where = f"Icinga's API at {self.host}:{self.port}, objects/services"
        body = {"filter": chosen, "attrs": list(attributes)}
        return [each.get("attrs", {}) for each in self._query("/v1/objects/services", body, where, deadline)]

    def switches(self, deadline: Deadline) -> dict[str, Any]:
        """What is on and off for all services, by the names of IcingaApplication's attributes.

        Raises:
            ReportError: Icinga did not answer, or does not tell this user.
        """
        where = f"Icinga's API at {self.host}:{self.port}, status"
        (first, *_) = self._query("/v1/status/IcingaApplication", {}, where, deadline) or [{}]
        found = first.get("status", {}).get("icingaapplication", {}).get("app", {})
        return found if isinstance(found, dict) else {}

    def _query(self, path: str, body: dict[str, Any], where: str, deadline: Deadline) -> list[dict[str, Any]]:
        status, answer = self._post(path, body, where, deadline, None, _QUERY)
        results = answer.get("results") if isinstance(answer, dict) else None
        if status == 401:
            raise ReportError(self._unknown(where))
        if status in (403, 404) or results == []:
            raise ReportRefused(f"{where}: {self.user} may not see it, or there is none")
        if status != 200 or not isinstance(results, list):
            raise ReportError(f"{where}: answered {status}: {cleaned(json.dumps(answer))[:200]}")
        return [each for each in results if isinstance(each, dict)]

    def _unknown(self, where: str) -> str:
        return f"{where}: the user {self.user} and the password in {self.password_file} are refused"

    def _act(
        self,
        action: str,
        body: dict[str, Any],
        service: str,
        deadline: Deadline,
        kept: KeptConnection | None = None,
    ) -> None:
        where = f"Icinga's API at {self.host}:{self.port}, {action}"
        status, answer = self._post(f"/v1/actions/{action}", body, where, deadline, kept)
        results = answer.get("results") if isinstance(answer, dict) else None
        if status == 200 and results and all(int(each.get("code", 500)) == 200 for each in results):
            return
        if status == 401:
            raise ReportError(self._unknown(where))
        if status in (403, 404) or results == []:
            # Without the permission, Icinga finds nothing that the user may act on.
            raise ReportRefused(
                f"{where}: there is no service {service}, "
                f'or {self.user} lacks the permission "actions/{action}"'
            )
        said = cleaned(json.dumps(answer))[:200]
        # With results, it is about this service; without, about Icinga, such as a reload under way.
        kind = ReportRefused if results else ReportError
        raise kind(f"{where}: answered {status} for {service}: {said}")

    def _post(
        self,
        path: str,
        body: dict[str, Any],
        where: str,
        deadline: Deadline,
        kept: KeptConnection | None,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, Any]:
        login = base64.b64encode(f"{self.user}:{_password(self.password_file)}".encode()).decode()
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": f"Basic {login}",
            **more,
        }
        used = kept.take() if kept else None
        connection = used or http.client.HTTPConnection(self.host, self.port)
        watchdog = None
        try:
            if used is None:
                connection.sock = _connect(self.host, self.port, deadline)
            watchdog = _Watchdog(connection.sock, deadline)
            if used is None:
                context = trust.context(self.ca_file)
                name = self.server_name or self.host
                connection.sock = context.wrap_socket(connection.sock, server_hostname=name)
            connection.sock.settimeout(max(0.001, deadline.left))
            connection.request("POST", path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            found = response.status, json.loads(response.read(_LONGEST_LIST if more else _LONGEST_ANSWER))
            if kept and not response.will_close and response.isclosed():
                kept.connection = connection
            return found
        except Failed as error:
            raise ReportError(f"{where}: {error.text}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            if used is None or deadline.expired or not isinstance(error, (ConnectionError, ssl.SSLEOFError)):
                raise self._explained(error, where, deadline) from None
        finally:
            if kept is None or kept.connection is not connection:
                connection.close()
            if watchdog:
                watchdog.end()
        # Icinga closes connections that were idle for a while; that is no trouble.
        return self._post(path, body, where, deadline, kept, more)

    def _explained(self, error: Exception, where: str, deadline: Deadline) -> ReportError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return ReportError(
                f"{where}: the certificate is not trusted: {error.verify_message}; "
                f"it must be signed by {self.ca_file} for {self.server_name or self.host}"
            )
        if isinstance(error, FileNotFoundError):
            return ReportError(f"{where}: {self.ca_file}: there is no such file with Icinga's CA")
        if deadline.expired:
            return ReportError(f"{where}: no answer within {deadline.seconds:g} s")
        if isinstance(error, ValueError):
            return ReportError(f"{where}: the answer is no JSON")
        return ReportError(f"{where}: {getattr(error, 'strerror', None) or type(error).__name__}")


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """The first address that takes the connection; all of them, and the resolver, share the deadline.

    Raises:
        Failed: the name has no address, or the resolver did not answer in time.
        OSError: no address takes the connection.
    """
    refused: OSError = TimeoutError("timed out")
    try:
        addresses = resolve(host, port, socket.AF_UNSPEC, deadline)
    except NotAHost as error:
        raise Failed("dns.not_found", f"that is no host's name: {error}") from None
    for family, address, _ in addresses:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(max(0.001, deadline.left))
            # Head and body of a request are two writes; the second must not wait for an acknowledgement.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.connect(address)
            return made
        except OSError as error:
            made.close()
            refused = error
    raise refused


class _Watchdog:
    """Ends a connection at the deadline: a peer that sends a byte now and then outlasts any time-out of
    the socket. It has a descriptor of its own, so it cannot hit one that was closed and given to others.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._copy = socket.socket(fileno=os.dup(connection.fileno()))  # a TLS socket has no dup()
        self._timer = threading.Timer(deadline.left, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            self._copy.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """The connection is closed; nobody waits on it any more."""
        self._timer.cancel()
        self._timer.join()
        self._copy.close()
