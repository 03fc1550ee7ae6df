"""Views of the visit schedule: treatment dates, preview of a change, expected forms."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import cast

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from pro.core.study_plan import PlanWords
from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.participants import consent_records, treatment_phases
from pro.features.participants.pages import participant_page, participant_tabs
from pro.features.participants.pages.forms import MissedReasonForm
from pro.features.schedule import dates_page, enrolment, expected_forms, schedule_service, visit_schedule
from pro.features.schedule.pages import labels
from pro.features.schedule.pages.forms import TreatmentDateForm
from pro.features.schedule.pages.labels import anchor_shown, problem_sentences
from pro.features.schedule.schedule_service import ChangePreview, DateChange
from pro.features.schedule.visit_schedule import END, DateKind, TreatmentDates
from pro.web import request_context
from pro.web.forms import REASON_LENGTH
from pro.web.labels import MISSING_REASONS
from pro.web.notices import notify
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("dates", __name__, url_prefix="/participants/<int(max=2147483647):participant_id>")

UNCHANGED = N_("This is already recorded; there is nothing to change.")
REASON_NEEDED = N_("This changes a recorded entry. Enter the reason.")
END_REASON = N_("Enter how this became known.")


@pages.record_once
def _install(state: BlueprintSetupState) -> None:
    labels.install(cast(Flask, state.app))


class _DatesRequest:
    """Data of one request: participant, schedule, treatment dates, words of the study."""

    def __init__(self, participant_id: int) -> None:
        work = request_context.work()
        self.person = participant_page.read_participant(work, participant_id)
        self.visit_schedule = visit_schedule.require_visit_schedule(work, self.person)
        request_context.set_zone(self.person.time_zone)
        self.words: PlanWords = work.catalogue.plan_words[self.person.plan, request_context.language()]
        self.treatment_dates: TreatmentDates = visit_schedule.read_treatment_dates(
            work, self.person, request_context.language()
        )

    def kind(self, kind_id: str | None) -> DateKind:
        """Return the kind of date with this id. Raise BadData for an unknown id."""
        found = self.treatment_dates.kind(kind_id or "")
        if found is None:
            raise BadData("unknown_kind")
        return found

    def date_name(self, change: DateChange) -> str:
        """Return the name of the changed date, with its number."""
        return anchor_shown(self.words, change.kind, change.number)


@staff_page(pages, "/dates", endpoint="dates", right="see_dates", section="participants")
def show_dates(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show every treatment date.

    ``kind`` and ``number`` in the address open the form for one of them.
    """
    dates_request = _DatesRequest(participant_id)
    request_context.work().record("participant.seen", dates_request.person, participant_id=participant_id)
    kind = dates_request.treatment_dates.kind(request.args.get("kind", ""))
    return _dates_page(dates_request, _date_form(kind) if kind else None)


