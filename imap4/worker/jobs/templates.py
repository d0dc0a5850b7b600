"""Verdicts by the plugin's own judging code, which is asked once for every kind of result.

Between two tests of a healthy server only times differ. So the judging code is run with numbers that
print a mark in place of themselves; its output is the template for all results of that kind. A
template is used only after it has given what the judging code gave for two sets of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from nagiosplugin import Range

from imap4.check.options import Options
from imap4.check.probe import ProbeResult
from imap4.check.verdict import check

_MAX_TEMPLATES = 64

# No text of a server has these: ``clean`` takes control characters out.
_MARK = re.compile("\x01([0-9]+):(\\.[0-9]+f)\x02")


class _Slot(float):
    """A number that says where it would be printed, and how."""

    index: int

    def __format__(self, spec: str) -> str:
        return f"\x01{self.index}:{spec}\x02"


class _Template(NamedTuple):
    exit_code: int
    text: bytes
    """For the ``%`` operator."""
    order: Any
    """Picks the numbers that it wants."""


class Templates:
    """Verdicts for one command line."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._ranges = [Range(spec) for spec in (options.warning, options.critical) if spec]
        self._known: dict[Any, _Template | None] = {}

    def verdict(self, results: Sequence[ProbeResult]) -> tuple[int, bytes]:
        """Exit code and output; the same as the plugin's."""
        if len(results) == 1 and not self._options.verbose and self._is_usual(results[0]):
            result = results[0]
            kind = (
                result.address,
                result.failure,
                tuple([name for name, _ in result.phases]),
                result.greeting,
                result.logged_out,
                result.remarks,
                result.notices,
                result.days_left is None,
                result.certificate_of,
            )
            if kind in self._known:
                template = self._known[kind]
            else:
                # A server that greets with its clock makes a new kind each time; memory must have a bound.
                if len(self._known) >= _MAX_TEMPLATES:
                    self._known.clear()
                template = self._known[kind] = self._make(result)
            if template is not None:
                return template.exit_code, template.text % template.order(_numbers(result))
        return self._judged(results)

    def _judged(self, results: Sequence[ProbeResult]) -> tuple[int, bytes]:
        code, text = check(self._options, results)
        return code, text.encode("utf-8", "replace")

    def _is_usual(self, result: ProbeResult) -> bool:
        """Whether no number of it can change the state or be told as a remark."""
        for allowed in self._ranges:
            if not allowed.match(result.seconds):
                return False
        limits = self._options.certificate
        return result.days_left is None or result.days_left >= (limits[0] if limits else 0)

    def _make(self, result: ProbeResult) -> _Template | None:
        marked = self._judged([_with_numbers(result, [_slot(i, n) for i, n in enumerate(_numbers(result))])])
        text, order = "", []
        end = 0
        output = marked[1].decode()
        for mark in _MARK.finditer(output):
            text += output[end : mark.start()].replace("%", "%%") + f"%{mark[2]}"
            order.append(int(mark[1]))
            end = mark.end()
        text += output[end:].replace("%", "%%")
        # itemgetter gives a tuple, which ``%`` wants, only for two and more; no usual line has fewer.
        if len(order) < 2:
            return None
        template = _Template(marked[0], text.encode(), itemgetter(*order))
        # A template that fits these numbers by chance does not fit others, too.
        others = [number + (index + 1) / 1024 for index, number in enumerate(_numbers(result))]
        for one in (result, _with_numbers(result, others)):
            judged = self._judged([one])
            if self._is_usual(one) and judged != (marked[0], template.text % template.order(_numbers(one))):
                return None
        return template


def _slot(index: int, number: float) -> _Slot:
    slot = _Slot(number)
    slot.index = index
    return slot


def _numbers(result: ProbeResult) -> list[float]:
    numbers = [result.seconds, *[seconds for _, seconds in result.phases]]
    if result.days_left is not None:
        numbers.append(result.days_left)
    return numbers


def _with_numbers(result: ProbeResult, numbers: Sequence[float]) -> ProbeResult:
    names = [name for name, _ in result.phases]
    return result._replace(
        seconds=numbers[0],
        phases=tuple(zip(names, numbers[1:])),  # noqa: B905 - the certificate's days may follow
        days_left=None if result.days_left is None else numbers[-1],
    )
