"""Which engine is on this machine, and all that the set-up has to know of it. Nothing is changed."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imap4.monitor.engines import facts
from imap4.monitor.engines.icinga2.doctor import daemon_user
from imap4.monitor.engines.icinga2.verifier import version_of
from imap4.monitor.engines.installed import said
from imap4.monitor.engines.nagios.main_file import MainFile, NotMainFile
from imap4.monitor.engines.nagios.main_file import read as read_main
from imap4.monitor.engines.rendered_files import MARK
from imap4.monitor.setup.disk import peek
from imap4.monitor.trouble import Trouble

_SUBFOLDER = "imap4"


@dataclass(frozen=True)
class Engine:
    """An engine as it is here."""

    packaging: facts.Packaging
    main_file: Path
    program: str
    version: str
    """Empty where it does not tell."""
    user: pwd.struct_passwd
    """Whom it runs as."""
    main: MainFile | None
    """Of Nagios and Naemon."""
    objects: Path
    """The folder for what is rendered. It need not be there yet."""
    include: str
    """The line that the main file lacks for that folder; empty where it reads it already."""

    @property
    def name(self) -> str:
        """nagios, naemon or icinga2."""
        return self.packaging.engine

    @property
    def unit(self) -> str:
        """systemd's name of it; empty where something else starts it."""
        return self.packaging.unit

    @property
    def site(self) -> str:
        """The folder of the OMD site that it is of; empty for one of the system."""
        root = os.environ.get("OMD_ROOT", "")
        return root if root and str(self.main_file).startswith(root + "/") else ""

    @property
    def title(self) -> str:
        """One line for a person."""
        version = self.version or "of an unknown version"
        return (
            f"{self.name} {version} ({self.packaging.who}): {self.program}, {self.main_file}, "
            f"runs as {self.user.pw_name}"
        )


def find(wanted: str | None, config: str | None) -> Engine:
    """The engine to set up.

    Args:
        wanted: its name; None takes the only one that is here.
        config: its main file; None looks in the usual places.

    Raises:
        Trouble: there is none, or more than one, or it is not complete.
    """
    if config and not wanted:
        wanted = facts.ICINGA2 if Path(config).name == "icinga2.conf" else None
        wanted = wanted or (facts.NAEMON if Path(config).name == "naemon.cfg" else facts.NAGIOS)
    packagings = _with(wanted, config) if wanted and config else _here(wanted)
    if not packagings:
        raise Trouble(_nothing(wanted))
    if len(packagings) > 1:
        there = "; ".join(f"{each.engine} ({each.main_file})" for each in packagings)
        alike = len({each.engine for each in packagings}) == 1
        how = "--config FILE" if alike else "--engine NAME"
        raise Trouble(f"setup: there is more than one engine: {there}; choose with {how}")
    return _icinga2(packagings[0]) if packagings[0].engine == facts.ICINGA2 else _core(packagings[0])


def _here(wanted: str | None) -> list[facts.Packaging]:
    """Those whose main file and program are both here, each main file once."""
    found: list[facts.Packaging] = []
    for each in facts.here():
        known = {other.main_file for other in found}
        if wanted in (None, each.engine) and each.main_file not in known and _program(each):
            found.append(each)
    return found


def _with(wanted: str, config: str) -> list[facts.Packaging]:
    """The packaging of a main file that was named, the first of its engine where none has it."""
    known = facts.packaging_of(wanted, config)
    if known.main_file == config:
        return [known]
    # Nothing else of a packaging holds for a main file of one's own.
    return [replace(known, who="its own main file", main_file=config, unit="")]


