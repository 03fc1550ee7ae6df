"""Test answers: stored as given, never lost or changed, however often and wherever saved."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pro.core.questionnaire.scoring import ALGORITHM
from pro.core.rule_language.level import Level
from pro.errors import AlreadySubmitted, BadData
from pro.features.assessments import answer_service
from pro.features.forms import form_access, form_state
from pro.models import Answer, Assessment, Score
from tests.support import form_browser
from tests.support.alert_clinic import Clinic

LISTED = (
    "hearing tinnitus pain dry_mouth trismus skin nausea vomit diarrhea stool_blood appetite fatigue cough rash itch "
    "weak jaundice thirst"
).split()


def states(clinic: Clinic, item: str) -> list[tuple[str, Any]]:
    return [(row.state, row.value) for row in clinic.rows(Answer) if row.item == item]


def test_an_answer_is_kept_with_everything_that_is_known_about_it(any_clinic, clock):
    any_clinic.start(answered_by="helped", language="en").save(bleed=2)
    (row,) = any_clinic.rows(Answer)
    assert (row.item, row.state, row.value, row.source) == ("bleed", "given", 2, "asked")
    assert (row.language, row.channel, row.answered_by, row.at) == ("en", "web", "helped", clock.now)
    (event,) = any_clinic.events("answers.saved")
    assert (event.actor, event.actor_id, event.old, event.new) == (
        "participant",
        any_clinic.participant_id,
        None,
        {"bleed": ["given", 2]},
    )


def test_the_same_page_again_adds_nothing(any_clinic):
    phone = any_clinic.start()
    assert phone.save(bleed=0).changed
    before = len(any_clinic.rows(Answer))
    for _ in range(3):
        assert not phone.save(bleed=0).changed
    assert len(any_clinic.rows(Answer)) == before
    assert len(any_clinic.events("answers.saved")) == 1


def test_a_skip_is_an_answer_of_nothing_and_may_be_repeated(clinic):
    phone = clinic.start()
    assert phone.save(bleed=None).changed
    assert not phone.save(bleed=None).changed
    assert states(clinic, "bleed") == [("skipped", None)]
    assert phone.form().answers == {"bleed": None}
    assert phone.form().page(phone.form().next_position()).id == "breath"


def test_a_change_adds_a_row_and_the_old_one_stays(clinic, clock):
    phone = clinic.start()
    phone.save(bleed=0)
    clock.move(minutes=1)
    phone.save(bleed=1)
    assert states(clinic, "bleed") == [("given", 0), ("given", 1)]
    (_first, second) = clinic.events("answers.saved")
    assert (second.old, second.new) == ({"bleed": 0}, {"bleed": ["given", 1]})
    assert phone.form().answers == {"bleed": 1}


def test_an_answer_that_a_changed_parent_hides_is_withdrawn_and_comes_back_only_when_asked_again(clinic):
    phone = clinic.start()
    phone.save(bleed=1, bleed_now=0)
    phone.save(bleed=0)
    assert states(clinic, "bleed_now") == [("given", 0), ("withdrawn", None)]
    assert phone.form().answers == {"bleed": 0}
    phone.save(bleed=1)
    assert phone.form().answers == {"bleed": 1}
    assert phone.form().page(phone.form().next_position()).id == "bleed_now"


def test_a_skipped_parent_asks_no_child_and_implies_nothing(clinic):
    phone = clinic.start()
    phone.save(bleed=None)
    with pytest.raises(BadData) as refused:
        phone.save(bleed_now=1)
    assert refused.value.why == "page_not_asked"


def quiet_until_the_list(phone: form_browser.FormBrowser) -> None:
    phone.finish_until("other7")


def test_the_list_page_settles_what_is_not_ticked_and_asks_what_is(clinic):
    phone = clinic.start()
    quiet_until_the_list(phone)
    phone.save(other7=("nausea", "fatigue"))
    rows = {row.item: row for row in clinic.rows(Answer)}
    assert (rows["other7"].value, rows["other7"].source) == (["nausea", "fatigue"], "asked")
    for item in LISTED:
        if item in ("nausea", "fatigue"):
            assert item not in rows
        else:
            assert (rows[item].value, rows[item].state, rows[item].source) == (0, "given", "other7")
    assert [page.id for page in phone.form().path if page.id in LISTED] == ["nausea", "fatigue"]
    phone.save(nausea=3)
    phone.save(other7=())
    assert states(clinic, "nausea") == [("given", 3), ("given", 0)]
    assert clinic.alerts()["U15"].level == Level.URGENT


def test_skipping_the_list_says_nothing_about_its_items(clinic):
    phone = clinic.start()
    quiet_until_the_list(phone)
    phone.save(other7=None)
    assert not set(LISTED) & set(phone.form().answers)
    phone.save(other7=())
    assert {item: phone.form().answers[item] for item in LISTED} == dict.fromkeys(LISTED, 0)
    phone.save(other7=None)
    assert not set(LISTED) & set(phone.form().answers)
    assert states(clinic, "pain") == [("given", 0), ("withdrawn", None)]


def test_someone_who_never_had_the_drug_is_not_asked_for_its_harms(clinic):
    clinic.mark("pd1_exposed", False)
    phone = clinic.start()
    quiet_until_the_list(phone)
    phone.save(other7=())
    assert not {"weak", "jaundice", "thirst"} & set(phone.form().answers)
    with pytest.raises(BadData):
        phone.save(weak=1)


def test_numbers_and_texts_come_back_exactly(any_clinic):
    phone = any_clinic.start()
    quiet_until_the_list(phone)
    words = "鼻子里有怪味 🩸 \"quoted\" 'single' \\ % %(x)s {} <b>"
    phone.save(other7=())
    phone.page("last", {"weight": Decimal("61.50"), "free_text": words})
    answers = phone.form().answers
    assert answers["weight"] == Decimal("61.5")
    assert isinstance(answers["weight"], Decimal)
    assert answers["free_text"] == words


@pytest.mark.parametrize(
    ("page", "given", "why"),
    [
        ("bleed", {"bleed": 5}, "answer_not_accepted"),
        ("bleed", {"bleed": -1}, "answer_not_accepted"),
        ("bleed", {"bleed": "1"}, "answer_not_accepted"),
        ("bleed", {"bleed": True}, "answer_not_accepted"),
        ("bleed", {"bleed": Decimal(1)}, "answer_not_accepted"),
        ("bleed", {"bleed": ("bleed",)}, "answer_not_accepted"),
        ("bleed", {"breath": 0}, "answer_not_accepted"),
        ("bleed", {"nonsense": 0}, "answer_not_accepted"),
        ("temp", {"temp": 4}, "answer_not_accepted"),
        ("other7", {"other7": ("bleed",)}, "answer_not_accepted"),
        ("other7", {"other7": ("pain", "pain")}, "answer_not_accepted"),
        ("last", {"weight": Decimal("24.9")}, "answer_not_accepted"),
        ("last", {"weight": Decimal("NaN")}, "answer_not_accepted"),
        ("last", {"free_text": "x" * 501}, "answer_not_accepted"),
        ("bleed_now", {"bleed_now": 1}, "page_not_asked"),
        ("selfharm", {"selfharm": 2}, "page_not_asked"),
        ("nowhere", {"bleed": 0}, "page_not_asked"),
        ("", {}, "page_not_asked"),
    ],
)
def test_what_cannot_be_taken_has_a_name_and_leaves_nothing_behind(clinic, page, given, why):
    phone = clinic.start()
    with pytest.raises(BadData) as refused:
        phone.page(page, given)
    assert refused.value.why == why
    assert clinic.rows(Answer) == []
    assert clinic.alerts() == {}


def test_nothing_is_saved_or_sent_before_start(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        found = form_access.enter_code(work, clinic.checkin.code, "10.0.0.1", "phone", "en")
    assert found.secret is not None
    early = form_browser.FormBrowser(clinic.app_context, clinic.checkin, found.secret, "en")
    for act in (lambda: early.save(bleed=4), early.submit):
        with pytest.raises(BadData) as refused:
            act()
        assert refused.value.why == "not_started"
    assert clinic.rows(Answer) == []


def test_nothing_is_saved_after_sending_and_sending_twice_is_harmless(any_clinic, clock):
    phone = any_clinic.start()
    phone.finish(bleed=1)
    sent_at, answers, events = clock.now, len(any_clinic.rows(Answer)), len(any_clinic.events("assessment.submitted"))
    clock.move(minutes=3)
    phone.submit()
    other = any_clinic.start()
    with pytest.raises(AlreadySubmitted):
        other.save(breath=3)
    other.submit()
    assert any_clinic.rows(Assessment)[0].submitted_at == sent_at
    assert (len(any_clinic.rows(Answer)), len(any_clinic.events("assessment.submitted"))) == (answers, events)


def test_another_device_goes_on_where_the_answers_end(clinic, clock):
    clinic.start().save(bleed=1, bleed_now=0, breath=0)
    clock.move(hours=5)
    tablet = clinic.start(language="en")
    assert tablet.form().page(tablet.form().next_position()).id == "chest"
    tablet.save(chest=0)
    tablet.page("bleed", {"bleed": 1}, "zh_Hans")
    assert [row.language for row in clinic.rows(Answer)] == ["zh_Hans"] * 3 + ["en"]
    assert clinic.rows(Assessment)[0].language == "en"


def test_the_times_of_a_form(clinic, clock):
    opened = clock.now
    phone = clinic.start()
    first = clock.move(minutes=1)
    phone.save(bleed=0)
    last = clock.move(minutes=1)
    phone.save(breath=0)
    clock.move(minutes=1)
    phone.save(breath=0)
    form = clinic.rows(Assessment)[0]
    assert (form.opened_at, form.first_answer_at, form.last_answer_at) == (opened, first, last)
    assert form.status == "started"


# --- two devices at the same moment ----------------------------------------------------------------------------------


def test_the_same_page_from_many_threads_is_one_answer_and_one_alert(any_clinic):
    phones = [any_clinic.start() for _ in range(4)]
    form_browser.run_concurrently(*(lambda phone=phone: phone.save(bleed=4) for phone in phones))
    assert states(any_clinic, "bleed") == [("given", 4)]
    assert sorted(any_clinic.alerts()) == ["E01", "U01"]
    assert len(any_clinic.mails()) == 2
    assert len(any_clinic.events("alert.raised")) == 2


def test_different_pages_from_many_threads_are_all_kept(any_clinic):
    phones = [any_clinic.start() for _ in range(6)]
    said = {"breath": 3, "chest": 0, "palp": 2, "faint": 1, "temp": 9, "swallow": 4}
    form_browser.run_concurrently(
        *(
            lambda phone=phone, item=item: phone.save(**{item: said[item]})
            for phone, item in zip(phones, said, strict=True)
        )
    )
    assert phones[0].form().answers == said
    assert {"E03", "E08", "U04", "U05", "U06"} <= set(any_clinic.alerts())
    assert len({(alert.source, alert.rule) for alert in any_clinic.alerts().values()}) == len(
        any_clinic.events("alert.raised")
    )


def test_different_answers_to_one_page_leave_both_rows_and_the_highest_alert(any_clinic):
    first, second = any_clinic.start(), any_clinic.start()
    form_browser.run_concurrently(lambda: first.save(bleed=4), lambda: second.save(bleed=0))
    assert sorted(value for _state, value in states(any_clinic, "bleed")) == [0, 4]
    assert any_clinic.alerts()["E01"].level == Level.EMERGENCY


def test_sending_and_answering_at_once_loses_nothing(any_clinic):
    first, second = any_clinic.start(), any_clinic.start()
    first.save(bleed=0)
    refused: list[str] = []

    def answer() -> None:
        try:
            second.save(breath=3)
        except AlreadySubmitted as error:
            refused.append(error.why)

    form_browser.run_concurrently(first.submit, answer)
    kept = states(any_clinic, "breath")
    assert (kept, refused) in [([("given", 3)], []), ([], ["submitted"])]
    assert ("E03" in any_clinic.alerts()) is bool(kept)


# --- scores and the last page ----------------------------------------------------------------------------------------


def qlq(clinic: Clinic, **said: int | None) -> form_browser.FormBrowser:
    phone = clinic.start(clinic.qlq)
    phone.finish(**said)
    return phone


def test_scores_are_kept_with_what_they_were_made_of(any_clinic, clock):
    qlq(any_clinic, Q1=None, Q2=None, Q3=None, Q29=7, Q30=None)
    rows = {row.scale: row for row in any_clinic.rows(Score)}
    assert len(rows) == 16
    assert {row.algorithm for row in rows.values()} == {ALGORITHM}
    assert {row.at for row in rows.values()} == {clock.now}
    assert (rows["PF"].value, rows["PF"].raw, rows["PF"].used, rows["PF"].of) == (None, None, 2, 5)
    assert (rows["QL"].value, rows["QL"].raw, rows["QL"].used, rows["QL"].of) == (100.0, 7.0, 1, 2)
    assert (rows["FA"].value, rows["FA"].used, rows["FA"].of) == (0.0, 3, 3)
    assert (rows["C30SUMMARY"].value, rows["C30SUMMARY"].used) == (None, 12)


def test_full_precision_is_kept(any_clinic):
    qlq(any_clinic, Q10=2)
    fatigue = next(row for row in any_clinic.rows(Score) if row.scale == "FA")
    assert fatigue.value == 100 / 9


def test_sending_twice_scores_once(clinic):
    phone = qlq(clinic)
    phone.submit()
    assert len(clinic.rows(Score)) == 16


def test_a_check_in_has_no_scores(clinic):
    clinic.start().finish()
    assert clinic.rows(Score) == []


def test_the_last_page_counts_questions_not_rows(clinic):
    phone = clinic.start()
    phone.finish(bleed=None, discharge=1, tissue=0, other7=("pain",), pain=1, pain_int=None)
    outcome = phone.outcome()
    asked = [page for page in phone.form().path for _item in page.items]
    assert outcome.answered + outcome.skipped == len(asked) - 2  # the two optional fields left blank do not count
    assert outcome.skipped == 2  # bleed, pain_int
    assert outcome.submitted_at is not None
    assert outcome.level is Level.WATCH  # M01: a question of block A was skipped


def test_the_last_page_shows_the_highest_current_level(clinic):
    phone = clinic.start()
    assert phone.save(odor=3).level is Level.URGENT
    assert phone.save(odor=0).level is Level.URGENT
    phone.finish()
    assert phone.outcome().level is Level.URGENT


def test_a_form_read_before_is_not_trusted_over_another_forms_answers(clinic):
    """Check that another form's answers are read again, not taken from a form read before.

    The form that a request has just read may be passed on: it is locked, so it is the newest.
    """
    phone = clinic.start()
    phone.save(bleed=1)
    with phone.open_session() as (work, here):
        read = form_state.read_form(work, here, "en")
        saved = answer_service.save_answers(work, here, "bleed", {"bleed": 2}, "en", read)
    assert saved.form.answers == {"bleed": 2}
    assert saved.form.path[1].id == "bleed_now"
