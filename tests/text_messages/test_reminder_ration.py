"""Test the number of texts a participant gets: one at a time, and a daily limit.

No text is lost to another one that is not sent.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.features.forms import form_issuing
from tests.core.example_schedule import local
from tests.support import form_browser
from tests.support.calendar_participant import CHECKIN, QLQ, change, enrol

# The daily ulcer form is asked for as soon as it is known and 4 hours later. On its first day, a Monday, that is at
# 9:00 and 13:00; on the next day at 8:00 and 12:00, with a reminder of the baseline's QLQ-C30 at 9:00.
DAYS_TEXTS = ["03-02 09:00", "03-02 13:00", "03-03 08:00", "03-03 09:00", "03-03 12:00"]


@pytest.mark.parametrize(
    ("most", "times"),
    [(1, ["03-02 09:00", "03-03 08:00"]), (2, DAYS_TEXTS[:4]), (3, DAYS_TEXTS)],
)
def test_at_most_so_many_a_day(clinic, most, times):
    person = enrol(clinic.with_message_rules(per_day=most))
    person.set(change("ulcer_suspected", "2026-03-02", 1))
    person.live("2026-03-03 12:00")
    assert person.times() == times
    assert [why for _, why in person.dropped_reminders()].count("enough") == len(DAYS_TEXTS) - len(times)


def test_a_text_of_the_staff_counts_for_the_day(clinic):
    person = enrol(clinic.with_message_rules(per_day=1))
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        from_staff = form_issuing.send_form(work, person.row(work), CHECKIN, by="link")
    assert from_staff.link
    person.look()
    assert len(person.messages()) == 1
    assert person.dropped_reminders() == [(0, "enough"), (0, "enough")]


def test_a_form_without_a_licence_takes_no_other_form_s_text(clinic):
    """Check a QLQ-C30 that closes before the check-in of its week but has no licence.

    The QLQ-C30 before dose 2 (23 to 26 March) would otherwise get the first message.
    """
    bare = replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, production=True))
    )
    person = enrol(bare)
    person.at("2026-03-05 10:00").set(
        change("induction_day1", "2026-03-05"), change("pd1_dose", "2026-03-26", 2, planned=True)
    )
    person.at("2026-03-22 12:00").look()
    before = len(person.text_states())
    person.live("2026-03-26 12:00")
    assert [key for key, _ in person.text_states()[before:]] == [
        f"induction_week.3:npc_checkin:{step}" for step in range(3)
    ]
    assert person.times("induction_week.3") == ["03-24 08:00", "03-25 08:00", "03-26 08:00"]


def test_a_visit_that_is_brought_forward_is_told_of_though_its_other_form_was_before(any_clinic):
    """Check a visit that is brought forward after a message about its other form.

    Both windows become known at the same moment; what was said about the one is not repeated.
    """
    person = enrol(any_clinic)
    person.at("2026-03-05 09:00").set(change("induction_day1", "2026-03-05"))
    person.set(change("rt_fraction", "2026-04-13", 1, planned=True))
    person.live("2026-04-08 12:00")
    assert person.line("before_rt", QLQ).steps == 3
    person.set(change("rt_fraction", "2026-04-10", 1, planned=True))
    assert person.line("before_rt").opens_at == local("2026-04-07 08:00")
    person.live("2026-04-10 23:00")
    assert person.times("before_rt")[-3:] == ["04-08 12:00", "04-09 12:00", "04-10 12:00"]
    assert [key for key, _ in person.text_states()][-3:] == [f"before_rt:npc_checkin:{step}" for step in range(3)]
