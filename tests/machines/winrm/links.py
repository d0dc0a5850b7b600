"""Links to endpoints, and a machine with one script that answers with what it was given."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from imap4.deadline import Deadline
from recovery.errors import RecoveryError
from recovery.model import Credential, Secret, Target
from recovery.platforms.windows.answers import script
from recovery.transports.winrm.transport import WinRmTransport
from tests.machines.winrm import powershell
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.listeners import HOST, Site
from tests.machines.winrm.shells import Process

SCRIPT = script("about")


class Echo:
    """A machine whose one script answers with what it was given; slowly where a test wants it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.runs = 0
        self.language = "FullLanguage"
        self.fails = ""

    def __call__(self, line: str, process: Process) -> int:
        return powershell.run({"about": self._about}, line, process, self.language)

    def _about(self, arguments: list[str], stdin: bytes, environment: Mapping[str, str]) -> object:
        self.runs += 1
        time.sleep(self.seconds)
        if self.fails:
            raise powershell.ScriptError(self.fails)
        return {"arguments": arguments, "stdin": stdin.hex(), "environment": dict(environment)}


def credential(site: Site, method: str = "winrm-ntlm", **changes: Any) -> Credential:
    made = Credential("mail-admin", site.account, method, password=Secret(site.password))
    if method == "winrm-certificate":
        made = replace(made, password=None, private_key=Secret(site.client_pem.read_text()))
    return replace(made, **changes)


def target(site: Site, endpoint: Endpoint, **changes: Any) -> Target:
    tls = endpoint.tls is not None
    made = Target(
        HOST, "127.0.0.1", endpoint.port, "https" if tls else "http", str(site.ca_file) if tls else None
    )
    return replace(made, **changes)


@contextmanager
def link(target: Target, credential: Credential, *, deadline: Deadline) -> Iterator[WinRmTransport]:
    """A link that is closed when the block ends."""
    with closing(WinRmTransport.connect(target, credential, deadline=deadline)) as transport:
        yield transport


@contextmanager
def connected(site: Site, endpoint: Endpoint, method: str = "winrm-ntlm") -> Iterator[WinRmTransport]:
    with link(target(site, endpoint), credential(site, method), deadline=Deadline(20)) as transport:
        yield transport


def refused(site: Site, endpoint: Endpoint, method: str = "winrm-ntlm", seconds: float = 20) -> RecoveryError:
    """The error of a connection that must not come about."""
    with (
        pytest.raises(RecoveryError) as caught,
        link(target(site, endpoint), credential(site, method), deadline=Deadline(seconds)),
    ):
        pass
    assert site.password not in str(caught.value)
    return caught.value
