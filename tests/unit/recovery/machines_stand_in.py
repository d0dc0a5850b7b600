"""``imap4-recovery`` without machines: run as a program by the tests of all that does not happen on one.

It stands in at the one seam there is (``recovery.machines.interface.Machines``); all else is real.
``MACHINES`` in the environment is what shall happen: JSON with ``address``, ``outcome`` or ``error``, and
``wait``, a FIFO that is read before the action ends. Every call is written to the file ``MACHINES_LOG``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imap4.deadline import Deadline
from recovery import errors, model
from recovery.cli import main
from recovery.decision.turns import Turn
from recovery.machines.interface import Access, DoctorFinding, ListedService
from recovery.model import StepListener
from recovery.requests import ActionRequest

DONE = "running again after 4.1 s (invocation 3f2a -> 9c11), IMAP4 OK"


class StandIn:
    """A machine whose every answer is told beforehand."""

    def __init__(self, says: dict[str, Any]) -> None:
        self._says = says

    def _called(self, name: str, **what: object) -> None:
        if log := os.environ.get("MACHINES_LOG"):
            with Path(log).open("a") as file:
                file.write(json.dumps({"call": name, "pid": os.getpid(), **what}, default=repr) + "\n")
        if (error := self._says.get("error")) and (name != "locate" or self._says.get("lost")):
            raise getattr(errors, error["kind"])(error["text"])
        if self._says.get("bug") and name != "locate":
            raise ValueError(self._says["bug"])

    def locate(self, machine: str, port: int | None, deadline: Deadline) -> model.Target:
        self._called("locate", machine=machine)
        return model.Target(machine, self._says.get("address", "192.0.2.1"), port)

    def run(
        self,
        access: Access,
        request: ActionRequest,
        verify: str | None,
        progress: StepListener,
        turn: Turn | None = None,
    ) -> model.Outcome:
        self._called("run", machine=access.target.machine, request=asdict(request), verify=verify)
        steps = (
            model.Step("connect", 0.1, f"as {access.credential.account}"),
            model.Step("restart", 0.5, "asked"),
        )
        for step in steps:
            progress(step)
        if echo := self._says.get("echo_secret"):
            secret = getattr(access.credential, echo)
            progress(model.Step("echo", 0.6, f"the machine printed {secret.reveal()} here"))
        if wait := self._says.get("wait"):
            Path(wait).read_text()
        says: dict[str, Any] = {
            "verdict": "proven",
            "summary": DONE,
            "proof": "invocation changed",
            "verify": "IMAP4 OK",
        }
        says |= self._says.get("outcome", {})
        says = {"facts_before": {"invocation": "3f2a"}, "facts_after": {"invocation": "9c11"}} | says
        verdict = model.Verdict(says.pop("verdict"))
        return model.Outcome(verdict, steps=steps, seconds=4.1, **says)

    def plan(self, access: Access, request: ActionRequest, turn: Turn | None = None) -> model.Plan:
        self._called("plan", machine=access.target.machine)
        lines = ("restart dovecot.service (active, invocation 3f2a)", "then start mail-filter.service")
        says = self._says.get("plan", {})
        verdict = model.Verdict(says["verdict"]) if says else None
        return model.Plan(lines, verdict, says.get("reason", ""))

    def services(self, access: Access, pattern: str | None) -> Sequence[ListedService]:
        self._called("services", pattern=pattern)
        return [
            ListedService("dovecot.service", "active", "Dovecot", ("mail-filter.service",)),
            ListedService("ssh.service", "active", "OpenSSH"),
        ]

    def doctor(
        self, access: Access, services: Sequence[str], dependents: bool = True
    ) -> Sequence[DoctorFinding]:
        self._called("doctor", services=list(services), dependents=dependents)
        if said := self._says.get("findings"):
            return [DoctorFinding(*one) for one in said]
        return [
            DoctorFinding(True, "name", "mail1 is 192.0.2.1"),
            DoctorFinding(False, "sudo", "a password is asked for", "recovery ALL=(root) NOPASSWD: x"),
        ]

    def test(self, access: Access) -> str:
        self._called("test", machine=access.target.machine)
        return "Debian GNU/Linux 12, systemd, sudo works"


if __name__ == "__main__":
    sys.exit(main(machines=StandIn(json.loads(os.environ.get("MACHINES", "{}")))))
