"""The participants of the demonstration: enrolment, treatment dates, answers and their stories before today."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import select

from pro.app_context import SYSTEM, UnitOfWork
from pro.features.accounts.passwords import HashedSecret
from pro.features.alerts import test_alerts
from pro.features.duty_roster import notifications
from pro.features.operations import demo_courses, demo_forms, demo_stories
from pro.features.operations.demo_courses import CHECKIN, QLQ, dice
from pro.features.operations.demo_handling import Desk
from pro.features.operations.demo_timeline import Person, Timeline, days_between
from pro.features.schedule import enrolment, schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.text_messages import reminders
from pro.models import Assessment, ExpectedForm, Participant

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CONSENT, PIN = "1.0", "2468"
CYCLE = 21
FIRST_CYCLE = 28
# Chances that a mandatory form is missed, an optional one answered, and a form comes after its window.
MISSED, OPTIONAL, LATE = 0.07, 0.4, 0.02
# Forms whose window ends within this time before today are answered: what is missing now is a story of its own.
ANSWERED_BEFORE_NOW = 7 * DAY
# Test alerts, daily digests and rounds at night of earlier weeks would add nothing to see.
CLOSED_AT_NIGHT = 14 * DAY
TEST_ALERTS, DIGESTS = 70 * DAY, 30 * DAY


@dataclass(slots=True)
class Cohort:
    """The study at work: the participants, and what happens each day."""

    timeline: Timeline
    plan: str
    desk: Desk
    people: list[Person]
    # All participants have the same PIN, and hashing it for each would take seconds.
    pin: HashedSecret = field(default_factory=partial(HashedSecret.of, PIN))

    def begin(self) -> None:
        """Add every enrolment, treatment date and day up to now to the timeline."""
        for number, person in enumerate(self.people):
            at = self.timeline.moment(person.dates.consent, 9, 30) + number * MINUTE
            self.timeline.add(at, partial(self._enrol, person))
        first = min(person.dates.consent for person in self.people)
        for on in days_between(first, self.timeline.today):
            if self.timeline.today - on < CLOSED_AT_NIGHT:
                self.timeline.add(self.timeline.moment(on, 0, 2), self._close_windows)
            self.timeline.add(self.timeline.moment(on, 8, 1), partial(self._begin_day, on))

    def by_number(self, number: str) -> Person:
        """Return the participant with a number."""
        return next(person for person in self.people if person.course.number == number)

    def _enrol(self, person: Person) -> None:
        course, dates = person.course, person.dates
        with self.timeline.acting("coordinator") as work:
            row = person.row = enrolment.enrol(
                work,
                plan=self.plan,
                participant_number=course.number,
                phone=f"+8613800000{course.number[-3:]}",
                language=course.language,
                pin=self.pin,
                consented_on=dates.consent,
                consent_version=CONSENT,
                health_data=True,
            )
            work.session.flush()
            self._set(row, [DateChange("induction_day1", 0, dates.induction, planned=dates.induction > dates.consent)])
        for on, changes in self._date_changes(person):
            self.timeline.add(self.timeline.moment(on, 17) - 20 * MINUTE, partial(self._set_dates, person, changes))
        demo_stories.begin(self.timeline, self.desk, person)

    def _date_changes(self, person: Person) -> list[tuple[date, list[DateChange]]]:
        """Return the day on which staff enter dates, and the dates: fractions once a week."""
        dates = person.dates
        first = dates.induction
        found = [(first, [DateChange("induction_day1", 0, first), DateChange("pd1_dose", 1, first)])]
        second = first + CYCLE * DAY
        found.append((second, [DateChange("pd1_dose", 2, second)]))
        start = dates.fractions[0] if dates.fractions else dates.planned_start
        found.append((min(first + 14 * DAY, start - 9 * DAY), [DateChange("rt_fraction", 1, start, planned=True)]))
        given = list(enumerate(dates.fractions, start=1))
        for batch in [given[:1], *(given[at : at + 5] for at in range(1, len(given), 5))]:
            if batch:
                found.append((batch[-1][1], [DateChange("rt_fraction", count, on) for count, on in batch]))
        if len(given) >= 25:
            found.append((given[24][1], [DateChange("cr_decision", 0, given[24][1])]))
        if (last := dates.last_fraction) is not None:
            found.append((last, [DateChange("rt_end", 0, last)]))
            cycle_one = last + FIRST_CYCLE * DAY
            found.append((last + 14 * DAY, [DateChange("maintenance_cycle", 1, cycle_one, planned=True)]))
            found += [
                (
                    cycle_one + CYCLE * number * DAY,
                    [DateChange("maintenance_cycle", number + 1, cycle_one + CYCLE * number * DAY)],
                )
                for number in range(12)
            ]
        return sorted(found, key=lambda pair: pair[0])

    def _set_dates(self, person: Person, changes: list[DateChange]) -> None:
        row = person.enrolled
        if row.is_active:
            with self.timeline.acting("coordinator"):
                self._set(row, changes)

    def _set(self, row: Participant, changes: list[DateChange]) -> None:
        schedule_service.set_anchors(self.timeline.work, row, changes)

    def _close_windows(self) -> None:
        """Do the worker's round after midnight, so that calls about missed forms are due in the morning."""
        self.timeline.work.actor = SYSTEM
        reminders.run_batch(self.timeline.work)

    def _begin_day(self, on: date) -> None:
        """Do the worker's morning round, then plan the answers of the day and what staff do."""
        work, timeline = self.timeline.work, self.timeline
        work.actor = SYSTEM
        reminders.run_batch(work)
        if timeline.ends - work.now < DIGESTS:
            local = work.now.astimezone(ZoneInfo(timeline.zone))
            notifications.queue_daily_digest(work, work.catalogue.plans[self.plan], local)
        self.desk.deliver()
        self._plan_answers()
        if timeline.ends - work.now < TEST_ALERTS:
            timeline.add(timeline.moment(on, 10, 1), self._test_alert)
        if on.weekday() < 5:
            timeline.add(timeline.moment(on, 9), self.desk.sweep)

    def _test_alert(self) -> None:
        work = self.timeline.work
        work.actor = SYSTEM
        if test_alerts.start_due_test_alerts(work):
            work.session.flush()
            self.desk.deliver()
            self.timeline.add(work.now + 7 * MINUTE, self._confirm_test_alert)

    def _confirm_test_alert(self) -> None:
        with self.timeline.acting("nurse") as work:
            newest = test_alerts.newest_test_alert(work, self.plan)
            if newest is not None:
                test_alerts.confirm_test_alert(work, newest.id)

    def _plan_answers(self) -> None:
        """Decide about every form whose window is open whether, when and how it is answered."""
        work = self.timeline.work
        people = {person.row.id: person for person in self.people if person.row is not None}
        query = select(ExpectedForm).where(
            ExpectedForm.opens_at <= work.now,
            ExpectedForm.closes_at >= work.now,
            ExpectedForm.received_at.is_(None),
            ExpectedForm.assessment_id.is_not(None),
        )
        for line in work.session.scalars(query.order_by(ExpectedForm.id)):
            person = people[line.participant_id]
            key = (line.visit, line.instrument)
            if key not in person.decided:
                person.decided.add(key)
                at = self._answer_time(person, line)
                if at is not None:
                    self.timeline.add(at, partial(self._answer, person, line.instrument))

    def _answer_time(self, person: Person, line: ExpectedForm) -> datetime | None:
        """Return when a form is answered, or None if it is missed."""
        course, chance = person.course, dice(person.course.number, line.visit, line.instrument)
        must = line.closes_at > self.timeline.ends - ANSWERED_BEFORE_NOW or course.number in demo_stories.COMPLETE
        drawn = chance.random()
        if demo_stories.is_unanswered(person, self.timeline) or (not line.mandatory and drawn > OPTIONAL):
            return None
        if line.mandatory and drawn < MISSED and not must:
            return None
        late = line.mandatory and drawn > 1 - LATE and not must
        ends = self.timeline.local_day(line.closes_at)
        today = self.timeline.local_day(self.timeline.work.now)
        waits = chance.choices((0, 1, 2), (70, 22, 8))[0] if (ends - today).days else 0
        on = ends + DAY if late else min(today + waits * DAY, ends)
        return self.timeline.moment(on, 8) + timedelta(minutes=chance.randrange(25, 12 * 60))

    def _answer(self, person: Person, instrument: str) -> None:
        """Answer the open form of an instrument in the way of the participant."""
        work, row = self.timeline.work, person.enrolled
        form = self._open_form(row, instrument)
        if form is None or not row.is_active:
            return
        on = self.timeline.local_day(work.now)
        if instrument == CHECKIN:
            given = demo_courses.checkin_answers(person.course, person.dates, on)
        else:
            given = demo_courses.qlq_answers(person.course, person.dates, on, work.catalogue.instruments[QLQ])
        way = demo_stories.way_of_answering(person, instrument, on)
        if way.entered:
            demo_stories.enter(self.timeline, self.desk, person, form, given, way.entered)
            return
        minutes = dice(person.course.number, "minutes", on, instrument).randrange(3, 8)
        if self.timeline.work.now + minutes * MINUTE >= self.timeline.ends:
            return
        demo_forms.begin_answers(work, row, form, given, by=way.by, channel=way.channel)
        self.timeline.add(work.now + minutes * MINUTE, partial(self._finish, row, form))

    def _finish(self, row: Participant, form: Assessment) -> None:
        demo_forms.finish_answers(self.timeline.work, row, form)
        self.desk.next_due_at(form)

    def _open_form(self, row: Participant, instrument: str) -> Assessment | None:
        query = select(Assessment).where(
            Assessment.participant_id == row.id,
            Assessment.instrument == instrument,
            Assessment.first_answer_at.is_(None),
            Assessment.submitted_at.is_(None),
            Assessment.cancelled_at.is_(None),
        )
        return self.timeline.work.session.scalar(query.order_by(Assessment.id.desc()).limit(1))


def make_people(work: UnitOfWork, plan: str, today: date) -> list[Person]:
    """Return the participants of the data file, with the days of their courses."""
    working = work.catalogue.working_days(plan)
    around = [day for day in days_between(today - 400 * DAY, today + 60 * DAY) if working.has(day)]
    return [Person(course, demo_courses.dates_of(course, today, around)) for course in demo_courses.read_courses()]
