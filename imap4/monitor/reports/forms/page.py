"""A report as one HTML file that loads nothing and needs no script.

The template escapes everything that is put into it; names, banners and messages come from servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.counting.numbers import percent, spelled
from imap4.monitor.reports.counting.periods import at
from imap4.monitor.reports.forms import drawing, words
from imap4.monitor.reports.model import MOST_PLOTS, Report
from imap4.monitor.reports.screen import plain

if TYPE_CHECKING:
    import jinja2

MOST_STORIES = 40
"""Outages of one monitor that are told; the others are counted."""


def render(report: Report) -> str:
    """The page.

    Raises:
        RecordsError: Jinja is not installed.
    """
    page = _template().render(
        report=report,
        words=words,
        drawing=drawing,
        shown=report.subjects[:MOST_PLOTS],
        most_plots=MOST_PLOTS,
        most_stories=MOST_STORIES,
        clock=lambda moment, form="%Y-%m-%d %H:%M:%S": f"{at(moment, report.wish.period.zone):{form}}",
        past=" (before)" if any(each.before for each in report.subjects) else "",
        several=len(report.subjects[0].days) > 1 if report.subjects else False,
    )
    # Lines of the template's own logic are left empty; without them the file is a third smaller.
    return "\n".join(line for line in map(str.strip, page.split("\n")) if line) + "\n"


def _template() -> jinja2.Template:
    try:
        import jinja2
    except ImportError:
        raise RecordsError("the package jinja2 is missing: pip install 'check_imap4[reports]'") from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("imap4.monitor.reports.forms", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.filters.update(percent=percent, spelled=spelled)
    return environment.get_template("page.html")
