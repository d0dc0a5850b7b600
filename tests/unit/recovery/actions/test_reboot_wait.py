"""Waiting for a machine that does not come back: what was last seen of it is what the last line says."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imap4.deadline import Deadline
from recovery.actions import reboot_server
from recovery.actions.steps import Story
from recovery.errors import ConnectFailed, DeadlineExceeded
from recovery.platforms import MachineFacts

BEFORE = MachineFacts(boot_id="4f2a", first_process="1", uptime=90, marker=True)


class NotThere:
    """A machine and its link: refuses the first connection, then no time is left for another."""

    host_key = ""
    refused_logins = 3

    def __init__(self) -> None:
        self._first = True

    def machine(self, link: object, *, deadline: Deadline) -> MachineFacts:
        first, self._first = self._first, False
        raise (ConnectFailed("mail1: connection refused") if first else DeadlineExceeded("no time was left"))

    def drop(self) -> None:
        pass


def test_time_that_ran_out_hides_nothing_that_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reboot_server, "_FIRST_PAUSE", 0.01)
    there = cast(Any, NotThere())
    with pytest.raises(reboot_server._Gone) as gone:
        reboot_server._wait(there, there, BEFORE, "", Deadline(0.5), Story())
    assert str(gone.value) == "did not come back within 0.5 s: mail1: connection refused"
