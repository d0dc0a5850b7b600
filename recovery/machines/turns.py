"""Whether two monitoring hosts would know of each other on a machine: for the doctors."""

from __future__ import annotations

from imap4.deadline import Deadline
from recovery.machines.interface import DoctorFinding
from recovery.platforms import turns
from recovery.transports.link import Link


def turn_finding(link: Link, deadline: Deadline) -> DoctorFinding:
    """What was found of the machine's list of repairs; never bad, since who is alone needs none.

    Raises:
        RecoveryError: the machine was not reached.
    """
    unkept = turns.kept(link, deadline=deadline)
    if not unkept:
        return DoctorFinding(True, "turns", "repairs leave word of each other on the machine")
    return DoctorFinding(
        True, "turns", f"two monitoring hosts would not know of each other ({unkept}): docs/pairs.md"
    )
