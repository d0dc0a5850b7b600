"""Argument lists for the event handler, drawn: as they are rendered, and as they are not."""

from __future__ import annotations

from hypothesis import strategies as st

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0'\"`~$&|<>\n"), max_size=12)
"""What Nagios lets into a name or a macro with its usual illegal_object_name_chars."""
_WORD = TEXT.filter(lambda text: not text.startswith("-"))
_SECONDS = st.integers(1, 100_000).map(str)
_FEW = st.integers(0, 30).map(str)
_COUNT = st.one_of(
    st.sampled_from(["-", "left", "nonsense", ""]),
    st.from_regex(r"[0-9]{1,3}:[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}:[01]:[0-9]{0,3}", fullmatch=True),
)
_TOLD = {
    "state": st.sampled_from(["OK", "WARNING", "CRITICAL", "UNKNOWN"]),
    "number": st.one_of(st.just(""), _FEW),
    "notice": st.one_of(st.just(""), _FEW, st.uuids().map(str)),
    "problem": st.one_of(st.just(""), _FEW),
    "downtime": st.one_of(st.just(""), _FEW),
    "host-downtime": st.one_of(st.just(""), _FEW),
    "host-state": st.sampled_from(["UP", "DOWN", "UNREACHABLE", ""]),
    "host-state-type": st.sampled_from(["HARD", "SOFT", ""]),
    "count": _COUNT,
    "retention": st.sampled_from(["", "/nowhere/retention.dat"]),
}


@st.composite
def rendered(draw: st.DrawFn, path: str = "/nowhere/nagios.cmd") -> list[str]:
    """As ``imap4-monitor render`` writes it, with the macros filled in."""
    words = ["--command-file", path, "--interval-length", draw(st.sampled_from(["1", "60"]))]
    words += ["--host", draw(_WORD), "--service", draw(_WORD)]
    for name in ("up", "warn", "down", "lost", "failures", "alerts", "wrap"):
        words += [f"--{name}", draw(_SECONDS if name in ("up", "warn", "down", "lost") else _FEW)]
    words += ["--duration", draw(st.sampled_from(["10", "0.5", "7."]))]
    return words + [f"--{name}={draw(value)}" for name, value in _TOLD.items()]


@st.composite
def argument_lists(draw: st.DrawFn, path: str = "/nowhere/nagios.cmd") -> list[str]:
    """Rendered ones, most with something changed."""
    words = draw(rendered(path))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(words) - 1))
        what = draw(st.sampled_from(["drop", "double", "value", "word", "swap"]))
        if what == "drop":
            del words[place]
        elif what == "double":
            words.insert(place, words[place])
        elif what == "value":
            odd = st.sampled_from(["", "-", "--", "-1", "1e3", " 5", "+5", "\u0663", "9" * 20, "nan", "x y"])
            name, equals, _ = words[place].partition("=")
            words[place] = name + equals + draw(odd) if equals else draw(odd)
        elif what == "word":
            words.insert(place, draw(st.sampled_from(["--help", "-h", "--up=3", "--sta=OK", "more", "--"])))
        else:
            words[place], words[-1] = words[-1], words[place]
    return words
