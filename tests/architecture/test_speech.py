"""The project speaks of itself alone: nothing from elsewhere in pages, nobody's machine, nothing left undone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NOT_OURS = {".git", ".venv", "var", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
# Written in pieces, so that this file does not say them itself.
HOSTS = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.", "deb." + "debian.org", "files." + "python"]
PATHS = [f"/{folder}/" for folder in ("wo" + "rk", "ro" + "ot")]
UNDONE = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}", re.IGNORECASE)
# Names of XML vocabularies: never fetched.
NAMES = re.compile(r"https?://www\.w3\.org/\d{4}/\w+")


@cache
def files() -> list[Path]:
    """Every text file of the project."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        if path.is_file() and NOT_OURS.isdisjoint(inside) and path.suffix not in (".pyc", ".png", ".jpg", ".sqlite3"):
            found.append(path)
    return found


def named(path: Path) -> str:
    """A path as it is written in the project."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", files(), ids=named)
def test_no_machine_and_nothing_undone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [word for word in HOSTS + PATHS if word in text]
    assert not UNDONE.findall(text)


SHOWN = [
    path for path in files() if path.is_relative_to(ROOT / "templates") or path.is_relative_to(ROOT / "pro/static")
]


@pytest.mark.parametrize("path", SHOWN, ids=named)
def test_a_page_asks_nobody_else(path: Path) -> None:
    text = NAMES.sub("", path.read_text(encoding="utf-8"))
    assert not ADDRESS.findall(text)
    assert "@import" not in text


@pytest.mark.parametrize("path", [path for path in SHOWN if path.suffix == ".html"], ids=named)
def test_a_template_trusts_nothing_typed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "|safe" not in text.replace(" ", "")
    assert "autoescape false" not in text
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text), (
        "a script in an attribute is refused by the page's own policy"
    )
    assert not re.search(r"\sstyle\s*=\s*[\"']", text), "a style in an attribute is refused by the page's own policy"
