"""Test JSON columns: the core's values are stored and read unchanged, on both engines."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from pro.core.questionnaire import json_values
from pro.core.questionnaire.instrument import Item
from pro.models import Answer
from tests.support import form_browser

CHOICE = Item("bleed", "choice", "hours24", codes=(0, 1, 9))
NUMBER = Item("weight", "number", "now", minimum=Decimal(25), maximum=Decimal(250), decimals=1)
TEXT = Item("free_text", "text", "days7", max_length=500)
LIST = Item("other7", "list", "days7", lists=("a", "b"))


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (CHOICE, 0),
        (CHOICE, 9),
        (CHOICE, None),
        (NUMBER, Decimal("61.5")),
        (NUMBER, Decimal("100")),
        (NUMBER, Decimal("0.1")),
        (NUMBER, Decimal("1E+2")),
        (NUMBER, None),
        (TEXT, ""),
        (TEXT, '血 “…” \\ "x" 🩸\n\t'),
        (TEXT, "0"),
        (TEXT, "null"),
        (LIST, ()),
        (LIST, ("a",)),
        (LIST, ("b", "a")),
        (LIST, None),
    ],
)
def test_a_value_comes_back_as_it_was(any_clinic, item, value):
    kept = json_values.store_value(value)
    assert json_values.read_value(item, json.loads(json.dumps(kept))) == value
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.add(
            Answer(
                assessment_id=any_clinic.checkin.assessment_id,
                item=item.id,
                state="given",
                value=kept,
                language="en",
                channel="web",
                answered_by="self",
                at=work.now,
            )
        )
    (row,) = any_clinic.rows(Answer)
    back = json_values.read_value(item, row.value)
    assert (back, type(back)) == (value, type(value))


def test_no_value_is_sql_null_and_never_the_word(any_clinic):
    any_clinic.start().save(bleed=None)
    with any_clinic.app_context.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM answer WHERE value IS NULL").scalar_one() == 1


@pytest.mark.parametrize("instrument", ["npc_checkin", "qlq_c30"])
@pytest.mark.parametrize("language", ["zh_Hans", "en"])
def test_words_come_back_as_they_were(catalogue, instrument, language):
    own = catalogue.words[instrument, language]
    # What participants type and what staff call the form belong to the program, not to a licensed text.
    items = {name: replace(item, synonyms={}, other_names=()) for name, item in own.items.items()}
    words = replace(own, items=items, staff_title="")
    assert json_values.read_words(json.loads(json.dumps(json_values.store_words(words)))) == words
