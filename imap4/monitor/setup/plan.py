"""What is to be done on this machine, as steps; what a person has to do, as notes."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from imap4 import secrets
from imap4.monitor.engines import facts, rendered_files
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import doctor as nagios_doctor
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.setup import system, texts
from imap4.monitor.setup.disk import peek, read
from imap4.monitor.setup.engines import Engine
from imap4.monitor.setup.journal import Journal
from imap4.monitor.setup.site import HOME, PASSWORD, Plan, Site, definitions_folder, records_folder
from imap4.monitor.setup.steps import Edit, File, Folder, Link, Step
from imap4.monitor.trouble import Trouble

_BIN = Path("/usr/local/bin")
_NAMES = ("check_imap4", "imap4-monitor", "imap4-recovery", "imap4-worker")


def make(site: Site, journal: Journal, *, replace: bool = False) -> Plan:
    """The plan.

    Raises:
        Trouble: a file that would be written is somebody else's, or was changed by hand.
    """
    plan = Plan()
    plan.folders += _folders(site, plan)
    if not site.prefix:
        plan.folders += _links(site)
    plan.engine += _objects(site, plan, replace)
    if site.engine.name == facts.ICINGA2:
        plan.engine += _api(site, plan)
    else:
        plan.engine += _settings(site)
    if not site.prefix:
        plan.system += system.steps_for(site, plan)
    _refuse_foreign(plan, journal)
    return plan


def _folders(site: Site, plan: Plan) -> Iterator[Step]:
    root, user = pwd.getpwuid(os.geteuid()), site.engine.user
    definitions, records = definitions_folder(site.engine), records_folder(site.engine)
    yield Folder(definitions, root, 0o755)
    yield Folder(records.parent, root, 0o755)
    yield Folder(records, user, 0o755)
    yield Folder(records.parent / "store", user, 0o755)
    for path in (records, records.parent / "store", *HOME):
        if os.path.isdir(path) and os.stat(path).st_uid != user.pw_uid:
            owner = _name(os.stat(path).st_uid)
            plan.wrong.append(
                f"{path} is {owner}'s, and the engine runs as {user.pw_name}, who would not find what it "
                f"needs there; run: chown -R {user.pw_name}: {path}"
            )
    if not site.prefix:
        for path in HOME:
            yield Folder(path, user, 0o700)
    elif not all(map(os.path.isdir, HOME)):
        who = f"-o {user.pw_name} -g {user.pw_name}"
        plan.notes.append(f"for repairs, as root: install -d {who} -m 700 {HOME[0]} {HOME[1]}")
    parent = site.engine.objects.parent
    if not os.path.isdir(parent):
        raise Trouble(f"setup: {parent} is not there, though {site.engine.main_file} names it: make it first")
    yield Folder(site.engine.objects, pwd.getpwuid(os.stat(parent).st_uid), 0o755)


def _links(site: Site) -> Iterator[Step]:
    """The programs where everybody's shell looks, unless they are there, or a package has them."""
    if os.path.lexists("/usr/bin/imap4-monitor"):
        return
    for name in _NAMES:
        program = Path(site.programs.monitor).parent / name
        if program.is_file() and not shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/sbin:/bin"):
            yield Link(_BIN / name, str(program))


def _objects(site: Site, plan: Plan, replace: bool) -> Iterator[Step]:
    """What the engine reads."""
    engine, folder = site.engine, site.engine.objects
    if engine.include and not engine.site:
        yield Edit(engine.main_file, engine.include)
    elif engine.include:
        raise Trouble(f"setup: {engine.main_file} has no cfg_dir: name one in a file of etc/naemon/naemon.d")
    name, text = texts.plugin_command(engine, site.programs)
    other = _defined_elsewhere(engine, folder / name)
    if other:
        plan.notes.append(f"the engine's command check_imap4 is in {other} already, and stays as it is")
    else:
        yield File(folder / name, text, "the plugin as a command for services of your own")
    if site.definition is None:
        return
    render = icinga2.render if engine.name == facts.ICINGA2 else nagios.render
    files = render(site.definition, site.programs)
    try:
        rendered_files.refuse(folder, files, replace=replace)
    except rendered_files.RenderError as error:
        raise Trouble(f"setup: {error}") from None
    count = len(site.definition.monitors)
    for name, text in files.items():
        what = f"{count} monitor{'s' * (count != 1)}" if "monitors" in name else "what monitors share"
        yield File(folder / name, text, what)


def _defined_elsewhere(engine: Engine, own: Path) -> str:
    """The file that has the plugin's command already; empty where it is ours, or nowhere."""
    if engine.main is not None:
        pattern = re.compile(rb"^\s*command_name\s+check_imap4\s*$", re.MULTILINE)
        below = [path for folder in engine.main.object_folders for path in sorted(folder.rglob("*.cfg"))]
        wanted = [*engine.main.object_files, *below]
    else:
        pattern = re.compile(rb'^\s*object\s+CheckCommand\s+"imap4"', re.MULTILINE)
        wanted = sorted(engine.main_file.parent.rglob("*.conf"))
        wanted += sorted(Path("/usr/share/icinga2/include").rglob("*.conf"))
    for path in wanted:
        if path != own and pattern.search(peek(path)):
            return str(path)
    return ""


def _settings(site: Site) -> Iterator[Step]:
    """Lines of Nagios' or Naemon's main file that the monitors need otherwise."""
    engine = site.engine
    if engine.main is None or site.definition is None or engine.site:
        return
    for rule in nagios_doctor.rules(engine.name, site.definition.monitors):
        if rule.good(engine.main.get(rule.name, rule.default)):
            continue
        value = engine.main.values.get(rule.name)
        if value is None:
            yield Edit(engine.main_file, rule.line)
        else:
            lines = value.path.read_text(errors="surrogateescape").splitlines()
            yield Edit(value.path, rule.line, lines[value.line - 1])


def _api(site: Site, plan: Plan) -> Iterator[Step]:
    """Icinga's user for comments, and its password for who comments."""
    if not (site.engine.main_file.parent / "features-enabled" / "api.conf").exists():
        plan.notes.append("for comments of repairs: icinga2 api setup, then run this again")
        return
    try:
        password = secrets.read(PASSWORD, "").decode().strip()
    except FileNotFoundError:
        password = texts.new_password()
    except secrets.SecretError as error:
        raise Trouble(f"setup: {error}") from None
    yield File(PASSWORD, password + "\n", "a new password for comments", 0o600)
    yield File(site.engine.objects / "api-user.conf", texts.api_user(password), "who may comment", 0o640)


def _refuse_foreign(plan: Plan, journal: Journal) -> None:
    """Nothing is written over what somebody else wrote, or changed.

    Raises:
        Trouble: something is in the way.
    """
    for step in (*plan.folders, *plan.engine, *plan.system):
        if not isinstance(step, File):
            continue
        data = read(step.path)
        if data is None or data == step.text.encode() or journal.knows(step.path, data):
            continue
        # What render wrote is written anew by every rendering.
        if step.path.name.startswith("imap4-monitors") or step.path.name.startswith("imap4-commands"):
            continue
        raise Trouble(f"setup: {step.path} was written or changed by somebody else: move it away first")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
