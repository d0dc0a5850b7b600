"""Several definition files together, and what the monitors of one or more of them have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from imap4.monitor.definition import checks
from imap4.monitor.definition.checks import Mistake
from imap4.monitor.definition.reader import DefinitionError, load
from imap4.monitor.model import Definition, Monitor


class DefinitionErrors(DefinitionError):
    """Several files cannot be used; the text has all mistakes of all of them."""

    def __init__(self, errors: Sequence[DefinitionError]) -> None:
        super().__init__(errors[0].source, [mistake for error in errors for mistake in error.mistakes])
        self._text = "\n".join(map(str, errors))

    def __str__(self) -> str:
        return self._text


def two_addresses(definition: Definition) -> Iterator[str]:
    """A host that gets the address of one of its monitors, while another one has another address.

    The tests go to the right addresses all the same; a repair, or a person, may take the host's.
    """
    first: dict[str, Monitor] = {}
    places = definition.lines or [None] * len(definition.monitors)
    for monitor, line in zip(definition.monitors, places, strict=True):
        other = first.setdefault(monitor.host, monitor)
        if other.address != monitor.address:
            where = f"{definition.source}:{line}: " if line else ""
            yield (
                f'{where}monitor "{monitor.name}": host: {monitor.host} has the address of "{other.name}", '
                f"{other.address}, not {monitor.address}; name another host here, or render with "
                "--existing-hosts"
            )


def load_all(paths: Sequence[Path | str]) -> Definition:
    """The monitors of several files as one definition; no name, id or service may be in two of them.

    Raises:
        DefinitionError: with every mistake in all of the files.
    """
    found, errors = [], []
    for number, path in enumerate(paths):
        if any(Path(path).absolute() == Path(other).absolute() for other in paths[:number]):
            errors.append(DefinitionError(str(path), [Mistake(None, "", "", "is given twice")]))
            continue
        try:
            found.append(load(path))
        except DefinitionError as error:
            errors.append(error)
    errors += _shared(found)
    if errors:
        raise DefinitionErrors(errors)
    if len(found) == 1:
        return found[0]
    monitors = tuple(monitor for definition in found for monitor in definition.monitors)
    return Definition(", ".join(definition.source for definition in found), monitors)


def _shared(definitions: Sequence[Definition]) -> list[DefinitionError]:
    """What two files have in common, told at the second one."""
    seen: dict[tuple[str, str], str] = {}
    errors = []
    for definition in definitions:
        mine: dict[tuple[str, str], str] = {}
        mistakes = []
        for monitor, line in zip(definition.monitors, definition.lines, strict=True):
            keys = [("name", monitor.name), ("id", monitor.id), (monitor.host, monitor.service)]
            mine.update(dict.fromkeys(keys, definition.source))
            other = next((seen[key] for key in keys if key in seen), None)
            if other:
                label = f"monitor {checks.shown(monitor.name)}"
                mistakes.append(Mistake(line, label, "name", f"{other} has it already; choose another"))
        seen.update({key: source for key, source in mine.items() if key not in seen})
        if mistakes:
            errors.append(DefinitionError(definition.source, mistakes))
    return errors
