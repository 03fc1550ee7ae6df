"""Test that a data file with a former key is refused with the present key named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pro.catalogue.instrument_files.structure import InstrumentFile
from pro.catalogue.instrument_files.words import WordsFile
from pro.catalogue.plan_files.plan import PlanFile
from pro.catalogue.plan_files.plan_words import PlanWordsFile
from pro.catalogue.renamed_keys import RENAMED_KEYS
from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file

ROOT = Path(__file__).resolve().parents[2]
FILES: tuple[tuple[Path, type[FilePart]], ...] = (
    (ROOT / "pro/data/plans/npc_reirradiation.yaml", PlanFile),
    (ROOT / "pro/data/instruments/npc_checkin.yaml", InstrumentFile),
    (ROOT / "translations/zh_Hans/plans/npc_reirradiation.yaml", PlanWordsFile),
    (ROOT / "translations/zh_Hans/instruments/npc_checkin.yaml", WordsFile),
)


def with_former_key(former: str, present: str) -> tuple[Path, type[FilePart], str]:
    """Return the first file that has the key ``present``, its model, and its text with ``former`` in that place."""
    for path, model in FILES:
        text, count = re.subn(
            rf"(^ *|[{{,] ?){present}:", rf"\g<1>{former}:", path.read_text("utf-8"), count=1, flags=re.M
        )
        if count:
            return path, model, text
    raise AssertionError(f"no data file has the key {present}")


@pytest.mark.parametrize(("former", "present"), RENAMED_KEYS.items())
def test_a_former_key_is_refused_with_the_present_key_named(former: str, present: str) -> None:
    path, model, text = with_former_key(former, present)
    with pytest.raises(CatalogueError) as refused:
        parse_file(path, model, text)
    place = refused.value.place_and_sentence
    assert re.search(rf"(^|\.){former} \(line \d+\): This key is now called “{present}”: rename it\.", place), place
    assert len(refused.value.problems) == 1, "that the present key is missing needs no line of its own"


@pytest.mark.parametrize(("former", "present"), RENAMED_KEYS.items())
def test_the_files_of_this_project_have_the_present_keys(former: str, present: str) -> None:
    for path, model in FILES:
        parse_file(path, model)
    assert former != present
    assert present not in RENAMED_KEYS, "a key is renamed once, to the name it has now"


def test_an_unknown_key_that_never_had_a_meaning_is_refused_as_before(tmp_path: Path) -> None:
    path, model = FILES[0]
    text = path.read_text("utf-8") + "\nunheard_of: 1\n"
    with pytest.raises(CatalogueError, match=r"unheard_of.*Extra inputs are not permitted"):
        parse_file(path, model, text)
