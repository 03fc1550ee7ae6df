"""An alert is taken over, judged and signed, and closed: what is refused, and what becomes of two who act at once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from pro.errors import BadData, NotAllowed
from pro.features.accounts import signatures
from pro.features.accounts.signatures import Confirmed
from pro.features.adverse_events import event_log, gradings
from pro.features.adverse_events.gradings import Judged, Judgement
from pro.features.alerts import alert_handling, known_stable
from pro.features.alerts.alert_handling import Closed
from pro.models import AdverseEvent, Alert, Assessment, Closing, Grading, Handover, Participant, Signature
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Account

TODAY = date(2026, 3, 2)
GRADED = Judgement(
    term="epistaxis", onset_on=TODAY, grade=3, attribution=("radiotherapy",), serious=False, action="packed"
)
NONE = Judgement(none_reason="wrong_answer")


def bleeding(ward: Ward) -> str:
    """An urgent alert that the nurse took on."""
    ward.start().save(bleed=2, bleed_now=0)
    ward.acknowledge()
    return ward.rows(Alert)[0].source


def judge(ward: Ward, said: Judgement, source: str = "", seen: int | None = None) -> Judged:
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        proof = signatures.confirm(work, factories.PASSWORD)
        assert isinstance(proof, Confirmed)
        known = gradings.newest_grading(work, person.id) if seen is None else seen
        return gradings.judge(work, proof, person, said, seen=known, source=source)


def close(ward: Ward, source: str, by: Account, disposition: str = "outpatient", **more: Any) -> Closed:
    with form_browser.working(ward.house, by.actor) as work:
        shown = more.pop("shown", [alert.id for alert in ward.rows(Alert)] if "shown" not in more else [])
        return alert_handling.close(work, source, shown, disposition, **more)


def refused(ward: Ward, said: Judgement) -> dict[str, str]:
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        return gradings.judgement_problems(work, work.session.get_one(Participant, ward.participant_id), said)


def ids(ward: Ward) -> list[int]:
    return [alert.id for alert in ward.rows(Alert)]


# --- a judgement -----------------------------------------------------------------------------------------------------


def test_a_grading_is_kept_signed_and_audited_with_its_alert(any_ward):
    source = bleeding(any_ward)
    done = judge(any_ward, GRADED, source)
    (row,), (event,), (signature,) = (any_ward.rows(model) for model in (Grading, AdverseEvent, Signature))
    assert done == Judged(True, event.id)
    assert (row.grade, row.from_on, row.source, row.attribution) == (3, TODAY, source, ["radiotherapy"])
    assert (signature.subject, signature.subject_id, signature.meaning) == ("grading", row.id, "assessed")
    assert signatures.holds(signature, gradings.content(row, event))
    assert [found.new["grade"] for found in any_ward.events("grading.signed")] == [3]


REFUSED = [
    ({"term": ""}, {"term"}),
    ({"term": "none_such"}, {"term"}),
    ({"term": "other"}, {"other_term"}),
    ({"grade": None}, {"grade"}),
    ({"term": "dry_mouth", "grade": 4}, {"grade"}),
    ({"term": "pharyngeal_necrosis", "grade": 2}, {"grade"}),
    ({"grade": 5}, {"serious"}),
    ({"onset_on": None}, {"onset_on"}),
    ({"onset_on": TODAY + timedelta(1)}, {"onset_on"}),
    ({"attribution": ()}, {"attribution"}),
    ({"attribution": ("weather",)}, {"attribution"}),
    ({"serious": None}, {"serious"}),
    ({"serious": True, "action": " "}, {"action", "known_at"}),
    ({"action": "x" * 4001}, {"action"}),
    ({"event_id": 99, "from_on": TODAY}, {"event"}),
]


@pytest.mark.parametrize(("change", "fields"), REFUSED)
def test_what_cannot_be_is_refused_at_its_field(ward, change, fields):
    assert set(refused(ward, replace(GRADED, **change))) == fields


def test_what_can_be_is_not_refused(ward):
    with form_browser.working(ward.house) as work:
        serious = replace(GRADED, serious=True, known_at=work.now)
        later = replace(serious, known_at=work.now + timedelta(minutes=1))
    assert refused(ward, GRADED) == refused(ward, serious) == refused(ward, NONE) == {}
    assert refused(ward, later) == {"known_at": "known_in_future"}
    assert set(refused(ward, Judgement(none_reason="other"))) == {"action"}


def test_an_event_is_graded_again_and_ends(ward):
    first = judge(ward, GRADED)
    ward.house.clock.move(days=3)
    event = replace(GRADED, event_id=first.event_id, grade=1, from_on=TODAY + timedelta(2))
    assert set(refused(ward, replace(event, from_on=TODAY - timedelta(1)))) == {"from_on"}
    judge(ward, event)
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        (line,) = event_log.log(work, "en")
        assert (line.grade, line.onset_on, line.english, line.report_by) == (1, TODAY, "Epistaxis", None)
        with pytest.raises(BadData):
            gradings.end(work, line.id, TODAY + timedelta(1))
        assert gradings.end(work, line.id, TODAY + timedelta(2))
        assert not gradings.end(work, line.id, TODAY + timedelta(2))
    assert set(refused(ward, replace(event, from_on=TODAY + timedelta(3)))) == {"event"}


def test_a_serious_event_is_on_the_clock_until_it_is_reported(ward):
    with form_browser.working(ward.house) as work:
        known = work.now
    done = judge(ward, replace(GRADED, serious=True, known_at=known))
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        assert event_log.log(work, "zh_Hans")[0].report_by == known + timedelta(hours=24)
        assert gradings.report(work, done.event_id or 0)
        assert not gradings.report(work, done.event_id or 0)
        assert event_log.log(work, "en")[0].reported_at == work.now


def test_the_second_to_judge_reads_who_was_first_and_nothing_is_overwritten(any_ward):
    source = bleeding(any_ward)
    judge(any_ward, GRADED, source, seen=0)
    assert judge(any_ward, GRADED, source, seen=0).done  # the same button pressed twice
    other = judge(any_ward, replace(GRADED, grade=2), source, seen=0)
    assert (other.done, other.name) == (False, any_ward.investigator.name)
    assert [row.grade for row in any_ward.rows(Grading)] == [3]


def test_two_who_judge_in_the_same_moment_make_one_grading(postgresql_ward):
    ward = postgresql_ward
    source = bleeding(ward)
    done: list[bool] = []

    def press(grade: int) -> None:
        done.append(judge(ward, replace(GRADED, grade=grade), source, seen=0).done)

    people = [threading.Thread(target=press, args=(grade,)) for grade in (1, 2, 3)]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    assert sorted(done) == [False, False, True]
    assert len(ward.rows(Grading)) == 1


# --- taking over and closing -----------------------------------------------------------------------------------------


def test_an_alert_is_taken_over_once_from_whom_the_page_showed(any_ward):
    source = bleeding(any_ward)
    for person, done in ((any_ward.coordinator, True), (any_ward.investigator, False), (any_ward.coordinator, False)):
        with form_browser.working(any_ward.house, person.actor) as work:
            taken = alert_handling.take_over(work, source, any_ward.nurse.id)
            assert (taken.done, taken.holder.staff_id) == (done, any_ward.coordinator.id)
    (row,) = any_ward.rows(Handover)
    assert (row.from_id, row.staff_id) == (any_ward.nurse.id, any_ward.coordinator.id)
    assert len(any_ward.events("alert.taken_over")) == 1


def test_nobody_takes_over_what_nobody_has(ward):
    ward.start().save(bleed=2, bleed_now=0)
    with form_browser.working(ward.house, ward.coordinator.actor) as work, pytest.raises(NotAllowed):
        alert_handling.take_over(work, ward.rows(Alert)[0].source, ward.nurse.id)


def test_no_alert_ends_without_a_judgement_and_an_outcome(any_ward):
    any_ward.start().save(bleed=2, bleed_now=0)
    source = any_ward.rows(Alert)[0].source

    def why(**more: Any) -> object:
        with pytest.raises(BadData) as refusal:
            close(any_ward, source, any_ward.nurse, **more)
        return refusal.value.details["fields"]

    assert why() == {"disposition": "acknowledge_first"}
    any_ward.acknowledge()
    assert why() == {"disposition": "judge_first"}
    judge(any_ward, NONE, source)
    assert why(disposition="") == {"disposition": "disposition"}
    assert why(disposition="no_action") == {"reason": "closing_reason"}
    assert {alert.resolved_at for alert in any_ward.rows(Alert)} == {None}
    assert close(any_ward, source, any_ward.nurse, disposition="no_action", reason="clot from yesterday").why == ""
    assert {alert.disposition for alert in any_ward.rows(Alert)} == {"no_action"}
    assert len(any_ward.events("alert.closed")) == len(ids(any_ward))


def test_the_second_to_close_reads_how_the_first_did(any_ward):
    source = bleeding(any_ward)
    judge(any_ward, GRADED, source)
    assert close(any_ward, source, any_ward.nurse).why == ""
    any_ward.house.clock.move(minutes=1)
    second = close(any_ward, source, any_ward.investigator, disposition="admitted")
    assert (second.why, second.name, second.disposition) == ("first", any_ward.nurse.name, "outpatient")
    assert len(any_ward.rows(Closing)) == 1
    assert {alert.resolved_by for alert in any_ward.rows(Alert)} == {any_ward.nurse.id}


def test_what_came_meanwhile_is_read_and_judged_before_it_is_closed(any_ward):
    here = any_ward.start()
    here.save(bleed=2, bleed_now=0)
    any_ward.acknowledge()
    source, shown = any_ward.rows(Alert)[0].source, ids(any_ward)
    judge(any_ward, GRADED, source)
    any_ward.house.clock.move(minutes=1)
    here.save(breath=3)
    assert close(any_ward, source, any_ward.nurse, shown=shown).why == "later"
    any_ward.acknowledge()
    with pytest.raises(BadData) as refusal:
        close(any_ward, source, any_ward.nurse, shown=ids(any_ward))
    assert refusal.value.details["fields"] == {"disposition": "judge_first"}
    judge(any_ward, NONE, source)
    assert close(any_ward, source, any_ward.nurse, shown=ids(any_ward)).why == ""


# --- known and stable ------------------------------------------------------------------------------------------------


def test_marks_lower_the_next_alert_for_14_days_and_can_be_taken_back(any_ward):
    any_ward.start().save(bleed=0, breath=2)
    source = any_ward.alerts()["U02"].source
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        offered = known_stable.offer(work, source, "en")
        assert offered is not None
        assert [(one.item, one.value) for one in offered.items] == [("breath", 2)]
        with pytest.raises(BadData) as refusal:
            known_stable.mark(work, source, [], " ", "en")
        assert set(refusal.value.details["fields"]) == {"items", "reason"}  # type: ignore[call-overload]
        assert known_stable.mark(work, source, ["breath"], "since the second week", "en") == 1
    any_ward.house.clock.move(days=8)
    with form_browser.working(any_ward.house) as work:  # a form that was open already would not be lowered
        work.session.get_one(Assessment, any_ward.checkin.assessment_id).closes_at = work.now
    any_ward.start(any_ward.send()).save(bleed=0, breath=2)
    assert any_ward.alerts()["U02"].lowered
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        person = work.session.get_one(Participant, any_ward.participant_id)
        (mark,) = known_stable.marks(work, person, "en")
        assert (mark.until, mark.reason) == (work.now + timedelta(days=6), "since the second week")
        assert known_stable.revoke(work, person, "breath")
        assert not known_stable.revoke(work, person, "breath")
        assert known_stable.marks(work, person, "en") == []


def test_bleeding_cannot_be_marked(ward):
    source = bleeding(ward)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        assert known_stable.offer(work, source, "en") is None


# --- discordance -----------------------------------------------------------------------------------------------------


def test_a_report_stands_in_the_differences_until_it_is_recorded(ward):
    source = bleeding(ward)
    with form_browser.working(ward.house) as work:
        assert [one.suspected for one in event_log.differences(work, "en").reported_only] == ["Epistaxis"]
    judge(ward, NONE, source)
    with form_browser.working(ward.house) as work:
        assert [one.judged for one in event_log.differences(work, "en").reported_only] == ["wrong_answer"]
    judge(ward, replace(GRADED, term="syncope"))
    with form_browser.working(ward.house) as work:
        assert [row.english for row in event_log.differences(work, "en").recorded_only] == ["Syncope"]
    judge(ward, GRADED, source)
    with form_browser.working(ward.house) as work:
        assert event_log.differences(work, "en").reported_only == []
