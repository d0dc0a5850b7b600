"""From a definition file's bytes to its text, and what to do about text that is not TOML."""

from __future__ import annotations

import codecs
import re
import tomllib
from typing import NamedTuple

from imap4.monitor.definition.line_numbers import twice

_BOMS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_WORDS |= {word: word.lower() for word in ("True", "False", "TRUE", "FALSE")}


class Wrong(NamedTuple):
    """What is wrong with the file as a whole."""

    line: int | None
    text: str


def decoded(data: bytes) -> str | Wrong:
    """The text; UTF-8, as TOML demands. The mark that Windows' editors put before it is taken off."""
    utf16 = next((name for bom, name in _BOMS.items() if data.startswith(bom)), None)
    if utf16 is None and data[1::2].count(0) > len(data) // 4:
        utf16 = "UTF-16LE"
    if utf16:
        return Wrong(1, f"is {utf16}, not UTF-8: save it as UTF-8, or iconv -f {utf16} -t UTF-8 FILE >NEW")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02X}"
        return Wrong(
            line,
            f"is not UTF-8 text (byte {byte}): save the file as UTF-8; where it is Latin-1, "
            "iconv -f LATIN1 -t UTF-8 FILE >NEW",
        )


def explained(error: tomllib.TOMLDecodeError, text: str) -> Wrong:
    """The parser's words, and where they are of no help to a person, what to write instead."""
    where = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", str(error))
    lines = text.split("\n")
    number = int(where[1]) if where and where[1] else len(lines)
    said = str(error)[: where.start()].strip() if where else str(error)
    if "overwrite a value" in said:
        double = twice(text)
        if double:
            return Wrong(
                double.line, f'not valid TOML: "{double.key}" is there twice, also in line {double.before}'
            )
    found = re.match(r"\s*([A-Za-z0-9_.-]+)\s*=\s*(.*?)\s*(?:#.*)?$", lines[number - 1])
    advice = _advice(said, found[1], found[2]) if found else ""
    return Wrong(number, f"not valid TOML: {said}{advice and '; '}{advice}")


def _advice(said: str, key: str, value: str) -> str:
    if value in _WORDS:
        return f"write {key} = {_WORDS[value]}"
    if not value:
        return f"there is nothing after {key} ="
    plain = re.fullmatch(r"[^\"'\[\]{}\\]+", value)
    number = re.match(r"(\d+)\s*[a-z]+$", value)
    if plain and number:
        return f"write the number alone, {key} = {number[1]}"
    if plain and said.startswith(("Invalid value", "Expected newline")):
        return f'put the text in quotes, {key} = "{value}"'
    if "Unescaped" in said or "Reserved escape" in said:
        return "write \\\\ for each backslash"
    if said.startswith("Expected newline"):
        return "quotes go around the whole text, and none of the same kind can be in it"
    return ""
