"""Drive a participant through the visit schedule: anchors, worker rounds, texts, answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.schedule.anchors import DatedAnchor
from pro.features.forms import form_access
from pro.features.schedule import expected_forms, schedule_service
from pro.features.schedule.schedule_service import ChangePreview, DateChange
from pro.features.text_messages import reminders
from pro.models import Assessment, AuditEntry, ExpectedForm, FormAccess, Message, Participant
from tests.core.example_schedule import local
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.form_browser import FormBrowser

CHECKIN, QLQ = "npc_checkin", "qlq_c30"
Name = tuple[str, str]


def change(kind: str, on: str | date | None, number: int = 0, planned: bool = False) -> DateChange:
    """Return one change of an anchor; ``on`` as 2027-01-04."""
    return DateChange(kind, number, date.fromisoformat(on) if isinstance(on, str) else on, planned)


def changes(anchors: Iterable[DatedAnchor]) -> list[DateChange]:
    """Return anchors as staff type them."""
    return [DateChange(one.kind, one.number, one.on, one.planned) for one in anchors]


@dataclass(frozen=True)
class CalendarParticipant:
    """One participant of the clinic. Each method runs in its own transaction."""

    clinic: Clinic
    id: int

    def at(self, text: str, zone: str = "Asia/Shanghai") -> CalendarParticipant:
        """Move the clock to the local time ``text``, as 2027-01-04 09:30, without a worker round."""
        return self.when(local(text, zone))

    def when(self, moment: datetime) -> CalendarParticipant:
        """Move the clock to ``moment``."""
        clock = self.clinic.app_context.clock
        assert isinstance(clock, factories.Clock)
        clock.now = moment
        return self

    def row(self, work: UnitOfWork) -> Participant:
        """Return the participant's row."""
        return work.session.get_one(Participant, self.id)

    def set(self, *what: DateChange, reason: str = "", seen: str | None = None) -> ChangePreview:
        """Set anchors as the coordinator."""
        with form_browser.unit_of_work(self.clinic.app_context, self.clinic.coordinator.actor) as work:
            return schedule_service.set_anchors(work, self.row(work), what, reason=reason, seen=seen)

    def preview(self, *what: DateChange) -> ChangePreview:
        """Preview the same changes."""
        with form_browser.unit_of_work(self.clinic.app_context, self.clinic.coordinator.actor) as work:
            return schedule_service.preview_changes(work, self.row(work), what)

    def look(self) -> int:
        """Run the schedule job of the worker once."""
        return reminders.run_due_participants(self.clinic.app_context)

    def live(self, until: str | datetime, zone: str = "Asia/Shanghai") -> None:
        """Run the schedule job whenever it is due, up to ``until``."""
        end = local(until, zone) if isinstance(until, str) else until
        while (due := self.next_due_at()) is not None and due <= end:
            self.when(max(due, self.clinic.app_context.clock()))
            self.look()
        self.when(end)
        self.look()

    def next_due_at(self) -> datetime | None:
        """Return the stored ``next_due_at``."""
        with form_browser.unit_of_work(self.clinic.app_context) as work:
            return self.row(work).next_due_at

    def lines(self) -> dict[Name, ExpectedForm]:
        """Return the expected forms by (visit, instrument)."""
        with form_browser.unit_of_work(self.clinic.app_context) as work:
            query = (
                select(ExpectedForm)
                .where(ExpectedForm.participant_id == self.id)
                .order_by(ExpectedForm.opens_at, ExpectedForm.id)
            )
            rows = list(work.session.scalars(query))
        named = {(row.visit, row.instrument): row for row in rows}
        assert len(named) == len(rows)
        return named

    def line(self, visit: str, instrument: str = CHECKIN) -> ExpectedForm:
        """Return one expected form."""
        return self.lines()[visit, instrument]

    def statuses(self) -> dict[Name, str]:
        """Return the status of every expected form."""
        with form_browser.unit_of_work(self.clinic.app_context) as work:
            found = expected_forms.read_expected_forms(work, self.row(work), "en")
            return {(one.expected.visit, one.expected.instrument): one.status for one in found}

    def messages(self) -> list[Message]:
        """Return every text that was queued for this participant, oldest first."""
        return [row for row in self.clinic.rows(Message) if row.participant_id == self.id and row.staff_id is None]

    def text_states(self) -> list[tuple[str, str]]:
        """Return (visit:instrument:step, state) of every text."""
        keys = [row.dedupe_key.split(":") for row in self.messages()]
        return [(":".join([*key[2:4], key[-1]]), row.status) for key, row in zip(keys, self.messages(), strict=True)]

    def dropped_reminders(self) -> list[tuple[int, str]]:
        """Return (step, reason) of every reminder that was left out."""
        return [(event.new["step"], event.reason) for event in self.events("reminder.dropped") if event.new]

    def times(self, visit: str = "") -> list[str]:
        """Return from when each text may be sent, in Shanghai, as 01-04 09:30.

        ``visit``: only the texts of this visit.
        """
        rows = [row for row in self.messages() if visit in ("", row.dedupe_key.split(":")[2])]
        return [f"{row.next_try_at.astimezone(ZoneInfo('Asia/Shanghai')):%m-%d %H:%M}" for row in rows]

    def forms(self) -> list[Assessment]:
        """Return every form that was issued, oldest first."""
        return [row for row in self.clinic.rows(Assessment) if row.participant_id == self.id]

    def form(self, instrument: str = CHECKIN) -> Assessment:
        """Return the newest form."""
        return [row for row in self.forms() if row.instrument == instrument][-1]

    def events(self, action: str) -> list[AuditEntry]:
        """Return the audit entries of one action about this participant."""
        return [one for one in self.clinic.events(action) if one.participant_id == self.id]

    def start(self, instrument: str = CHECKIN) -> FormBrowser:
        """Open the newest form and press Start."""
        form = self.form(instrument)
        with form_browser.unit_of_work(self.clinic.app_context) as work:
            found = work.session.get_one(Assessment, form.id)
            token = form_access.new_link(work, found)
        way = factories.FormLinks(form.id, form.ref, "", "", token, "")
        return form_browser.press_start(self.clinic.app_context, way)

    def begin(self, instrument: str = CHECKIN) -> FormBrowser:
        """Answer the first question only."""
        here = self.start(instrument)
        here.save(**({"bleed": 0} if instrument == CHECKIN else {"Q1": 1}))
        return here

    def answer(self, instrument: str = CHECKIN) -> Assessment:
        """Answer the newest form without symptoms."""
        here = self.start(instrument)
        here.finish(**dict.fromkeys((f"Q{number}" for number in range(1, 29)), 1), Q29=7, Q30=7)
        return self.form(instrument)

    def ways(self) -> Sequence[FormAccess]:
        """Return the access of every form."""
        mine = {form.id for form in self.forms()}
        return [row for row in self.clinic.rows(FormAccess) if row.assessment_id in mine]


def enrol(
    clinic: Clinic, number: str = "NPC-100", *, language: str = "zh_Hans", phone: str | None = None
) -> CalendarParticipant:
    """Enrol a participant with consent today and run the schedule job."""
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        made = factories.participant(work, number, language=language, phone=phone, pd1=None, asked=True)
        return CalendarParticipant(clinic, made.id)


def day(text: str, plus: int = 0) -> date:
    """Return the date ``text``, as 2027-01-04, plus ``days``."""
    return date.fromisoformat(text) + timedelta(days=plus)
