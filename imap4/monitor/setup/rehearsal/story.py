"""The rehearsal's story: a test, an outage, an alert, a dry repair, its comment, the recovery.

A private engine of the same program runs it as the same user, with the programs that were set up, so that
nobody is told and nothing of the real one is touched.
"""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable
from dataclasses import replace

from imap4.deadline import Deadline
from imap4.monitor.definition.reader import parse
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.model import Definition, Monitor
from imap4.monitor.setup.rehearsal.private import CONTACT, Private
from imap4.monitor.setup.rehearsal.server import ADDRESS, Server
from imap4.monitor.setup.site import Site
from imap4.monitor.trouble import Trouble

PATIENCE = 90.0
"""Seconds for each scene."""
CREDENTIAL = "imap4-rehearsal"
_DEFINITION = """\
[[monitor]]
name = "Rehearsal"
host = "imap4-rehearsal"
address = "{address}"
port = {port}
test_duration = 5
failures_per_alert = 2
maximum_alerts = 1
contacts = ["{contact}"]
statistics = false
delays = {{ up = 2, warn = 1, down = 2, lost = 2 }}
[monitor.recovery]
machine = "{address}"
credential = "{credential}"
services = ["dovecot"]
[[monitor.recovery.action]]
do = "restart-service"
"""
# What the engine starts in the place of imap4-recovery: the same, but dry, and with a comment of its end.
_REPAIR = """\
#!/bin/sh
action=$1; shift
{environment}
{recovery} "$action" --dry-run --explain "$@" > {folder}/repair.new 2>&1
line=$(tail -n 1 {folder}/repair.new)
export {comment}
{monitor} comment --host imap4-rehearsal --service Rehearsal "rehearsal: $line" > {folder}/comment.said 2>&1
echo $? > {folder}/comment
mv {folder}/repair.new {folder}/repair
"""


def rehearse(site: Site, say: Callable[[str], None]) -> bool:
    """Go through it, and tell each scene; whether all went as it should.

    Raises:
        Trouble: the engine does not start, or a scene never comes.
    """
    server = Server()
    try:
        with Private(site.engine) as engine:
            return _play(site, engine, server, say)
    finally:
        server.close()


def _play(site: Site, engine: Private, server: Server, say: Callable[[str], None]) -> bool:
    mine = _real(site)
    definition = _definition(server.port, mine)
    programs = replace(
        site.programs,
        records="",
        recovery=str(engine.folder / "repair-command"),
        command_file=str(engine.folder / "engine.cmd"),
        interval_length=1,
    )
    render = icinga2.render if engine.is_icinga else nagios.render
    engine.configure(render(definition, programs))
    engine.write("repair-command", _wrapper(site.programs, engine, mine), 0o700)
    if mine is None:
        _own_store(engine, site.programs)
    server.mend()
    engine.start()
    _wait(engine, "a test that passes", lambda: server.served)
    say("check:    the engine's test of a server on loopback passes")
    server.break_()
    _wait(engine, "an alert", lambda: "PROBLEM CRITICAL" in engine.read("told"))
    say("alert:    the server refuses connections; after 2 failing tests the contact was told CRITICAL")
    _wait(engine, "a repair", lambda: engine.read("repair"))
    good, said = _repair(engine.read("repair"), mine)
    say(f"repair:   {said}")
    _wait(
        engine, "a comment", lambda: engine.has_comment() or engine.read("comment").strip() not in ("", "0")
    )
    commented = engine.has_comment()
    told = (
        "the engine shows it as a comment on the service"
        if commented
        else engine.read("comment.said").strip()
    )
    say(f"comment:  {told}")
    server.mend()
    _wait(engine, "a recovery", lambda: "RECOVERY OK" in engine.read("told"))
    say("recovery: the server answers again, and the contact was told OK")
    return good and commented


def _real(site: Site) -> Monitor | None:
    """The first monitor of the site whose repair can be gone through; None where there is none yet."""
    for monitor in site.definition.monitors if site.definition else ():
        if monitor.enabled and any(each.name == "restart-service" for each in monitor.recovery.actions):
            return monitor
    return None


def _definition(port: int, mine: Monitor | None) -> Definition:
    values = {"address": ADDRESS, "port": port, "contact": CONTACT, "credential": CREDENTIAL}
    made = parse(_DEFINITION.format(**values), "rehearsal")
    if mine is None:
        return made
    (monitor,) = made.monitors
    recovery = replace(mine.recovery, actions=monitor.recovery.actions, verify=False)
    return replace(made, monitors=(replace(monitor, recovery=recovery),))


def _wrapper(programs: Programs, engine: Private, mine: Monitor | None) -> str:
    own = {
        "IMAP4_RECOVERY_CREDENTIALS": engine.folder / "store" / "credentials",
        "IMAP4_RECOVERY_KEY": engine.folder / "store" / "key",
        "IMAP4_RECOVERY_STATE": engine.folder / "store" / "state",
    }
    lines = [f"export {name}={path}" for name, path in own.items()] if mine is None else []
    comment = " ".join(f"{name}={shlex.quote(value)}" for name, value in engine.environment.items())
    return _REPAIR.format(
        environment="\n".join(lines),
        recovery=shlex.quote(programs.recovery),
        monitor=shlex.quote(programs.monitor),
        folder=engine.folder,
        comment=comment,
    )


def _own_store(engine: Private, programs: Programs) -> None:
    """A store with one credential that opens nothing."""
    store = engine.folder / "store"
    for folder in (store, store / "state"):
        engine.run(["mkdir", "-m", "700", str(folder)])
    words = ["credentials", "add", CREDENTIAL, "--account", "nobody", "--password-stdin"]
    words += ["--machines", ADDRESS, "--actions", "restart-service"]
    words += ["--credentials", str(store / "credentials"), "--key", str(store / "key")]
    engine.run([programs.recovery, *words], stdin=secrets.token_urlsafe(12))


def _repair(text: str, mine: Monitor | None) -> tuple[bool, str]:
    """Whether the repair went as far as it could, and what is told of it."""
    last = (text.strip().splitlines() or ["nothing"])[-1]
    last = "".join(c if c.isprintable() else "?" for c in last)[:400]
    decided = "dry run, would act" in last or "dry run, would fail" in last
    if mine is None:
        if decided:
            return True, (
                "imap4-recovery was started, took the credential and decided to act (dry). No monitor has a "
                "repair yet, so there is no machine to log in to"
            )
        return False, last
    return "dry run, would act" in last, f"(dry, for {mine.recovery.machine}) {last}"


def _wait(engine: Private, what: str, happened: Callable[[], object]) -> None:
    deadline = Deadline(PATIENCE)
    while not happened():
        if deadline.expired:
            last = " | ".join(engine.read("engine.log").splitlines()[-3:])
            raise Trouble(
                f"setup: rehearsal: {what} did not come within {PATIENCE:g} s; the engine's log: {last}"
            )
        time.sleep(0.2)
