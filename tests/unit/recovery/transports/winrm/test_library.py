"""WinRM without a library that one of its methods needs."""

from __future__ import annotations

import pytest
import winrm.transport

from imap4.deadline import Deadline
from recovery.errors import UsageError
from recovery.model import Credential, Secret, Target
from recovery.transports.winrm.transport import WinRmTransport


def test_credssp_without_its_library_is_told_before_anything_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(winrm.transport, "HAVE_CREDSSP", False)
    credential = Credential("windows", "admin", "winrm-credssp", password=Secret("made-up"))
    # TEST-NET-1: a connection would time out.
    with pytest.raises(
        UsageError, match="winrm-credssp needs the library requests-credssp, which Debian has no"
    ):
        WinRmTransport.connect(Target("win1", "192.0.2.1"), credential, deadline=Deadline(20))