def _nothing(wanted: str | None) -> str:
    engines = (wanted,) if wanted else (facts.NAGIOS, facts.NAEMON, facts.ICINGA2)
    places = [each.main_file for name in engines for each in facts.packagings(name)]
    left = [each.main_file for each in facts.here() if each.engine in engines]
    if left:
        program = next(each.program for each in facts.here() if each.main_file == left[0])
        return (
            f"setup: {left[0]} is there, but not its engine ({program}): install it, for example with "
            "apt install nagios4 or apt install icinga2"
        )
    sites = ""
    if not os.environ.get("OMD_ROOT") and os.path.isdir("/omd/sites"):
        sites = "; there are OMD sites here: run this as a site's user (omd su SITE)"
    return (
        f"setup: there is no engine here (none of {', '.join(dict.fromkeys(places))}): install one, for "
        f"example with apt install nagios4 or apt install icinga2; or name its main file with --config{sites}"
    )


def _program(packaging: facts.Packaging) -> str | None:
    if os.access(packaging.program, os.X_OK) and os.path.isfile(packaging.program):
        return packaging.program
    return shutil.which(
        os.path.basename(packaging.program), path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
    )


def _told(packaging: facts.Packaging) -> str:
    program = _program(packaging)
    if program is None:
        raise Trouble(f"setup: {packaging.program} is not there: is {packaging.engine} installed?")
    return program


def _account(name: str, main: Path) -> pwd.struct_passwd:
    """The engine's user.

    Raises:
        Trouble: there is none of that name.
    """
    try:
        return pwd.getpwnam(name) if name else pwd.getpwuid(os.stat(main).st_uid)
    except KeyError:
        raise Trouble(
            f"setup: {main}: there is no user {name or 'that owns it'}: is the engine installed?"
        ) from None


def _core(packaging: facts.Packaging) -> Engine:
    """Nagios or Naemon."""
    path = Path(packaging.main_file)
    program = _told(packaging)
    try:
        main = read_main(path, packaging.engine)
    except OSError as error:
        raise Trouble(
            f"setup: {error.filename or path}: cannot be read: {error.strerror}; run this as root"
        ) from None
    except NotMainFile as error:
        raise Trouble(f"setup: {path} is no main file of {packaging.engine}: {error}") from None
    told = said([program, "--version"], r"(?:Core|Naemon) (\d+(?:\.\d+)+)")
    version = told[1] if told else ""
    folder = _chosen(main.object_folders)
    objects, include = (folder, "") if folder else (path.absolute().parent / _SUBFOLDER, "")
    if folder is None:
        include = f"cfg_dir={objects}"
    return Engine(packaging, path, program, version, _account(main.user, path), main, objects, include)


def _chosen(folders: Sequence[Path]) -> Path | None:
    """Where rendered files go, of the folders that the engine reads; None where none is for them."""
    # What packages put there is no place for a site's files.
    own = [each for each in folders if "plugins" not in str(each)]
    for each in own:
        if _is_ours(each):
            return each
    for each in own:
        if each.name == "conf.d":
            return each / _SUBFOLDER
    return own[0] / _SUBFOLDER if own else None


def _is_ours(folder: Path) -> bool:
    """Whether ``render`` has written into it already; another folder would have everything twice."""
    for name in ("imap4-commands.cfg", "imap4-commands.conf"):
        if MARK.encode() in peek(folder / name)[:200]:
            return True
    return False


def _icinga2(packaging: facts.Packaging) -> Engine:
    path = Path(packaging.main_file)
    program = _told(packaging)
    text = peek(path).decode(errors="replace")
    if not text:
        raise Trouble(f"setup: {path}: cannot be read; run this as root")
    version = ".".join(map(str, version_of(program) or ()))
    site = path.absolute().parent / "conf.d"
    reads = re.search(r'^\s*include_recursive\s+"conf\.d"', text, re.MULTILINE)
    own = path.absolute().parent / "imap4.d"
    if reads:
        objects, include = (site if _is_ours(site) else site / _SUBFOLDER), ""
    else:
        line = 'include_recursive "imap4.d"'
        there = re.search(rf"^\s*{re.escape(line)}", text, re.MULTILINE)
        objects, include = own, "" if there else line
    return Engine(packaging, path, program, version, _account(daemon_user(), path), None, objects, include)
