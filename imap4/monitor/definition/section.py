"""One table of a definition file, read key by key, with ``[defaults]`` behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from imap4.monitor.definition.checks import Bad, Check, shown
from imap4.monitor.definition.line_numbers import Path as Keys

# What other systems call it.
OTHER_WORDS = {
    "timeout": "test_duration", "duration": "test_duration", "hostname": "address", "interval": "up",
    "check_interval": "up", "retry_interval": "warn", "max_check_attempts": "failures_per_alert",
    "retries": "failures_per_alert", "max_alerts": "maximum_alerts", "contact": "contacts",
    "contact_groups": "contacts", "account": "credential", "service": "services", "actions": "action",
    "ca": "ca_file", "min": "minimum", "arguments": "options",
}  # fmt: skip
Tell = Callable[[Keys, str, str, str], None]


class Section:
    """Reads values, remembers which keys were asked for, and tells mistakes instead of raising them.

    ``own`` is what the table says, ``inherited`` what the same table in ``[defaults]`` says. A mistake
    in an inherited value is not told again: it was told at the place where it stands.
    """

    def __init__(
        self,
        own: Mapping[str, Any],
        inherited: Mapping[str, Any],
        keys: Keys,
        monitor: str,
        tell: Tell,
        *,
        prefix: str = "",
        partial: bool = False,
    ) -> None:
        self.own = dict(own)
        self.partial = partial
        """Whether this is about defaults: nothing is required yet."""
        self._inherited = inherited
        self._keys = keys
        self._monitor = monitor
        self._tell = tell
        self._prefix = prefix
        self._asked: set[str] = set()
        self._children: list[Section] = []

    def renamed(
        self, monitor: str, *, inherited: Mapping[str, Any] | None = None, partial: bool = False
    ) -> Section:
        """The same table under the name that messages call it by."""
        return Section(
            self.own,
            self._inherited if inherited is None else inherited,
            self._keys,
            monitor,
            self._tell,
            partial=partial,
        )

    def mistake(self, key: str, text: str) -> None:
        """Tell what is wrong with ``key``."""
        self._tell((*self._keys, *key.split(".")), self._monitor, self._prefix + key, text)

    def value(self, key: str, check: Check, default: Any, *, required: bool = False) -> Any:
        """The checked value of ``key``, from here or from the defaults; ``default`` where there is none."""
        self._asked.add(key)
        if key in self.own:
            try:
                return check(self.own[key])
            except Bad as error:
                self.mistake(key, str(error))
                return default
        if key in self._inherited:
            try:
                return check(self._inherited[key])
            except Bad:
                return default
        if required and not self.partial:
            self.mistake(key, "is missing")
        return default

    def given(self, key: str) -> bool:
        """Whether the table or its defaults say anything about ``key``."""
        return bool(self.own.get(key) or self._inherited.get(key))

    def table(self, key: str) -> Section:
        """The table ``key``; empty where there is none."""
        self._asked.add(key)
        own = self.own.get(key, {})
        if not isinstance(own, dict):
            said = f"{shown(own)} is not a table; write {key} = {{ ... }}"
            self.mistake(key, f"{said}, or [{self._header(key)}] below the other keys")
            own = {}
        inherited = self._inherited.get(key, {})
        if not isinstance(inherited, dict):
            inherited = {}
        return self._child(own, inherited, (*self._keys, key), f"{self._prefix}{key}.")

    def tables(self, key: str) -> Iterator[Section]:
        """The tables of the array ``key``: this table's own, or else all of the defaults'."""
        self._asked.add(key)
        found = self.own.get(key)
        if found is None:
            inherited = self._inherited.get(key, [])
            for each in inherited if isinstance(inherited, list) else ():
                if isinstance(each, dict):
                    yield Section(each, {}, self._keys, self._monitor, lambda *_: None, partial=self.partial)
            return
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            below = " below the other keys" if self._keys else ""
            self.mistake(key, f"is not a list of tables; write [[{self._header(key)}]]{below}")
            return
        for number, each in enumerate(found):
            prefix = f"{self._prefix}{key}[{number + 1}]." if self._prefix or self._monitor else ""
            yield self._child(each, {}, (*self._keys, key, number), prefix)

    def _header(self, key: str) -> str:
        """How a table of this one is called in the file."""
        return ".".join(str(part) for part in (*self._keys, key) if isinstance(part, str))

    def _child(
        self, own: Mapping[str, Any], inherited: Mapping[str, Any], keys: Keys, prefix: str
    ) -> Section:
        child = Section(own, inherited, keys, self._monitor, self._tell, prefix=prefix, partial=self.partial)
        if self._monitor:
            self._children.append(child)
        return child

    def finish(self) -> None:
        """Tell every key that nobody asked for, here and in the tables below."""
        for key in self.own:
            if key not in self._asked:
                self.mistake(key, f"is unknown{self._advice(key)}")
        for child in self._children:
            child.finish()

    def _advice(self, key: str) -> str:
        """What was probably meant by an unknown key: one of this table's, or of a table below it."""
        from difflib import get_close_matches

        near = OTHER_WORDS.get(key) if OTHER_WORDS.get(key) in self._asked else None
        near = near or next(iter(get_close_matches(key, self._asked, 1)), None)
        if near:
            return f'; did you mean "{near}"?'
        for child in self._children:
            wanted = OTHER_WORDS.get(key, key)
            if wanted in child._asked:
                # TOML does not allow a table to be begun in both ways.
                table = child._header(wanted).rpartition(".")[0]
                return (
                    f"; it belongs into [{table}]"
                    if child.own
                    else f'; did you mean "{child._prefix}{wanted}"?'
                )
        return ""
