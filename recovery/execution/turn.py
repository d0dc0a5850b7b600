"""The turn that a recovery takes on its machine: who we are there, and what others' turns mean for it."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from recovery.decision import turns
from recovery.decision.turns import Deed, Turn
from recovery.execution.recovery import Recovery, asked
from recovery.history.entries import under_way
from recovery.requests import RecoveryRequest


def turn_of(recovery: Recovery) -> Turn:
    """The turn of one recovery; what others did there is judged with what our own history knows."""
    request, history = recovery.request, recovery.history
    what = asked(request)

    def judge(deeds: Sequence[Deed]) -> str:
        facts, now = history.look(what, locked=True, beside=recovery.number)
        return turns.judge(request.event, request.rules, facts, deeds, request.action, now)

    return Turn(
        secrets.token_hex(16),
        owner(request),
        os.uname().nodename,
        request.action,
        request.subject,
        recovery.number,
        f"for {request.event.host} {request.event.service}".strip() if request.event else what.asked_by,
        # What died was found and marked when this call began.
        tuple(str(each.number) for each in under_way(history) if each.number != recovery.number),
        judge,
    )


def owner(request: RecoveryRequest) -> str:
    """Which monitoring host we are: 32 hexadecimal digits.

    Made of what is one host's own, its name included: hosts that were copied from one image have one machine
    id. And of the history's place, since who has another history knows nothing of what this one did.
    """
    parts = (_machine_id(), os.uname().nodename, os.path.realpath(request.paths.state))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""
