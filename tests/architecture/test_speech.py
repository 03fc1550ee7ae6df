"""Texts of the project: no address of a foreign host in pages, no path of one machine, nothing left to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.source_files import PRO, ROOT, place, report, text_of

NOT_OURS = {".git", ".venv", "var", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
# Files without text.
BINARY = {".pyc", ".png", ".jpg", ".sqlite3"}
# Written in pieces, so that this file does not contain them.
HOSTS = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.", "deb." + "debian.org", "files." + "python"]
PATHS = [f"/{folder}/" for folder in ("wo" + "rk", "ro" + "ot")]
MACHINES = re.compile("|".join(re.escape(word) for word in HOSTS + PATHS))
UNDONE = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}", re.IGNORECASE)
# Names of XML vocabularies: never fetched.
NAMES = re.compile(r"https?://www\.w3\.org/\d{4}/\w+")
IMPORT = re.compile("@import")
# Markup that is not escaped, and what the policy of the pages (Content-Security-Policy) refuses.
UNSAFE = {
    "text that is not escaped": re.compile(r"\| *safe|autoescape +false"),
    "a script in an attribute": re.compile(r"\son[a-z]+\s*=\s*[\"']"),
    "a style in an attribute": re.compile(r"\sstyle\s*=\s*[\"']"),
}


@cache
def files() -> tuple[Path, ...]:
    """Return every text file of the project."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(set(folders) - NOT_OURS)
        found += [Path(folder, name) for name in sorted(set(names) - NOT_OURS) if Path(name).suffix not in BINARY]
    return tuple(found)


def pages() -> list[Path]:
    """Return the files that browsers and mail programs are sent."""
    found = [path for path in files() if path.is_relative_to(ROOT / "templates") or path.is_relative_to(PRO / "static")]
    assert found
    return found


def matches(path: Path, pattern: re.Pattern[str], text: str) -> Iterator[str]:
    """Yield each match of ``pattern`` in ``text`` with its place."""
    for match in pattern.finditer(text):
        yield f"{place(path, text.count(chr(10), 0, match.start()) + 1)}: {match[0].strip()}"


def test_no_path_of_one_machine_and_nothing_left_to_do() -> None:
    faults = [
        fault for path in files() for pattern in (MACHINES, UNDONE) for fault in matches(path, pattern, text_of(path))
    ]
    assert not faults, report(faults)


def test_pages_load_nothing_from_other_hosts() -> None:
    faults = []
    for path in pages():
        text = NAMES.sub("", text_of(path))
        faults += [*matches(path, ADDRESS, text), *matches(path, IMPORT, text)]
    assert not faults, report(faults)


def test_templates_escape_everything_and_hold_no_script_or_style_in_attributes() -> None:
    faults = []
    for path in pages():
        if path.suffix == ".html":
            for what, pattern in UNSAFE.items():
                faults += [f"{fault} is {what}" for fault in matches(path, pattern, text_of(path))]
    assert not faults, report(faults)
