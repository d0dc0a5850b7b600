"""A report for a terminal: the same page in the same order as the HTML, 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from imap4.monitor.reports.counting.numbers import Shares, percent, spelled
from imap4.monitor.reports.counting.periods import at
from imap4.monitor.reports.forms import words
from imap4.monitor.reports.model import MOST_PLOTS, Report, Subject
from imap4.monitor.reports.screen import plain

WIDTH = 80

_LEGEND = (
    "A mark a day: \u2588 all up, the lower the more was down, m planned downtime, \u00b7 nothing known."
)

_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def render(report: Report) -> str:
    """The page."""
    lines = [words.title(report), "=" * len(words.title(report)), ""]
    lines += [f"{name + ':':<10}{text}" for name, text in words.head(report)]
    lines += ["", *_wrapped(words.verdict(report)), ""]
    lines += list(_table(report))
    if any(len(each.days) > 1 for each in report.subjects):
        lines += ["", *_wrapped(_LEGEND)]
    for subject in report.subjects[:MOST_PLOTS]:
        if subject.outages or subject.causes:
            lines += ["", *_subject(report, subject)]
    hidden = len(report.subjects) - MOST_PLOTS
    if hidden > 0:
        lines += [
            "",
            *_wrapped(f"The {MOST_PLOTS} worst are shown in full; {hidden:,} more are in the table."),
        ]
    lines += ["", "How it was counted", "------------------"]
    for note in words.method(report):
        lines += _wrapped(note, "- ")
    return "\n".join(lines) + "\n"


def _table(report: Report) -> Iterator[str]:
    """A line of numbers and a strip of days for each monitor."""
    heads = ("availability", "budget", "coverage", "outages", "longest", "repaired")
    yield f"{'':<2}{heads[0]:>12}{heads[1]:>19}{heads[2]:>10}{heads[3]:>9}{heads[4]:>12}{heads[5]:>10}"
    times = ("greeting: median", "95th, ms", "before: median", "95th, ms", "certificate")
    yield f"{'':<2}{times[0]:>17}{times[1]:>10}{times[2]:>17}{times[3]:>10}{times[4]:>18}"
    for subject in report.subjects:
        outages = len(subject.outages)
        yield ""
        yield plain(subject.monitor.name) + ("" if subject.monitor.enabled else " (disabled)")
        yield (
            f"  {percent(subject.shares.availability):>12}{words.budget(subject):>19}"
            f"{percent(subject.shares.coverage):>10}{outages or '-':>9}"
            f"{spelled(subject.longest) if outages else '-':>12}{words.repaired(subject):>10}"
        )
        days = words.days_left(subject)
        figures = [words.greeting(subject, which, before) for before in (False, True) for which in (0, 1)]
        certificate = "-" if days == "-" else f"{days} days"
        yield f"  {figures[0]:>17}{figures[1]:>10}{figures[2]:>17}{figures[3]:>10}{certificate:>18}"
        if len(subject.days) > 1:
            yield f"  {strip([shares for _, shares in subject.days])[: WIDTH - 2]}"


def strip(days: list[Shares]) -> str:
    """A mark a day: full where all was up, lower by availability, a dot where nothing is known."""
    return "".join(_mark(each) for each in days)


def _mark(shares: Shares) -> str:
    if not shares.covered:
        return "m" if shares.planned else "\u00b7"
    if not shares.down:
        return _BARS[-1]
    availability = shares.up / shares.covered
    # Where the bars would all look full, what matters is how much is missing: 99.9 % is a step down.
    for number, least in enumerate((0.999, 0.99, 0.95, 0.9, 0.75, 0.5), 1):
        if availability >= least:
            return _BARS[7 - number]
    return _BARS[0]


def _subject(report: Report, subject: Subject) -> Iterator[str]:
    name = plain(subject.monitor.name)
    yield name
    yield "-" * min(len(name), WIDTH)
    shares = subject.shares
    yield (
        f"up {spelled(shares.up)}, down {spelled(shares.down)}, planned {spelled(shares.planned)}, "
        f"not covered {spelled(shares.uncovered)}"
    )
    if subject.to_repair is not None and subject.between is not None:
        yield (
            f"mean time to repair {spelled(subject.to_repair)}, between failures {spelled(subject.between)}, "
            f"{words.counted(subject.alerts, 'alert')}"
        )
    if subject.causes:
        causes = ", ".join(f"{cause} {count:,}" for cause, count in subject.causes)
        yield from _wrapped(f"failed tests: {causes}")
    zone = report.wish.period.zone
    for outage in subject.outages:
        yield ""
        yield from _wrapped(f"{at(outage.begin, zone):%Y-%m-%d %H:%M:%S %Z}: {words.summary(outage)}")
        for moment, _, said in words.story(outage):
            stamp = f"  {at(moment, zone):%d %b %H:%M:%S}  "
            yield from textwrap.wrap(
                plain(said), WIDTH, initial_indent=stamp, subsequent_indent=" " * len(stamp)
            )


def _wrapped(text: str, bullet: str = "") -> list[str]:
    return textwrap.wrap(plain(text), WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet))
