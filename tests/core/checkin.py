"""The check-in and its words in both languages, read once for the tests of the ear."""

from __future__ import annotations

from pathlib import Path

from pro.catalogue import read_instruments
from pro.catalogue.words import read_words

ROOT = Path(__file__).resolve().parents[2]
CHECKIN = read_instruments(ROOT / "pro/instruments")["npc_checkin"]
ITEMS = CHECKIN.items
SPOKEN = [
    read_words(ROOT / f"translations/{language}/instruments/npc_checkin.yaml", CHECKIN, language)
    for language in ("zh_Hans", "en")
]
