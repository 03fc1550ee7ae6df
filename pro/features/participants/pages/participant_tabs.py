"""Three tabs of a participant: overview, forms, records.

The others belong to higher features: timeline (reports), messages (text_messages), adverse events and ulcers (ulcers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.errors import NotFound
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import has_right
from pro.features.assessments import paper_forms
from pro.features.forms import form_issuing, participant_cards
from pro.features.participants import consent_records, record_freezes
from pro.features.participants.pages import participant_overview, participant_page
from pro.features.participants.pages.forms import MissedReasonForm, SendForm
from pro.features.schedule import visit_schedule
from pro.features.schedule.visit_schedule import AWAITED_STATUSES, ExpectedFormEntry, ExpectedFormsPage
from pro.models import Assessment, DataCorrection, Participant
from pro.web import request_context
from pro.web.forms import choices, posted_row_number
from pro.web.labels import word
from pro.web.page_registry import PAGES

# Rows that a table shows open; the older ones are folded.
OPEN_ROWS = 5
NEXT_ROWS = 2


def open_participant(participant_id: int) -> Participant:
    """Return the participant of a page, and record in the audit trail that the record was seen."""
    work = request_context.work()
    person = participant_page.read_participant(work, participant_id)
    work.record("participant.seen", person, participant_id=person.id)
    return person


def overview_page(participant_id: int) -> ResponseReturnValue:
    """Render the tab Overview."""
    work, language = request_context.work(), request_context.language()
    person = open_participant(participant_id)
    found, origin = participant_overview.read_overview(work, person, language)
    return render_template(
        "participants/overview.html",
        person=person,
        found=found,
        origin=origin,
        shown_in=participant_page.stand_in_language(work, person),
        plan_gone=work.catalogue.plan_or_none(person.plan) is None,
        **participant_overview.template_functions(),
    )


def forms_page(
    participant_id: int, *, send: SendForm | None = None, reason: MissedReasonForm | None = None, status: int = 200
) -> ResponseReturnValue:
    """Render the tab Forms; ``form`` in the address is the form that is opened.

    ``send``, ``reason``: a form with what was typed and its errors.
    """
    page_guard.show_as_page(PAGES["staff.dates.visit_schedule"])
    work, language = request_context.work(), request_context.language()
    person = open_participant(participant_id)
    request_context.set_zone(person.time_zone)
    number = posted_row_number(request.args.get("form"))
    instruments = participant_page.instrument_choices(work, person, language)
    text = render_template(
        "participants/forms.html",
        person=person,
        **_schedule_parts(_read_schedule(work, person, language), is_over=_is_over(work, person)),
        unscheduled=[
            (row, work.catalogue.staff_title(row.instrument, language))
            for row in participant_page.unscheduled_forms(work, person)
        ],
        levels=participant_page.form_levels(work, person),
        opened=participant_page.read_form(work, person, number, language) if number else None,
        instruments=instruments,
        notes={choice.id: word("refusal", choice.why_not) for choice in instruments},
        send=send or send_form(person),
        form=reason or MissedReasonForm(formdata=None),
        can_send=has_right("send_form") and person.is_active,
        can_enter=paper_forms.enterable_instruments(work, person) if has_right("enter_answers") else (),
    )
    return text, status


def send_form(person: Participant, typed: Mapping[str, str] | None = None) -> SendForm:
    """Return the form that issues a questionnaire, with the choices that ``person`` has."""
    work = request_context.work()
    form = SendForm(formdata=typed)
    instruments = participant_page.instrument_choices(work, person, request_context.language())
    form.instrument.choices = choices((choice.id, choice.title) for choice in instruments)
    ways = form_issuing.sending_methods(work, person.language)
    form.by.choices = [choice for choice in form.by.choices if choice.value in ways]
    return form


def records_page(participant_id: int) -> ResponseReturnValue:
    """Render the tab Records: consent, contact, card, freezes, corrections, audit trail, end of participation."""
    work, language = request_context.work(), request_context.language()
    person = open_participant(participant_id)
    return render_template(
        "participants/record.html",
        person=person,
        consents=consent_records.list_consents(work, person),
        freezes=record_freezes.list_freezes(work, person.plan, person),
        own_card=participant_cards.newest_card(work, person.id),
        corrections=_corrections(work, person, language),
        shown_in=participant_page.stand_in_language(work, person),
    )


def _read_schedule(work: UnitOfWork, person: Participant, language: str) -> ExpectedFormsPage | None:
    """Return the expected forms; None for a study whose forms are all issued by hand."""
    try:
        return visit_schedule.read_expected_forms_page(work, person, language)
    except NotFound:
        return None


def _schedule_parts(page: ExpectedFormsPage | None, *, is_over: bool) -> dict[str, Any]:
    """Return the expected forms as the tab shows them; ``is_over``: none is awaited any more.

    A form that is open, or missed without a reason, is never folded.
    """
    if page is None:
        return {"page": None, "counts": None}
    awaited = [] if is_over else [entry for entry in page.past if entry.line.status in AWAITED_STATUSES]
    past = [entry for entry in page.past if entry not in awaited]
    shown = [entry for number, entry in enumerate(past) if number < OPEN_ROWS or _needs_reason(entry)]
    return {
        "page": page,
        "counts": page.counts,
        "awaited": len(awaited),
        "next_forms": [*reversed(awaited), *page.coming[:NEXT_ROWS]],
        "later_forms": page.coming[NEXT_ROWS:],
        "past_number": len(past),
        "past_forms": shown,
        "older_forms": [entry for entry in past if entry not in shown],
    }


def _is_over(work: UnitOfWork, person: Participant) -> bool:
    """Return True if the participant refused further use of the data, so that staff may not enter a form either."""
    return not person.is_active and person.id in consent_records.no_further_use(work, person.plan)


def _needs_reason(entry: ExpectedFormEntry) -> bool:
    return entry.line.status == "missed" and not entry.line.expected.missing_reason


def _corrections(work: UnitOfWork, person: Participant, language: str) -> Sequence[tuple[DataCorrection, str]]:
    """Return the requests to correct an answer, newest first, with the title of the form."""
    query = (
        select(DataCorrection, Assessment.instrument)
        .join(Assessment, Assessment.id == DataCorrection.assessment_id)
        .where(DataCorrection.participant_id == person.id)
        .order_by(DataCorrection.id.desc())
    )
    return [(row, work.catalogue.staff_title(name, language)) for row, name in work.session.execute(query)]
