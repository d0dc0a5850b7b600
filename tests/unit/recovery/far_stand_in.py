"""``imap4-recovery`` with a far side that needs no machine: run as a program by the tests of the near side.

It stands in at the one seam there is (``recovery.far.FarSide``); everything on this side of it is real.
``FAR`` in the environment is what shall happen: JSON with ``address``, ``outcome`` or ``error``, and
``wait``, a FIFO that is read before the action ends. Every call is written to the file ``FAR_LOG``.
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
from recovery import model
from recovery.cli import main
from recovery.machines.interface import Finding, Link, ListedService, Progress, Request

DONE = "running again after 4.1 s (invocation 3f2a -> 9c11), IMAP4 OK"


class StandIn:
    """A machine whose every answer is told beforehand."""

    def __init__(self, says: dict[str, Any]) -> None:
        self._says = says

    def _called(self, name: str, **what: object) -> None:
        if log := os.environ.get("FAR_LOG"):
            with Path(log).open("a") as file:
                file.write(json.dumps({"call": name, "pid": os.getpid(), **what}, default=repr) + "\n")
        if (error := self._says.get("error")) and (name != "locate" or self._says.get("lost")):
            raise getattr(model, error["kind"])(error["text"])
        if self._says.get("bug") and name != "locate":
            raise ValueError(self._says["bug"])

    def locate(self, machine: str, port: int | None, deadline: Deadline) -> model.Target:
        self._called("locate", machine=machine)
        return model.Target(machine, self._says.get("address", "192.0.2.1"), port)

    def run(self, link: Link, request: Request, verify: str | None, progress: Progress) -> model.Outcome:
        self._called("run", machine=link.target.machine, request=asdict(request), verify=verify)
        steps = (
            model.Step("connect", 0.1, f"as {link.credential.account}"),
            model.Step("restart", 0.5, "asked"),
        )
        for step in steps:
            progress(step)
        if echo := self._says.get("echo_secret"):
            secret = getattr(link.credential, echo)
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

    def plan(self, link: Link, request: Request) -> Sequence[str]:
        self._called("plan", machine=link.target.machine)
        return ("restart dovecot.service (active, invocation 3f2a)", "then start mail-filter.service")

    def services(self, link: Link, pattern: str | None) -> Sequence[ListedService]:
        self._called("services", pattern=pattern)
        return [
            ListedService("dovecot.service", "active", "Dovecot", ("mail-filter.service",)),
            ListedService("ssh.service", "active", "OpenSSH"),
        ]

    def doctor(self, link: Link, services: Sequence[str]) -> Sequence[Finding]:
        self._called("doctor", services=list(services))
        return [
            Finding(True, "name", "mail1 is 192.0.2.1"),
            Finding(False, "sudo", "a password is asked for", "recovery ALL=(root) NOPASSWD: x"),
        ]

    def test(self, link: Link) -> str:
        self._called("test", machine=link.target.machine)
        return "Debian GNU/Linux 12, systemd, sudo works"


if __name__ == "__main__":
    sys.exit(main(far=StandIn(json.loads(os.environ.get("FAR", "{}")))))
