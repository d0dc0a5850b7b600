"""A Nagios' or Naemon's main configuration file, as the engine reads it.

The names are those of Nagios Core's manual, "Main Configuration File Options"; ``include_dir`` and
``include_file`` are Naemon's (its manual, "Main Configuration File Options").
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from imap4.monitor.engines import facts

_KNOWN = {
    *("cfg_file", "cfg_dir", "log_file", "object_cache_file", "status_file", "resource_file", "command_file"),
    *("lock_file", "interval_length", "nagios_user", "naemon_user", "include_dir", "include_file"),
}
"""A main file has at least one of these; the engines' other files have none."""
_MOST = 4 << 20
_DEEPEST = 5


class NotMainFile(Exception):
    """The file is something else; the text says what is wrong with it."""


@dataclass(frozen=True)
class Value:
    """A setting, and where it stands."""

    text: str
    path: Path
    line: int


@dataclass(frozen=True)
class MainFile:
    """What the main file and the files that it includes say."""

    path: Path
    engine: str
    values: dict[str, Value]
    """By name; where a name is there twice, the last counts."""
    object_folders: tuple[Path, ...] = ()
    """What the cfg_dir lines name, in their order. The engine reads the folders below them too."""
    object_files: tuple[Path, ...] = ()
    """What the cfg_file lines name."""

    def get(self, name: str, default: str) -> str:
        """The value of a setting, or what the engine takes without one."""
        return self.values[name].text if name in self.values else default

    def place(self, name: str) -> str:
        """The path that a setting gives, or the packaging's; relative to the main file's folder."""
        built = getattr(facts.packaging_of(self.engine, str(self.path)), name, "")
        base = self.path.absolute().parent / self.get("config_rel_path", "")
        return os.path.normpath(base / self.get(name, built))

    @property
    def user(self) -> str:
        """Whom the engine runs as."""
        name = "naemon_user" if self.engine == facts.NAEMON else "nagios_user"
        return self.get(name, facts.packaging_of(self.engine, str(self.path)).user)

    @property
    def interval_length(self) -> int | None:
        """The unit of intervals in seconds; None where it is no number that can be one."""
        text = self.get("interval_length", "60")
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else None

    def change(self, line: str) -> str:
        """The sentence that says where to write ``line``."""
        value = self.values.get(line.split("=")[0])
        if value:
            return f"{value.path}:{value.line}: change to {line}"
        return f"{self.path}: add {line}"


def read(path: Path, engine: str) -> MainFile:
    """Read a main file.

    Raises:
        OSError: it, or one that it includes, cannot be read.
        NotMainFile: it is something else.
    """
    values: dict[str, Value] = {}
    every: list[tuple[str, str]] = []
    _read(path, path.parent, engine, values, every, _DEEPEST)
    if not _KNOWN & set(values):
        raise NotMainFile(f"it has none of {engine}'s settings, such as cfg_dir or command_file")
    base = path.absolute().parent / (values["config_rel_path"].text if "config_rel_path" in values else "")
    named = {
        kind: tuple(Path(os.path.normpath(base / text)) for name, text in every if name == kind)
        for kind in ("cfg_dir", "cfg_file")
    }
    return MainFile(path, engine, values, named["cfg_dir"], named["cfg_file"])


def _read(
    path: Path, base: Path, engine: str, values: dict[str, Value], every: list[tuple[str, str]], depth: int
) -> None:
    if not os.path.isfile(path) and os.path.exists(path):
        raise NotMainFile("it is not a file")
    with path.open("rb") as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST or b"\0" in data:
        raise NotMainFile("it is not text" if b"\0" in data else "it is far too long")
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        found = re.match(r"\s*([a-z_0-9]+)\s*=\s*(.*?)\s*$", line)
        if not found:
            continue
        values[found[1]] = Value(found[2], path, number)
        every.append((found[1], found[2]))
        if engine == facts.NAEMON and found[1] in ("include_file", "include_dir") and depth:
            # Naemon reads what ends in .cfg and is not hidden, in no order, and not the folders below.
            there = base / values.get("config_rel_path", Value("", path, 0)).text / found[2]
            inside = [there] if found[1] == "include_file" else sorted(there.glob("[!.]*.cfg"))
            for each in inside:
                _read(each, base, engine, values, every, depth - 1)


def find(engine: str, config: str | None) -> Path:
    """The main file: the one that was given, or the first of the usual ones that is there."""
    return Path(config or facts.packaging_of(engine, None).main_file)
