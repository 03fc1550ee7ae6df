"""Test random sequences of answers, skips and switches: no answer and no alert is lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from pro.core.questionnaire.instrument import Instrument, Item, Value
from pro.core.rule_language.level import Level
from pro.core.triage.verdict import FormCase, evaluate_rules
from pro.features.forms.form_state import FormState
from pro.features.participants import clinical_facts
from pro.models import Alert, Answer, Assessment
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.form_browser import FormBrowser

LANGUAGES = ("zh_Hans", "en")
# The kind of one step, and two numbers that it may choose by.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "next", "next", "skip", "back", "again", "language", "device"]),
        st.integers(0, 1000),
        st.integers(0, 2**18 - 1),
    ),
    min_size=10,
    max_size=40,
)


def pick(item: Item, number: int, bits: int) -> Value | None:
    """Return one of the answers to ``item``; the highest level is as likely as the lowest."""
    if item.kind == "choice":
        return item.codes[number % len(item.codes)]
    if item.kind == "list":
        return tuple(name for place, name in enumerate(item.lists) if bits >> place & 1) if number % 3 else ()
    if item.kind == "number":
        return Decimal(250 + bits % 2250) / 10 if number % 2 else None
    return f"文字 {bits}" if number % 2 else None


def follows(instrument: Instrument, page_items: tuple[str, ...]) -> set[str]:
    """Return the items that saving these may change, with their list and dependent items."""
    touched = set(page_items)
    touched |= {name for item in page_items for name in instrument.items[item].lists}
    while True:
        more = {
            name
            for name, item in instrument.items.items()
            if item.ask_if is not None and item.ask_if.names & touched and name not in touched
        }
        if not more:
            return touched
        touched |= more


@dataclass
class Walk:
    """One sequence of steps, and the rows and alerts seen so far."""

    clinic: Clinic
    phone: FormBrowser
    rows: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    highest_level: Level = Level.NONE

    def step(self, what: str, number: int, bits: int) -> None:
        now = self.phone.form()
        if what == "language":
            self.phone = replace(self.phone, language=LANGUAGES[number % 2])
        elif what == "device":
            self.phone = self.clinic.start(self.phone.way, language=LANGUAGES[number % 2])
        elif what == "next":
            self.save(now, now.next_position(), number, bits)
        elif what == "skip":
            self.save(now, now.next_position(), None, bits)
        elif now.last_position is not None:
            place = now.last_position if what == "again" else 1 + number % now.last_position
            self.save(now, place, bits, bits)

    def save(self, now: FormState, position: int, number: int | None, bits: int) -> None:
        page = now.page(position)
        if page is None:
            return
        items = now.instrument.items
        said = {name: None if number is None else pick(items[name], number, bits) for name in page.items}
        saved = self.phone.page(page.id, said)
        self.highest_level = max(self.highest_level, saved.level)
        after = self.phone.form().answers
        assert saved.form.answers == after
        for name, value in said.items():
            stands = tuple(each for each in items[name].lists if each in value) if isinstance(value, tuple) else value
            assert after[name] == stands
        free = follows(now.instrument, page.items)
        kept = {name: value for name, value in now.answers.items() if name not in free}
        assert {name: value for name, value in after.items() if name not in free} == kept

    def check(self) -> None:
        """Check that no row changed or disappeared, and that every fired rule has an alert."""
        answers = self.phone.form().answers
        with form_browser.unit_of_work(self.clinic.app_context) as work:
            form = work.session.get_one(Assessment, self.phone.way.assessment_id)
            rows = work.session.scalars(select(Answer).where(Answer.assessment_id == form.id))
            found = {row.id: (row.item, row.state, row.value, row.language, row.at) for row in rows}
            assert found.items() >= self.rows.items()
            self.rows = found
            listed = list(work.session.scalars(select(Alert).where(Alert.assessment_id == form.id).order_by(Alert.id)))
            # A rule that fires again has several; the newest says what holds.
            alerts = {alert.rule: alert for alert in listed}
            kept = {alert.id: alert.level for alert in listed}
            assert kept.items() >= self.levels.items()
            self.levels = kept
            standing = [alert for alert in listed if alert.superseded_at is None and alert.closed_at is None]
            assert max((alert.level for alert in standing), default=0) == self.highest_level
            plan = work.catalogue.plans["npc_reirradiation"]
            # Earlier forms of the same participant are compared with this one: an increase hides a sign of a lower
            # level.
            case = FormCase(
                answers=answers,
                baseline=clinical_facts.earlier_values(work, form.instrument, form.context["baseline"]),
                previous=clinical_facts.earlier_values(work, form.instrument, form.context["previous"]),
                context=clinical_facts.context_from_snapshot(form.context, work.now),
                submitted=form.submitted_at is not None,
            )
            for finding in evaluate_rules(plan, work.catalogue.instruments["npc_checkin"], case).findings:
                alert = alerts[finding.rule_id]
                assert (alert.level, alert.superseded_at, alert.closed_at) == (finding.level, None, None)


# No shrinking: it would take minutes, and the steps are easy to read as they are.
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, send=st.booleans())
def test_no_walk_loses_an_answer_or_a_sign(clinic, steps, send):
    with form_browser.unit_of_work(clinic.app_context) as work:
        for form in work.session.scalars(select(Assessment).where(Assessment.cancelled_at.is_(None))):
            form.cancelled_at = work.now
    walk = Walk(clinic, clinic.start(clinic.send()))
    for each in steps:
        walk.step(*each)
        walk.check()
    if send:
        walk.phone.submit()
        walk.highest_level = max(walk.highest_level, walk.phone.outcome().level)
        walk.check()
    emails = [mail for mail in clinic.mails() if mail.row.assessment_id == walk.phone.way.assessment_id]
    highest_notified = max((Level.of(mail.params["level"]) for mail in emails), default=Level.NONE)
    assert highest_notified == (walk.highest_level if walk.highest_level >= Level.URGENT else Level.NONE)
