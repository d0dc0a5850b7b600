"""``imap4-monitor render`` and ``doctor``: definitions before an engine, and an engine before definitions."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imap4.monitor.definition.reader import DefinitionError
from imap4.monitor.definition.several import load_all, two_addresses
from imap4.monitor.engines import facts, installed
from imap4.monitor.engines.command_lines import OPTIONS, Programs
from imap4.monitor.engines.icinga2 import doctor as doctor_icinga2
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import doctor as doctor_nagios
from imap4.monitor.engines.nagios import main_file
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.nagios.pace import changes_interval
from imap4.monitor.engines.rendered_files import Rendered, RenderError, write
from imap4.monitor.engines.report import ReportError
from imap4.monitor.engines.reporters import icinga_from
from imap4.monitor.findings import Finding, told
from imap4.monitor.model import Definition, Monitor
from imap4.monitor.records import folder
from imap4.monitor.records.places import STORE
from imap4.monitor.trouble import DONE, WRONG, Trouble


@dataclass(frozen=True)
class Site:
    """What is on this machine: programs of ours, and an engine that may be here."""

    programs: Programs
    user: str
    """Whom the engine runs as; empty where that is not known."""


def _main_file(options: argparse.Namespace) -> main_file.MainFile | None:
    """The engine's main file; None for Icinga 2, and where there is none on this machine."""
    if options.engine == facts.ICINGA2:
        return None
    path = main_file.find(options.engine, options.config)
    try:
        return main_file.read(path, options.engine)
    except OSError as error:
        if options.config:
            raise Trouble(f"--config: {path}: cannot be read: {error.strerror}") from None
    except main_file.NotMainFile as error:
        if options.config:
            raise Trouble(f"--config: {path} is no main file of {options.engine}: {error}") from None
    return None


def _site(options: argparse.Namespace, main: main_file.MainFile | None) -> Site:
    """The programs as given, or beside this one; the engine's files as given, as it says, or as packaged."""
    packaging = facts.packaging_of(options.engine, str(main.path) if main else options.config)
    programs = Programs(
        check=options.check or installed.beside("check_imap4"),
        monitor=options.monitor or installed.beside("imap4-monitor"),
        recovery=options.recovery or installed.beside("imap4-recovery"),
        command_file=options.command_file or (main.place("command_file") if main else packaging.command_file),
        records=Programs.records if options.records is None else options.records,
        notification=options.notification or Programs.notification,
        icinga_api=_api(options.icinga_api or Programs.icinga_api),
        interval_length=options.interval_length
        or (main and main.interval_length)
        or Programs.interval_length,
    )
    return Site(programs, main.user if main else packaging.user)


def _api(url: str) -> str:
    from imap4.monitor.engines.icinga2.api import IcingaReporter
    from imap4.monitor.engines.report import ReportError

    try:
        IcingaReporter.at(url, user="", password_file="")
    except ReportError:
        # Not what was given: it may hold a password.
        raise Trouble(
            "--icinga-api: give an address like https://icinga.example.org:5665, and nothing secret in it"
        ) from None
    return url


def _definition(paths: list[str]) -> Definition:
    try:
        return load_all(paths)
    except DefinitionError as error:
        raise Trouble(str(error), WRONG) from None


def render(options: argparse.Namespace) -> int:
    """Write the engine's object configuration."""
    definition = _definition(options.files)
    site = _site(options, _main_file(options))
    make = icinga2.render if options.engine == facts.ICINGA2 else nagios.render
    files = make(definition, site.programs, existing_hosts=options.existing_hosts)
    if options.no_shared:
        files = {name: text for name, text in files.items() if "monitors" in name}
    try:
        changed = write(Path(options.output), files, replace=options.replace)
    except RenderError as error:
        raise Trouble(f"render: {error}") from None
    for each in changed:
        print("\n".join(_told(Path(options.output), each)))
    for warning in _warnings(options, definition, site):
        print(f"render: warning: {warning}", file=sys.stderr)
    return DONE


def _told(folder: Path, file: Rendered) -> Iterator[str]:
    """What a person is told of a file: whether it changed, and which monitors came and went."""
    counts = ""
    if file.monitors:
        total = len(file.monitors)
        counts = f" ({total} monitor{'s' * (total != 1)}: {len(file.come)} new, {len(file.gone)} removed)"
    yield f"{folder / file.name}: {'written' if file.changed else 'unchanged'}{counts}"
    for host, service in file.gone:
        yield f"  removed: {service} on the host {host}"


def _warnings(options: argparse.Namespace, definition: Definition, site: Site) -> Iterator[str]:
    """What the engine would stumble over, although the files were written."""
    try:
        account = pwd.getpwnam(site.user) if site.user else None
    except KeyError:
        account = None  # the engine is on another machine
    for name, path in site.programs.named(definition.monitors, options.engine):
        why = installed.trouble(path, account)
        if why:
            remedy = f"install it where the engine's user can run it, or give its path with {OPTIONS[name]}"
            yield f"{path} cannot be run: {why}; it is {name}: {remedy}"
    if not options.existing_hosts:
        yield from two_addresses(definition)
    length = site.programs.interval_length
    for monitor in definition.monitors if options.engine != facts.ICINGA2 else ():
        up = monitor.rules.delays.up
        rounded = -(-up // length) * length
        if up % length and changes_interval(monitor.rules, monitor.test_duration):
            yield (
                f'"{monitor.name}": after an outage, a test comes every {rounded} s while Up, not {up}, '
                f"until the engine restarts, since it takes whole units of {length} s then; Down and Lost "
                "delays that are shorter than Up's by test_duration avoid this"
            )


def doctor(options: argparse.Namespace) -> int:
    """Look at the engine, and tell what has to be changed for the monitors."""
    monitors = _definition(options.file).monitors if options.file else ()
    try:
        main = _main_file(options)
    except Trouble:
        main = None  # the doctor has a line for it
    programs = _site(options, main).programs
    if options.engine == facts.ICINGA2:
        found = list(doctor_icinga2.examine(options.config, programs, monitors, defines=options.define))
        found += _running(monitors)
    else:
        found = list(doctor_nagios.examine(options.engine, options.config, programs, monitors))
    found += folder.examine(programs.records, monitors, STORE, time.time())
    print(told(found))
    return DONE if all(finding.ok for finding in found) else WRONG


def _running(monitors: Sequence[Monitor]) -> list[Finding]:
    """What a running Icinga 2 has, where the environment says how to ask it."""
    try:
        reporter = icinga_from(os.environ)
    except ReportError as error:
        return [Finding(False, "the running engine was not looked at", str(error), "correct IMAP4_ICINGA_*")]
    if reporter is None:
        return []
    # TLS and HTTP, which the other engines do without.
    from imap4.monitor.engines.icinga2 import running

    return list(running.examine(reporter, monitors, time.time()))