@pages.post("/dates", endpoint="change")
@needs("set_dates")
def change_date(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Change treatment dates, by the action ``do`` of the post.

    Actions: preview a change or a removal, confirm the preview, edit again, record today's treatment, undo that, move
    today's treatment to the next working day, clear a suspicion from the answers. Raises BadData for any other action.
    """
    act = request.form.get("do", "")
    if act not in ("treated", "undo", "not_given", "preview", "take_back", "confirm", "edit", "clear"):
        raise BadData("unknown_act")
    dates_request = _DatesRequest(participant_id)
    if act == "clear":
        return _clear_suspicion(dates_request)
    form = TreatmentDateForm()
    kind = dates_request.kind(form.kind.data)
    if act == "take_back":
        form.take_back.data = "1"
    if act == "edit":
        form.take_back.data = ""
        return _dates_page(dates_request, form)
    if act in DAILY_ACTS:
        return DAILY_ACTS[act](dates_request, form, kind)
    wish = _read_change(dates_request, form, kind)
    if wish is None:
        return _dates_page(dates_request, form, status=400)
    if act == "confirm":
        return _confirm_change(dates_request, form, wish)
    return _preview_page(
        dates_request,
        form,
        wish,
        schedule_service.preview_changes(request_context.work(), dates_request.person, [wish]),
    )


def _date_form(kind: DateKind) -> TreatmentDateForm:
    """Return the form for one date, filled with the recorded date or the next number."""
    typed = request.args.get("number", "")
    number = int(typed) if typed.isdecimal() and len(typed) < 5 else kind.next_number
    known = kind.day(number)
    asked = _day_from_query()
    basis = ("planned" if known.planned else "actual") if known else ("" if kind.plannable else "actual")
    if known is not None and asked not in (None, known.on):
        # Another day than the known one was typed on the page before: what it is must be said.
        basis = "" if kind.plannable else "actual"
    form = TreatmentDateForm(formdata=None, kind=kind.id, on=asked or (known.on if known else None), basis=basis)
    form.number.data = str(number) if kind.most else ""
    return form


def _day_from_query() -> date | None:
    """Return the day ``on`` of the address; None if it is missing or invalid."""
    try:
        return date.fromisoformat(request.args.get("on", ""))
    except ValueError:
        return None


def _read_change(dates_request: _DatesRequest, form: TreatmentDateForm, kind: DateKind) -> DateChange | None:
    """Return the typed change; None, with errors in the form, if it is invalid."""
    is_valid = form.read(numbered=bool(kind.most), plannable=kind.plannable)
    number = form.digits if kind.most else 0
    on = None if form.is_removal else form.on.data
    wish = DateChange(kind.id, number, on, planned=bool(on) and form.basis.data == "planned")
    known = kind.day(number)
    is_unchanged = (known.on, known.planned) == (on, wish.planned) if known else on is None
    if is_valid and is_unchanged:
        form.on.errors = [UNCHANGED]
        return None
    if not form.reason.data and known is not None and not known.planned:
        form.reason.errors = [REASON_NEEDED]
    elif not form.reason.data and kind.group == END:
        form.reason.errors = [END_REASON]
    if not form.number.errors:
        _add_problems(dates_request, form, wish)
    if _asks_scope(dates_request, wish):
        for name, why in consent_records.withdrawal_problems(form.scope.data or "", form.told.data or "").items():
            form[name].errors = [REFUSALS.get(why, why)]
    return None if any(field.errors for field in form) else wish


def _asks_scope(dates_request: _DatesRequest, wish: DateChange) -> bool:
    """Return True if ``wish`` is a withdrawal that is not recorded yet: then its extent is asked."""
    is_end = (
        wish.kind in dates_request.visit_schedule.participation_end
        and not dates_request.visit_schedule.anchors[wish.kind].last
    )
    return is_end and wish.on is not None and dates_request.person.withdrawn_at is None


def _add_problems(dates_request: _DatesRequest, form: TreatmentDateForm, wish: DateChange) -> None:
    """Show the problems of ``wish`` beside fields without an error."""
    if wish.on is None and not form.is_removal:
        return
    problems = schedule_service.preview_changes(request_context.work(), dates_request.person, [wish]).problems
    for name, sentence in problem_sentences(dates_request.visit_schedule, dates_request.words, problems).items():
        field = form[name if name != "number" or dates_request.kind(wish.kind).most else "on"]
        if not field.errors:
            field.errors = [sentence]


def _confirm_change(dates_request: _DatesRequest, form: TreatmentDateForm, wish: DateChange) -> ResponseReturnValue:
    said = {"reason": form.reason.data or "", "seen": form.seen.data or ""}
    work, person = request_context.work(), dates_request.person
    try:
        if _asks_scope(dates_request, wish):
            extent = {"scope": form.scope.data or "", "told": form.told.data or ""}
            enrolment.withdraw_by_date(work, person, wish, **extent, **said)
        else:
            schedule_service.set_anchors(work, person, [wish], **said)
    except NotAllowed as refusal:
        if refusal.why != "stale_preview":
            raise
        found = schedule_service.preview_changes(request_context.work(), dates_request.person, [wish])
        return _preview_page(dates_request, form, wish, found, stale=True)
    notify("date_taken_back" if wish.on is None else "date_set", what=dates_request.date_name(wish))
    return _redirect_to_dates(dates_request)


def _record_treatment(dates_request: _DatesRequest, form: TreatmentDateForm, kind: DateKind) -> ResponseReturnValue:
    """Record a treatment at once if it is today and moves no visit; else show the preview."""
    form.basis.data, form.reason.data, form.take_back.data = "actual", "", ""
    number, on = form.digits, form.on.data
    known = kind.day(number)
    if on is None or not number:
        raise BadData("unknown_date")
    wish = DateChange(kind.id, number, on)
    if known is not None and not known.planned:
        notify(
            "treated_before" if known.on == on else "recorded_meanwhile",
            what=dates_request.date_name(wish),
            name=known.by,
        )
        return _redirect_to_dates(dates_request)
    found = schedule_service.preview_changes(request_context.work(), dates_request.person, [wish])
    if found.problems:
        _add_problems(dates_request, form, wish)
        return _dates_page(dates_request, form, status=400)
    if not found.diff.is_empty or on != dates_request.treatment_dates.today:
        return _preview_page(dates_request, form, wish, found)
    schedule_service.set_anchors(request_context.work(), dates_request.person, [wish], seen=found.digest)
    notify("treated", what=dates_request.date_name(wish))
    return _redirect_to_dates(dates_request)


def _undo_treatment(dates_request: _DatesRequest, form: TreatmentDateForm, kind: DateKind) -> ResponseReturnValue:
    """Restore what stood before today's record of a treatment: a planned date or none.

    Show the preview if a visit moves.
    """
    known = kind.day(form.digits)
    if known is None or known.planned or known.on != dates_request.treatment_dates.today:
        notify("undone_before")
        return _redirect_to_dates(dates_request)
    before = next((day for day in kind.history if (day.number, day.until) == (known.number, known.at)), None)
    wish = DateChange(kind.id, known.number, before.on if before else None, planned=before is not None)
    reason = (before.reason if before else "") or dates_page.UNDONE
    form.take_back.data, form.reason.data, form.on.data = "" if before else "1", reason, wish.on
    form.basis.data = "planned" if before else form.basis.data
    found = schedule_service.preview_changes(request_context.work(), dates_request.person, [wish])
    if found.problems or not found.diff.is_empty:
        return _preview_page(dates_request, form, wish, found)
    schedule_service.set_anchors(request_context.work(), dates_request.person, [wish], reason=reason, seen=found.digest)
    notify("undone", what=dates_request.date_name(wish))
    return _redirect_to_dates(dates_request)


def _postpone_treatment(dates_request: _DatesRequest, form: TreatmentDateForm, kind: DateKind) -> ResponseReturnValue:
    """Show what moves if today's treatment is planned for the next working day."""
    why, number = request.form.get("why_not", ""), form.digits
    known = kind.day(number)
    if why not in dates_page.NOT_GIVEN:
        return _dates_page(dates_request, None, status=400, not_given=True)
    if not 1 <= number <= kind.most or (known is not None and not known.planned):
        notify("undone_before")
        return _redirect_to_dates(dates_request)
    work = request_context.work()
    today = dates_request.treatment_dates.today
    form.on.data = work.catalogue.working[dates_request.person.plan].after(today)
    form.basis.data, form.reason.data, form.take_back.data = "planned", why, ""
    wish = DateChange(kind.id, number, form.on.data, planned=True)
    found = schedule_service.preview_changes(work, dates_request.person, [wish])
    if found.problems:
        _add_problems(dates_request, form, wish)
        return _dates_page(dates_request, form, status=400)
    return _preview_page(dates_request, form, wish, found)


# Action of today's treatment -> its view.
DAILY_ACTS = {"treated": _record_treatment, "undo": _undo_treatment, "not_given": _postpone_treatment}


def _clear_suspicion(dates_request: _DatesRequest) -> ResponseReturnValue:
    why = request.form.get("why", "").strip()[:REASON_LENGTH]
    if not why:
        return _dates_page(dates_request, None, status=400, not_cleared=True)
    if dates_request.treatment_dates.suspected:
        schedule_service.clear_suspicion(request_context.work(), dates_request.person, why)
    notify("suspicion_cleared")
    return _redirect_to_dates(dates_request)


def _redirect_to_dates(dates_request: _DatesRequest) -> ResponseReturnValue:
    return redirect(url_for("staff.dates.dates", participant_id=dates_request.person.id), code=303)


def _dates_page(
    dates_request: _DatesRequest,
    form: TreatmentDateForm | None,
    status: int = 200,
    not_cleared: bool = False,
    not_given: bool = False,
) -> ResponseReturnValue:
    kind = dates_request.kind(form.kind.data) if form else None
    work, person = request_context.work(), dates_request.person
    if form is not None and form.reason.data in labels.DAILY_REASONS:
        # Stored as a key; in a field that staff may change it stands in words.
        form.reason.data = request_context.translator().gettext(labels.DAILY_REASONS[form.reason.data])
    page = render_template(
        "schedule/dates.html",
        course=dates_request.treatment_dates,
        page=dates_page.read_dates_page(work, person, dates_request.treatment_dates, request_context.language()),
        phase=treatment_phases.read_phase(work, person),
        plan_id=person.plan,
        reasons=dates_page.NOT_GIVEN,
        not_given=not_given,
        form=form,
        kind=kind,
        known=kind.day(form.digits if kind.most else 0) if form and kind else None,
        words=dates_request.words,
        not_cleared=not_cleared,
        asks_scope=form is not None and kind is not None and _asks_scope(dates_request, _any_day(dates_request, kind)),
    )
    return page, status


def _any_day(dates_request: _DatesRequest, kind: DateKind) -> DateChange:
    return DateChange(kind.id, 0, dates_request.treatment_dates.today)


def _preview_page(
    dates_request: _DatesRequest, form: TreatmentDateForm, wish: DateChange, found: ChangePreview, stale: bool = False
) -> ResponseReturnValue:
    kind = dates_request.kind(wish.kind)
    rows = visit_schedule.list_form_changes(
        request_context.work(), dates_request.person, found, request_context.language()
    )
    form.seen.data = found.digest
    page = render_template(
        "schedule/dates_preview.html",
        course=dates_request.treatment_dates,
        form=form,
        kind=kind,
        wish=wish,
        known=kind.day(wish.number),
        expected=dict(kind.coming).get(wish.number),
        rows=rows,
        counts=Counter(row.what for row in rows).most_common(),
        stale=stale,
        words=dates_request.words,
    )
    return page, 409 if stale else 200


@staff_page(pages, "/forms", endpoint="visit_schedule", right="see_dates", section="participants")
def show_forms(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the tab Forms: expected and received forms, the opened one, and how to send or enter one."""
    return participant_tabs.forms_page(participant_id)


@pages.post("/forms", endpoint="explain")
@needs("set_reason")
def set_missing_reason(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Record the reason of a missing form.

    Raises BadData for a form that is not missing.
    """
    form = MissedReasonForm()
    person = participant_page.read_participant(request_context.work(), participant_id)
    missed = {
        str(line.expected.id): line.expected.id
        for line in expected_forms.read_expected_forms(request_context.work(), person, request_context.language())
        if line.status == "missed" and line.expected.missed_at
    }
    if form.expected.data not in missed:
        raise BadData("unknown_line")
    is_valid = form.validate_on_submit()
    if form.reason.data and form.reason.data not in MISSING_REASONS:
        form.reason.errors, is_valid = [REFUSALS["unknown"]], False
    if not is_valid:
        return participant_tabs.forms_page(participant_id, reason=form, status=400)
    expected_forms.set_missing_reason(
        request_context.work(), missed[form.expected.data], form.reason.data, form.note.data or ""
    )
    notify("reason_set")
    target = url_for("staff.dates.visit_schedule", participant_id=participant_id, _anchor=f"line-{form.expected.data}")
    return redirect(target, code=303)
