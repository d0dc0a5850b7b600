"""The HTML report in a real Chromium, by what it shows: numbers, stories, plots; on a phone, in the dark."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import web
from tests.unit.imap4.monitor.records.writing import NOON, line, write

pytestmark = pytest.mark.skipif(web.BROWSER is None, reason="there is no chromium")

HOSTILE = "</title><script>document.title='taken'</script><img src=x onerror=alert(1)>"
DEFINITION = f"""
[defaults]
contacts = ["admins"]
[[monitor]]
name = {json.dumps(HOSTILE[:64])}
id = "Mail"
address = "mail"
[[monitor]]
name = "Fine"
address = "mail2"
"""

# What a page looks like is asked by a script, in a copy that may run one; the report itself has none.
ASKING = """<script>addEventListener("load", () => {
const all = (selector) => [...document.querySelectorAll(selector)];
const seen = (selector) => all(selector).map((each) => each.getBoundingClientRect());
parent.postMessage(JSON.stringify({
  text: document.body.innerText, wide: document.documentElement.scrollWidth, room: innerWidth,
  paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
  titles: all("svg title").map((each) => each.textContent),
  days: seen(".strip path").map((box) => [Math.round(box.width), Math.round(box.height)]),
  line: seen(".median").map((box) => Math.round(box.width)), shades: seen(".shade").length,
  foreign: document.querySelectorAll("script, img, iframe, link, object, embed").length - 1,
  heads: getComputedStyle(document.querySelector("thead")).position,
}), "*"); });</script>"""
AROUND = """<!DOCTYPE html><title>waiting</title>
<iframe src="copy.html" style="width:{width}px;height:900px"></iframe>
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script>"""


@pytest.fixture(scope="module")
def page() -> Iterator[Path]:
    """A report of two days; the second monitor has nothing but good tests."""
    with tempfile.TemporaryDirectory(prefix="imap4-page-") as name:
        folder = Path(name)
        failed = range(200, 207)
        said = "IMAP4 CRITICAL - mail:143 <script>alert(2)</script> & more"
        for number in range(576):
            moment = NOON - 43200 + 300 * number
            text = line(moment, 2 * (number in failed), cause="greeting.bye" if number in failed else "")
            text = text.replace("IMAP4 CRITICAL - mail:143 connection refused", said)
            write(folder / "records", [(moment, text), (moment, line(moment, 0, "Fine"))])
        (folder / "monitors.toml").write_text(DEFINITION)
        (folder / "history.json").write_text("[]")
        command = [sys.executable, "-m", "imap4.monitor.cli", "report", "-f", str(folder / "monitors.toml")]
        command += [
            "--records",
            str(folder / "records"),
            "--store",
            str(folder / "store"),
            "--timezone",
            "UTC",
        ]
        command += ["--from", "2026-10-05", "--to", "2026-10-07", "--target", "99.9", "--format", "html"]
        command += ["--repairs", str(folder / "history.json"), "-o", str(folder / "report.html")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
        yield folder / "report.html"


def shown(page: Path, width: int, *options: str, asking: str = ASKING) -> dict[str, Any]:
    """What Chromium shows of the page at a width."""
    text = page.read_text()
    copy = text.replace('<meta http-equiv="Content-Security-Policy"', '<meta name="no-policy"')
    assert copy != text
    page.with_name("copy.html").write_text(copy.replace("</body>", asking + "</body>"))
    page.with_name("around.html").write_text(AROUND.format(width=width))
    with tempfile.TemporaryDirectory(prefix="imap4-chromium-") as profile:
        dom = web.browse(f"file://{page.with_name('around.html')}", Path(profile), "--dump-dom", *options)
    found = re.search("<title>(.*?)</title>", dom, re.DOTALL)
    assert found
    assert found[1] != "waiting"
    answer: dict[str, Any] = json.loads(html.unescape(found[1]))
    return answer


def test_it_shows_the_numbers_and_the_story_as_text_and_runs_nothing(page: Path) -> None:
    found = shown(page, 1280)
    text = " ".join(found["text"].split())
    assert "1 of 2 monitors met 99.9 %" in text
    assert "98.78 %, 35 min down in 1 outage" in text
    assert f"1. {HOSTILE[:64]}" in text
    assert "05 Oct 16:40:00 IMAP4 CRITICAL - mail:143 <script>alert(2)</script> & more [greeting.bye]" in text
    for step in ("05 Oct 16:50:00 alert 1 due to admins", "05 Oct 17:15:00 the test passes again"):
        assert step in text
    assert found["foreign"] == 0
    assert found["wide"] <= found["room"]
    # Plots are there: two days in each strip, lines across the page, and the outage as a shade.
    assert len(found["days"]) == 3
    assert [height for _, height in found["days"]] == [7, 16, 16]
    assert len(found["line"]) == 2
    assert min(found["line"]) > 900
    assert found["shades"] == 1
    assert "2 days: 1 all up, 1 down for more than 1 %" in found["titles"]
    assert any(
        each.startswith("Half of the tests took less than 20.0 ms, and no time") for each in found["titles"]
    )


def test_a_phone_shows_rows_as_cards_and_scrolls_down_only(page: Path) -> None:
    found = shown(page, 375)
    assert found["wide"] <= found["room"] == 375
    assert found["heads"] == "absolute"
    assert "98.78 %" in found["text"]


def test_dark_is_dark_and_light_is_light(page: Path) -> None:
    light, dark = (shown(page, 1280, f"--blink-settings=preferredColorScheme={number}") for number in (1, 0))
    assert (light["paper"], light["ink"]) == ("rgb(255, 255, 255)", "rgb(27, 31, 36)")
    assert (dark["paper"], dark["ink"]) == ("rgb(20, 24, 29)", "rgb(230, 234, 238)")


def test_it_loads_nothing_and_has_no_script(page: Path) -> None:
    text = page.read_text()
    assert not re.findall(r"(?i)<script|javascript:|\son[a-z]+=|@import|<link|<img|<iframe|https?://", text)
    assert set(re.findall(r"url\([^)]*\)", text)) == {"url(#hatch)"}
    assert set(re.findall(r'(?:href|src)="([^"]*)"', text)) == {"#m1", "#m2"}
    assert "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"" in text


def printed(page: Path, *options: str) -> list[str]:
    """The text of each page, as Chromium prints the report."""
    target = page.with_name("report.pdf")
    with tempfile.TemporaryDirectory(prefix="imap4-chromium-") as profile:
        web.browse(
            f"file://{page}",
            Path(profile),
            "--no-pdf-header-footer",
            f"--print-to-pdf={target}",
            *options,
        )
    read = subprocess.run(
        ["pdftotext", "-layout", str(target), "-"], capture_output=True, text=True, timeout=60
    )
    assert read.returncode == 0, read.stderr
    return [" ".join(each.split()) for each in read.stdout.split("\f")[:-1]]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="there is no pdftotext (poppler-utils)")
def test_the_printed_pages_hold_every_column_and_step_and_none_is_empty(page: Path) -> None:
    pages = printed(page)
    assert len(pages) <= 3
    assert all(len(each) > 200 for each in pages)
    # The whole width of the table: its heads, in the order of the columns, and the last column's figure.
    for head in ("Availability", "Error budget", "Coverage", "Outages", "Longest", "proven", "days left"):
        assert head in pages[0]
    assert re.search(r"98\.78 % .*? 35 min - 10\.0 10\.0 30 ", pages[0])
    assert "Fine (2)" in pages[0]
    text = " ".join(pages)
    for step in (
        "05 Oct 16:40:00 IMAP4 CRITICAL - mail:143 <script>alert(2)</script> & more [greeting.bye]",
        "05 Oct 16:50:00 alert 1 due to admins",
        "05 Oct 17:15:00 the test passes again",
        "How it was counted",
    ):
        assert step in text


COLOURS = """<script>addEventListener("load", () => {
const of = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
const on = (selector) => [of(selector, "color"), of("body", "backgroundColor")];
const cell = (kind) => [of(`.onday.${kind}`, "fill"), of(`rect.${kind}`, "fill")];
parent.postMessage(JSON.stringify({
  missed: on(".missed"), soft: on(".soft"), heads: on("th"), time: on("ol.story time"), text: on("h1"),
  plot: [of("svg.plot text", "fill"), of("body", "backgroundColor")], good: cell("good"), bad: cell("bad"),
}), "*"); });</script>"""


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.2, section "contrast ratio")."""

    def light(colour: str) -> float:
        parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((light(one), light(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [1, 0], ids=["light", "dark"])
def test_every_text_has_the_contrast_that_weak_eyes_need(page: Path, scheme: int) -> None:
    found = shown(page, 1280, f"--blink-settings=preferredColorScheme={scheme}", asking=COLOURS)
    ratios = {name: round(contrast(*pair), 2) for name, pair in found.items()}
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


def test_headings_are_in_their_order_and_every_picture_has_words(page: Path) -> None:
    text = page.read_text()
    levels = [int(each) for each in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for picture in re.findall(r"<svg\b.*?</svg>", text, re.DOTALL):
        assert re.search(r'aria-hidden="true"', picture) or re.search(
            r"<title[^>]*>[^<]{10,}</title>", picture
        )
    assert re.search(r'<html lang="en">', text)
