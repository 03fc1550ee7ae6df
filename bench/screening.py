"""Screening of 1,000 characters: everyday texts, red flags only, and the worst known text.

Each figure is the shortest of many runs, so that other processes do not count.
"""

from __future__ import annotations

import csv
import random
import time
from pathlib import Path

from bench.figures import Measurement, report
from pro.catalogue.lexicon_files import read_lexicon
from pro.core.text.red_flag_screening import screen

ROOT = Path(__file__).parent.parent
LEXICON = ROOT / "pro" / "data" / "lexicons" / "npc_freetext.yaml"
CASES = ROOT / "tests" / "data" / "freetext_more.csv"
SIZE, RUNS, BOUND = 1000, 100, 2.0
EVERYDAY = {
    "everyday Chinese": "今天早上喝了一碗粥，去公园走了走，天气很好。下午睡了一会儿，孩子来看我，心情不错。",
    "everyday English": "I had porridge this morning and went for a walk. It was nice out. My son came to see me. ",
}
# Repeated, each starts many terms at every position. Found by a search over the words of the lexicon.
WORST = ("大量流血不止", "左边手突然没力", "can not ", "流血流", "出出出血", "血水吞不下", "没停", "not ")


def texts() -> dict[str, str]:
    """Return name -> text of 1,000 characters, of everyday words or sentences of the tests."""
    with CASES.open(encoding="utf-8", newline="") as file:
        cases = [row["text"] for row in csv.DictReader(file) if len(row["text"]) > 3]
    random.Random(1).shuffle(cases)
    chinese, english = ([text for text in cases if text.isascii() == ascii_only] for ascii_only in (False, True))
    found = {name: text * SIZE for name, text in EVERYDAY.items()}
    found["Chinese, nothing but red flags"] = "，".join(chinese)
    found["English, nothing but red flags"] = ". ".join(english)
    found["both languages, nothing but red flags"] = " ".join(cases)
    return {name: text[:SIZE] for name, text in found.items()}


def best_time(text: str) -> float:
    """Return the milliseconds of the fastest of RUNS screenings of ``text``."""
    lexicon = read_lexicon(LEXICON)
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        screen(text, lexicon)
        taken.append(time.perf_counter() - start)
    return min(taken) * 1000


def measure() -> list[Measurement]:
    """Measure each kind of text; the worst text has no bound."""
    found = [
        Measurement(f"Screening {SIZE:,} characters, {name}", best_time(text), "ms", BOUND)
        for name, text in texts().items()
    ]
    worst = max((best_time((piece * SIZE)[:SIZE]), piece.strip()) for piece in WORST)
    return [*found, Measurement(f"The same, the worst that we know: “{worst[1]}” over and over", worst[0], "ms")]


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    main()
