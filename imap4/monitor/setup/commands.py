"""``imap4-monitor setup``: find, plan, show, ask, do, verify, rehearse, reload."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from imap4.monitor.definition.reader import DefinitionError
from imap4.monitor.definition.several import load_all
from imap4.monitor.model import Definition
from imap4.monitor.repairs_offline import rehearse as rehearse_offline
from imap4.monitor.setup import as_user, disk, engines, journal, plan, removal, steps
from imap4.monitor.setup.engines import Engine
from imap4.monitor.setup.journal import Journal
from imap4.monitor.setup.rehearsal import story
from imap4.monitor.setup.site import Plan, Site, definitions_folder, programs
from imap4.monitor.trouble import DONE, WRONG, Trouble


def setup(options: argparse.Namespace) -> int:
    """Set the engine up, or take that back.

    Returns:
        DONE; or WRONG where something will not work yet, which is said.

    Raises:
        Trouble: nothing could be done, or it was taken back.
    """
    try:
        return _setup(options)
    except OSError as error:
        # Whatever the state of the system: what was made so far is in the journal.
        where = f"{error.filename}: " if error.filename else ""
        raise Trouble(f"setup: {where}{error.strerror}") from None


def _setup(options: argparse.Namespace) -> int:
    engine = engines.find(options.engine, options.config)
    _say(f"found   {engine.title}")
    folder = definitions_folder(engine)
    if not options.dry_run:
        _refuse_user(engine)
    noted = journal.load(folder, engine.name)
    if options.remove:
        return _remove(engine, noted, options)
    site = _site(engine, options)
    made = plan.make(site, noted, replace=options.replace)
    pending = made.pending
    for step in pending:
        _say(step.shown())
    if not pending:
        _say("nothing to change: all of it is there already")
    if options.dry_run:
        _tell(made)
        return DONE
    if pending:
        _ask(options, "Do this?")
        _carry_out(site, made, pending, noted)
    return _prove(site, made, pending, noted, options)


def _say(text: str) -> None:
    print(text, flush=True)


def _refuse_user(engine: Engine) -> None:
    """Only root can set up an engine of the system; an OMD site's user sets up the site's.

    Raises:
        Trouble: this is neither.
    """
    if engine.site and os.geteuid() != engine.user.pw_uid:
        raise Trouble(
            f"setup: run this as the site's user, {engine.user.pw_name} (omd su), or with --dry-run"
        )
    if not engine.site and os.geteuid() != 0:
        raise Trouble("setup: only root can set this up: run it with sudo; --dry-run shows what it would do")


def _site(engine: Engine, options: argparse.Namespace) -> Site:
    files = list(options.files)
    folder = definitions_folder(engine)
    if not files:
        files = [str(each) for each in sorted(folder.glob("*.toml"))] if os.access(folder, os.R_OK) else []
    definition: Definition | None = None
    if files:
        try:
            definition = load_all(files)
        except DefinitionError as error:
            raise Trouble(str(error), WRONG) from None
    ours = programs(engine, options.recovery_command)
    return Site(engine, ours, definition, tuple(files), Path("/run/systemd/system").is_dir())


def _ask(options: argparse.Namespace, question: str) -> None:
    """Go on only where somebody agrees.

    Raises:
        Trouble: nobody does.
    """
    if options.yes:
        return
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        raise Trouble("\nsetup: nobody answered, and nothing was changed; --yes agrees beforehand") from None
    except KeyboardInterrupt:
        raise Trouble("\nsetup: nothing was changed") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise Trouble("setup: nothing was changed")


def _carry_out(site: Site, made: Plan, pending: Sequence[steps.Step], noted: Journal) -> None:
    """Do it, the engine's files first; whatever goes wrong, all of it is taken back.

    Raises:
        Trouble: it went wrong, or the engine's verifier refuses what was written.
    """
    begun: list[steps.Step] = []
    system = {id(each) for each in made.system}
    before = list(noted.entries)
    try:
        first = [each for each in pending if id(each) not in system]
        _do(first, begun, noted)
        refused = as_user.verify(site.engine)
        if refused:
            raise Trouble(f"setup: the engine's verifier refuses its configuration now:\n{refused}", WRONG)
        _say(f"verified by {site.engine.program}")
        _do([each for each in pending if id(each) in system], begun, noted)
    except BaseException as error:
        noted.entries = before
        if noted.path.exists():
            noted.save() if before else disk.unlink(noted.path)
        for step in reversed(begun):
            step.undo()
        if isinstance(error, Trouble):
            too = " (it refused it before, too: mend that first)" if as_user.verify(site.engine) else ""
            raise Trouble(f"{error}\nsetup: all that was written was taken back{too}", error.code) from None
        if isinstance(error, KeyboardInterrupt):
            raise Trouble("\nsetup: interrupted; all that was written was taken back") from None
        raise


def _do(pending: Sequence[steps.Step], begun: list[steps.Step], noted: Journal) -> None:
    """Each step, noted before the next one begins."""
    for step in pending:
        begun.append(step)
        step.do()
        noted.add([step.entry()])
        if noted.path.parent.is_dir():
            noted.save()


def _prove(
    site: Site, made: Plan, pending: Sequence[steps.Step], noted: Journal, options: argparse.Namespace
) -> int:
    """Compare with the store, rehearse, and let the engine read what is new."""
    code = WRONG if made.wrong else DONE
    if pending:
        noted.proven = False
        noted.save()
    if site.repairs:
        code = max(code, _compare(site))
    if not pending and noted.proven and not options.rehearse:
        refused = as_user.verify(site.engine)
        if refused:
            raise Trouble(f"setup: the engine's verifier refuses its configuration:\n{refused}", WRONG)
        _say(f"verified by {site.engine.program}")
    elif not options.no_rehearsal:
        _say("rehearsal, with a private engine and a server on loopback that is broken:")
        noted.proven = False
        noted.save()
        if not story.rehearse(site, lambda text: _say(f"  {text}")):
            _tell(made)
            raise Trouble(
                "setup: the rehearsal did not go well; all is in place, and the engine was not reloaded",
                WRONG,
            )
        noted.proven = True
        noted.save()
    _reload(site, made, pending, options)
    _tell(made)
    _next(site)
    return code


def _compare(site: Site) -> int:
    """Whether the definitions' repairs are allowed by the store, as the engine's user sees it."""
    words = [site.programs.recovery, "rehearse", "--offline", "--check-command", site.programs.check, "--"]
    said, code = rehearse_offline(
        [*words, *map(os.path.abspath, site.files)], **as_user.settings(site.engine.user)
    )
    _say("repairs, compared with the store of credentials:")
    _say("\n".join(f"  {line}" for line in said.splitlines()))
    return WRONG if code else DONE


def _reload(site: Site, made: Plan, pending: Sequence[steps.Step], options: argparse.Namespace) -> None:
    """Let the engine read what is new; a new environment is there only after a restart."""
    changed = {str(each.path) for each in pending}
    if not pending or options.no_reload:
        return
    restart = any(f"{site.engine.unit}.service.d" in each for each in changed)
    if restart or changed & {str(each.path) for each in made.engine}:
        _tell_engine(site.engine, "restart" if restart else "reload")


def _tell_engine(engine: Engine, word: str) -> None:
    """Restart or reload it, if systemd runs it; a person does otherwise."""
    if not Path("/run/systemd/system").is_dir() or not engine.unit or engine.site:
        _say("restart the engine, so that it reads what is new")
        return
    disk.run(("systemctl", "daemon-reload"))
    if subprocess.run(("systemctl", "is-active", "--quiet", engine.unit)).returncode != 0:
        _say(f"the engine does not run; start it: systemctl enable --now {engine.unit}")
        return
    disk.run(("systemctl", word, engine.unit))
    _say(f"systemctl {word} {engine.unit}")


def _tell(made: Plan) -> None:
    for wrong in made.wrong:
        _say(f"BAD     {wrong}")
    for note in made.notes:
        _say(f"note    {note}")


def _next(site: Site) -> None:
    if site.definition is None:
        file = definitions_folder(site.engine) / "mail.toml"
        _say(
            f"next    imap4-monitor new --engine {site.engine.name} {file}; change it; run setup again, "
            "which renders it"
        )
        return
    files = " ".join(f"-f {each}" for each in site.files)
    _say(f"next    sudo -u {site.engine.user.pw_name} imap4-monitor doctor {site.engine.name} {files}")


def _remove(engine: Engine, noted: Journal, options: argparse.Namespace) -> int:
    """Take away what setup made, and name what is left."""
    if not noted.entries:
        raise Trouble(f"setup: nothing to remove: {noted.path} has nothing that setup made")
    gone, left = removal.split(noted, _rendered(engine, options))
    for entry in gone:
        _say(removal.shown(entry))
    if options.dry_run:
        for line in left:
            _say(f"leave   {line}")
        return DONE
    _ask(options, "Remove this?")
    taken = removal.Taken()
    services = [each for each in gone if each["kind"] == "service"]
    files = [each for each in gone if each["kind"] not in ("service", "folder")]
    for entry in (*services, *files):
        taken.take(entry)
    refused = as_user.verify(engine)
    if refused:
        taken.put_back()
        raise Trouble(
            f"setup: without these files the engine's verifier refuses its configuration:\n{refused}\n"
            "setup: they were put back; something else uses what setup made: change that first", WRONG
        )  # fmt: skip
    disk.unlink(noted.path)
    for entry in [each for each in gone if each["kind"] == "folder"]:
        stays = taken.take(entry)
        if stays:
            left.append(stays)
    for line in left:
        _say(f"left    {line}")
    _say("removed")
    if not options.no_reload:
        _tell_engine(engine, "restart")
    return DONE


def _rendered(engine: Engine, options: argparse.Namespace) -> dict[str, str]:
    """What the definitions make now, by path; nothing where they, or the programs, are no longer there."""
    try:
        made = plan.make(_site(engine, options), Journal(Path()), replace=True)
    except Trouble:
        return {}
    return {str(each.path): each.text for each in made.engine if isinstance(each, steps.File)}
