"""The engine's own web page in a real browser: the status line and the comment, from a hostile server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.nagios.objects import render
from imap4.monitor.engines.nagios.reporter import NagiosReporter
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.engines.report import Report, cleaned
from imap4.monitor.model import Contact, Definition, Monitor
from tests.engines import nagios_core, web
from tests.engines.recorder import Recorder
from tests.engines.scenarios import rules
from tests.engines.servers import MARKUP, Scripted
from tests.engines.test_comments import until

ARTEFACTS = Path(__file__).parents[2] / "build" / "artefacts"
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"></td></table>"

pytestmark = pytest.mark.skipif(web.BROWSER is None, reason="there is no chromium")


@pytest.fixture
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[web.Pages]:
    """The pages of an engine whose only monitor is down, with a comment of a repair."""
    folder = Path(tempfile.mkdtemp(prefix="imap4-web-"))
    server = Scripted([MARKUP] * 50)
    recorder = Recorder(folder / "recorder")
    monitor = Monitor(
        "Mail", "127.0.0.1", "mail", port=server.port, rules=rules(2, 1), contacts=(Contact("admins"),)
    )
    nagios_core.make(folder)
    nagios_core.contact(folder, "admins", "/bin/true")
    programs = Programs(
        check=recorder.check,
        monitor=recorder.program("imap4-monitor", "imap4.monitor.cli"),
        command_file=str(folder / "rw" / "nagios.cmd"),
    )
    write(folder / "objects", render(Definition("web.toml", (monitor,)), programs))
    engine = nagios_core.Nagios(folder)
    shown = web.Pages(folder)
    try:
        engine.start()
        until(lambda: "SERVICE ALERT: mail;Mail;CRITICAL;HARD" in engine.log())
        text = f"restart-service mail1 dovecot: running again after 4.1 s {HOSTILE}"
        NagiosReporter(str(engine.command_file)).send(Report("mail", "Mail", text), Deadline(5))
        status = folder / "status.dat"
        until(lambda: "running again" in status.read_text() and "current_state=2" in status.read_text())
        yield shown
    finally:
        engine.stop()
        shown.close()
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


class Document(HTMLParser):
    """The elements of a page, the text of its scripts, and the cells of its rows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts = ""
        self.rows: list[list[str]] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts += data
        elif self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_the_page_shows_status_line_and_comment_and_nothing_of_the_servers_markup(
    pages: web.Pages, tmp_path: Path
) -> None:
    url = f"{pages.url}/cgi-bin/extinfo.cgi?type=2&host=mail&service=Mail"
    page = Document(web.browse(url, tmp_path / "profile", "--dump-dom"))
    assert "owned" not in page.scripts
    assert not [attributes for _, attributes in page.elements if attributes.get("src") == "x"]
    assert not [attributes for _, attributes in page.elements if "onerror" in attributes]
    (comment,) = (row for row in page.rows if any("running again" in cell for cell in row))
    text = f"restart-service mail1 dovecot: running again after 4.1 s {HOSTILE}"
    assert comment[1:3] == ["imap4-recovery", cleaned(text)]
    assert len(comment) == 8
    (status,) = (row for row in page.rows if row and row[0] == "Status Information:")
    assert status[1].startswith("IMAP4 CRITICAL - ")
    assert len(status) == 2
    # What a person sees, kept for one to look at.
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    picture = ARTEFACTS / "nagios-service.png"
    picture.unlink(missing_ok=True)
    web.browse(url, tmp_path / "profile", f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    assert picture.stat().st_size > 20_000
