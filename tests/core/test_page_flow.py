"""Test the pages of the check-in: branches, list page, changed answers, and invariants."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro.catalogue import read_instruments
from pro.core.questionnaire.instrument import Value
from pro.core.questionnaire.page_flow import (
    AnswerChange,
    add_implied_answers,
    answer_changes,
    fill_form,
    is_asked,
    items_on_list,
    next_page,
    page_path,
    progress,
)

KNOWN = read_instruments(Path(__file__).resolve().parents[2] / "pro/data/instruments")
CHECKIN, QLQ = KNOWN["npc_checkin"], KNOWN["qlq_c30"]
EXPOSED = {"pd1": True, "selfharm_enabled": False}
NOT_EXPOSED = {"pd1": False, "selfharm_enabled": False}
IRAE = ("weak", "jaundice", "thirst")
PAGES = {page.id: page for page in CHECKIN.pages}


def applied(answers, found):
    after = dict(answers)
    for change in found:
        if change.state == "withdrawn":
            del after[change.item]
        else:
            after[change.item] = change.value
    return after


def answer(answers, facts=EXPOSED, /, **given_values):
    """Return the answers after each item was answered on its own page."""
    for name, value in given_values.items():
        answers = applied(answers, answer_changes(CHECKIN, answers, facts, CHECKIN.page_of(name), {name: value}))
    return answers


def walk(reply, instrument=CHECKIN, facts=EXPOSED, page_set=None):
    """Answer every item by ``reply(item)``; return the pages and the final answers."""
    answers: dict[str, Value | None] = {}
    met: list[str] = []
    while (page := next_page(instrument, answers, facts, page_set)) is not None:
        met.append(page.id)
        assert len(met) <= len(instrument.pages), "this walk does not end"
        values = {name: reply(instrument.items[name]) for name in page.items}
        answers = applied(answers, answer_changes(instrument, answers, facts, page, values))
    return met, answers


def nothing_wrong(item):
    return {"choice": 0, "list": ()}.get(item.kind)


def everything_wrong(item):
    return {"choice": item.codes[-1] if item.codes else None, "list": item.lists}.get(item.kind)


def test_a_participant_without_symptoms_meets_sixteen_pages():
    """Check docs/domain.md 3.2: start + 16 pages + submit = 18 taps."""
    met, answers = walk(nothing_wrong)
    assert met == [
        "bleed",
        "breath",
        "chest",
        "palp",
        "faint",
        "temp",
        "swallow",
        "neuro",
        "nosebleed7",
        "odor",
        "discharge",
        "headache",
        "new_cn",
        "sores",
        "other7",
        "last",
    ]
    assert all(answers[name] == 0 for name in CHECKIN.items["other7"].lists)


def test_someone_with_everything_is_asked_everything_but_self_harm():
    met, _ = walk(everything_wrong)
    assert met == [page.id for page in CHECKIN.pages if page.id != "selfharm"]
    met, _ = walk(everything_wrong, facts={"pd1": True, "selfharm_enabled": True})
    assert met == [page.id for page in CHECKIN.pages]


def test_skipping_everything_ends_and_opens_nothing():
    met, answers = walk(lambda item: None)
    assert len(met) == 16
    assert set(answers.values()) == {None}
    known = add_implied_answers(CHECKIN, answers, EXPOSED)
    assert set(known.values()) == {None}, "nothing is implied by a skipped parent"


def test_the_short_page_set():
    met, _ = walk(everything_wrong, page_set="short")
    assert met == list(CHECKIN.page_sets["short"])


def test_the_questionnaire_is_walked_in_order():
    met, _ = walk(lambda item: item.codes[0], instrument=QLQ)
    assert met == [f"Q{number}" for number in range(1, 31)]


@pytest.mark.parametrize(("facts", "shown"), [(EXPOSED, True), (NOT_EXPOSED, False)])
def test_the_immune_questions_are_for_those_exposed(facts, shown):
    item = CHECKIN.items["other7"]
    assert items_on_list(CHECKIN, item, facts) == item.lists if shown else item.lists[:-3]
    known = add_implied_answers(CHECKIN, {}, facts)
    assert [known.get(name) for name in IRAE] == ([None] * 3 if shown else [0] * 3)


PARENTS = [
    ("bleed", "bleed_now"),
    ("discharge", "tissue"),
    ("headache", "headache_int"),
    ("sores", "sores_int"),
    ("pain", "pain_int"),
    ("rash", "blister"),
]


@pytest.mark.parametrize(("parent", "child"), PARENTS)
def test_a_hidden_child_counts_as_none_only_when_its_parent_says_so(parent, child):
    assert add_implied_answers(CHECKIN, {parent: 0}, EXPOSED)[child] == 0
    assert add_implied_answers(CHECKIN, {parent: 0, child: None}, EXPOSED)[child] == 0
    assert add_implied_answers(CHECKIN, {parent: 0, child: 1}, EXPOSED)[child] == 1, (
        "an answer that is there wins (T08)"
    )
    for answers in ({}, {parent: None}, {parent: 1}):
        assert child not in add_implied_answers(CHECKIN, answers, EXPOSED)
    item = CHECKIN.items[child]
    assert [is_asked(item, answers, EXPOSED) for answers in ({parent: 1}, {parent: 0}, {})] == [True, False, None]


def test_ticks_open_questions_and_the_rest_is_an_explicit_zero():
    found = answer_changes(CHECKIN, {}, NOT_EXPOSED, PAGES["other7"], {"other7": ("rash", "nausea")})
    assert found[0] == AnswerChange("other7", "given", ("nausea", "rash")), "kept in the instrument's order"
    zeros = {change.item for change in found[1:]}
    assert zeros == set(CHECKIN.items["other7"].lists) - {"nausea", "rash", *IRAE}
    assert all(change == AnswerChange(change.item, "given", 0, from_list=True) for change in found[1:])
    met = [page.id for page in page_path(CHECKIN, applied({}, found), NOT_EXPOSED)]
    assert met[-4:] == ["other7", "nausea", "rash", "last"]


def test_a_newly_ticked_item_is_asked_in_full_and_an_answered_one_stays():
    answers = answer({}, other7=("rash",), rash=2, blister=1)
    found = answer_changes(CHECKIN, answers, EXPOSED, PAGES["other7"], {"other7": ("rash", "itch")})
    assert found == (AnswerChange("other7", "given", ("rash", "itch")), AnswerChange("itch", "withdrawn"))
    page = next_page(CHECKIN, {**dict.fromkeys(CHECKIN.groups["block_a"], 0), **applied(answers, found)}, EXPOSED)
    assert page is not None
    assert "itch" in [walked.id for walked in page_path(CHECKIN, applied(answers, found), EXPOSED)]


def test_an_item_ticked_and_answered_with_none_is_not_asked_again():
    answers = answer({}, other7=("itch", "cough"), itch=0)
    found = answer_changes(CHECKIN, answers, EXPOSED, PAGES["other7"], {"other7": ("itch",)})
    assert found == (AnswerChange("other7", "given", ("itch",)), AnswerChange("cough", "given", 0, from_list=True))


def test_unticking_withdraws_what_hangs_on_it():
    answers = answer({}, other7=("rash", "pain"), rash=2, blister=1, pain=3, pain_int=4)
    found = answer_changes(CHECKIN, answers, EXPOSED, PAGES["other7"], {"other7": ("rash",)})
    assert found == (
        AnswerChange("other7", "given", ("rash",)),
        AnswerChange("pain", "given", 0, from_list=True),
        AnswerChange("pain_int", "withdrawn"),
    )


def test_skipping_the_list_takes_back_all_that_it_said():
    answers = answer({}, other7=("rash",), rash=2, blister=1)
    after = answer(answers, other7=None)
    assert after == {"other7": None}
    assert answer_changes(CHECKIN, after, EXPOSED, PAGES["other7"], {"other7": None}) == ()


@pytest.mark.parametrize(("value", "left"), [(0, {}), (None, {}), (3, {"bleed_now": 1})])
def test_a_changed_parent_withdraws_the_child_that_it_hides(value, left):
    answers = answer({}, bleed=2, bleed_now=1, breath=0)
    assert answer(answers, bleed=value) == {"bleed": value, "breath": 0, **left}


def test_what_stands_already_is_no_change():
    answers = answer({}, bleed=2)
    assert answer_changes(CHECKIN, answers, EXPOSED, PAGES["bleed"], {"bleed": 2}) == ()
    assert answer_changes(CHECKIN, {"bleed": None}, EXPOSED, PAGES["bleed"], {"bleed": None}) == ()


def test_the_last_page_may_be_left_empty():
    found = answer_changes(CHECKIN, {}, EXPOSED, PAGES["last"], {"weight": None, "free_text": "没有别的"})
    assert found == (AnswerChange("weight", "skipped"), AnswerChange("free_text", "given", "没有别的"))


@pytest.mark.parametrize(
    ("page", "values"),
    [("bleed", {"breath": 0}), ("bleed", {"bleed": 7}), ("bleed", {"nose": 1}), ("other7", {"other7": ("bleed",)})],
)
def test_a_value_that_its_item_does_not_take_is_refused(page, values):
    with pytest.raises(ValueError, match=next(iter(values))):
        answer_changes(CHECKIN, {}, EXPOSED, PAGES[page], values)


def test_a_list_is_shown_again_when_more_stands_on_it_than_was_answered():
    """Check a first infusion between two form sessions.

    The three new rows of the list were never shown, so they do not count as zero.
    """
    _, answers = walk(nothing_wrong, facts=NOT_EXPOSED)
    assert next_page(CHECKIN, answers, NOT_EXPOSED) is None
    page = next_page(CHECKIN, answers, EXPOSED)
    assert page is not None
    assert page.id == "other7"


def test_progress_counts_what_may_still_come():
    first = progress(CHECKIN, {}, EXPOSED, "bleed")
    assert first.number == 1
    assert 18 <= first.about_left <= 24
    _, answers = walk(nothing_wrong)
    assert [
        (progress(CHECKIN, answers, EXPOSED, page).number, progress(CHECKIN, answers, EXPOSED, page).about_left)
        for page in ("bleed", "other7", "last")
    ] == [(1, 15), (15, 1), (16, 0)]


@st.composite
def replies(draw):
    """Generate a reply for every item: a code, a skip, some ticks."""
    found = {}
    for name, item in CHECKIN.items.items():
        if item.kind == "list":
            found[name] = draw(st.none() | st.sets(st.sampled_from(item.lists)).map(tuple))
        else:
            found[name] = draw(st.none() | st.sampled_from(item.codes)) if item.codes else None
    return found


facts_of_people = st.fixed_dictionaries({"pd1": st.booleans(), "selfharm_enabled": st.booleans()})


@settings(max_examples=60)
@given(replies(), facts_of_people)
def test_every_walk_ends_and_asks_only_what_applies(reply, facts):
    met, answers = walk(lambda item: reply[item.id], facts=facts)
    assert len(met) == len(set(met))
    for page in page_path(CHECKIN, answers, facts):
        for name in page.items:
            assert is_asked(CHECKIN.items[name], answers, facts) is True
            if name in CHECKIN.items["other7"].lists:
                assert name in answers["other7"]
    assert met == [page.id for page in page_path(CHECKIN, answers, facts)]


@settings(max_examples=60)
@given(replies(), replies(), st.lists(st.integers(0, 50), max_size=4), facts_of_people)
def test_changing_one_s_mind_leaves_nothing_unseen_and_twice_is_once(reply, other, places, facts):
    _, answers = walk(lambda item: reply[item.id], facts=facts)
    for place in places:
        asked_now = page_path(CHECKIN, answers, facts)
        page = asked_now[place % len(asked_now)]
        values = {name: other[name] for name in page.items}
        found = answer_changes(CHECKIN, answers, facts, page, values)
        answers = applied(answers, found)
        assert answer_changes(CHECKIN, answers, facts, page, values) == ()
        for child in (name for _, name in PARENTS):
            if child not in page.items:
                assert child not in answers or is_asked(CHECKIN.items[child], answers, facts) is True


def test_a_late_answer_to_a_page_no_longer_asked_is_kept():
    """Check that a stored answer wins, even against its parent (docs/domain.md 3.4.2)."""
    assert answer({"bleed": 0}, bleed_now=1) == {"bleed": 0, "bleed_now": 1}


@settings(max_examples=60)
@given(replies(), facts_of_people)
def test_progress_never_goes_back_and_ends_at_nothing_left(reply, facts):
    met, answers = walk(lambda item: reply[item.id], facts=facts)
    steps = [progress(CHECKIN, answers, facts, page) for page in met]
    assert [step.number for step in steps] == list(range(1, len(met) + 1))
    assert [step.about_left for step in steps] == list(reversed(range(len(met))))


@settings(max_examples=30)
@given(replies(), facts_of_people)
def test_a_whole_form_at_once_is_what_page_by_page_comes_to(reply, facts):
    met, answers = walk(lambda item: reply[item.id], facts=facts)
    said = {name: answers[name] for page in met for name in PAGES[page].items if name in answers}
    for order in (said, dict(reversed(said.items()))):
        filled = fill_form(CHECKIN, {}, facts, order)
        assert (dict(filled.answers), filled.not_asked) == (answers, ())
        assert applied({}, [change for _page, change in filled.changes]) == answers
    assert fill_form(CHECKIN, answers, facts, said).changes == ()


@settings(max_examples=30)
@given(replies(), st.sets(st.sampled_from(sorted(CHECKIN.items))), facts_of_people)
def test_what_is_given_stands_or_is_named_as_not_asked(reply, names, facts):
    said = {name: reply[name] for name in names}
    filled = fill_form(CHECKIN, {}, facts, said)
    for name, value in said.items():
        stands = name in filled.answers and same(filled.answers[name], value)
        assert stands != (name in filled.not_asked)


def test_what_a_list_says_as_well_is_no_contradiction():
    said: dict[str, Value | None] = {"other7": (), "fatigue": 0}
    assert fill_form(CHECKIN, {}, NOT_EXPOSED, said).not_asked == ()
    assert fill_form(CHECKIN, {}, NOT_EXPOSED, said | {"fatigue": 2}).not_asked == ("fatigue",)


def same(one, other):
    """Compare without the order of ticks."""
    return set(one) == set(other) if isinstance(one, tuple) and isinstance(other, tuple) else one == other
