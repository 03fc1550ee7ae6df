"""Views of the duty roster: the next weeks; add, hand over and cancel shifts and absences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import BooleanField, DateTimeLocalField, RadioField, SelectField

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.duty_roster import roster_service
from pro.features.duty_roster.roster_service import EditableShift, RosterConflict
from pro.web import request_context
from pro.web.forms import choices, posted_row_number
from pro.web.labels import PLACES_HELD, moment_shown
from pro.web.notices import notify
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("roster", __name__, url_prefix="/roster")

TYPED_FORMAT = "%Y-%m-%dT%H:%M"
FORMATS = [TYPED_FORMAT, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]


class RosterIntervalForm(FlaskForm):
    """Form for a staff member and an interval in local time of the study.

    Field names are those of the refusals of ``features.duty_roster.roster_service``. Only this service checks the
    values: it knows the roster and returns all problems at once.
    """

    person = SelectField(N_("Staff member"), validate_choice=False, coerce=str)
    starts = DateTimeLocalField(N_("From"), format=FORMATS)
    ends = DateTimeLocalField(N_("To"), format=FORMATS)
    # Shown once the person holds the other place in that time.
    both_places = BooleanField(N_("Confirm: on call and backup at the same time"))
    asks_both = False

    def offer(self, people: Iterable[tuple[int, str]]) -> None:
        """Set the staff members to choose from, as (number, name)."""
        placeholder = request_context.translator().gettext("Please choose")
        self.person.choices = choices([("", placeholder), *((str(number), name) for number, name in people)])

    def wish(self) -> tuple[int | None, datetime | None, datetime | None]:
        """Return number of the staff member, start and end; None for a missing or invalid value."""
        text = self.person.data or ""
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        return number, self.starts.data, self.ends.data

    def refuse(self, bad: BadData) -> None:
        """Show the refusals beside their fields, with the conflicting shift or absence."""
        fields, whose = bad.details["fields"], bad.details.get("whose")
        self.asks_both = isinstance(fields, dict) and "holds_other_place" in fields.values()
        for name, why in fields.items() if isinstance(fields, dict) else ():
            self[name].errors = [_refusal_sentence(why, whose if isinstance(whose, RosterConflict) else None)]


class ShiftForm(RosterIntervalForm):
    """Form for a shift of one study, on call or as backup."""

    plan = RadioField(N_("Study"), validate_choice=False)
    place = RadioField(N_("Shift type"), validate_choice=False)


AnyIntervalForm = TypeVar("AnyIntervalForm", bound=RosterIntervalForm)


@staff_page(
    pages, "", endpoint="show", right="see_roster", title=N_("Duty roster"), menu=70, way_back=N_("the duty roster")
)
def show_roster(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the next four weeks.

    ``starts`` and ``ends`` in the address, as in the link of a gap, fill the form.
    """
    return _page(_shift_form(), _absence_form())


@pages.post("", endpoint="change")
@needs("edit_roster")
def change_roster(staff: SignedInStaff) -> ResponseReturnValue:
    """Add a shift or an absence, or cancel an absence.

    Raises BadData for any other action.
    """
    act = request.form.get("do", "")
    if act == "duty":
        return _add_shift()
    if act == "absence":
        return _add_absence()
    if act == "back" and (number := posted_row_number(request.form.get("absence"))) is not None:
        try:
            roster_service.cancel_absence(request_context.work(), number)
        except NotAllowed as refusal:
            return _redirect_after_conflict(refusal)
        return _redirect_with_notice("absence_back")
    raise BadData("unknown_act")


@staff_page(pages, "/shifts/<int(max=2147483647):shift_id>", endpoint="shift", right="edit_roster")
def show_shift(staff: SignedInStaff, shift_id: int) -> ResponseReturnValue:
    """Show one shift, to hand over or to cancel."""
    try:
        shift = roster_service.read_shift(request_context.work(), shift_id)
    except NotAllowed as refusal:
        return _redirect_after_conflict(refusal)
    return _shift_page(shift, _hand_over_form(shift))


@pages.post("/shifts/<int(max=2147483647):shift_id>", endpoint="shift_act")
@needs("edit_roster")
def act_on_shift(staff: SignedInStaff, shift_id: int) -> ResponseReturnValue:
    """Hand over a part of the shift to another staff member, or cancel the shift.

    Raises BadData for any other action.
    """
    act = request.form.get("do", "")
    try:
        if act == "back":
            roster_service.cancel_shift(request_context.work(), shift_id)
            return _redirect_with_notice("duty_back")
        if act == "hand_over":
            return _hand_over_shift(roster_service.read_shift(request_context.work(), shift_id))
    except NotAllowed as refusal:
        return _redirect_after_conflict(refusal)
    raise BadData("unknown_act")


def _add_shift() -> ResponseReturnValue:
    form = _shift_form(request.form)
    person, starts, ends = form.wish()
    try:
        roster_service.add_shift(
            request_context.work(),
            form.plan.data or "",
            person,
            form.place.data or "",
            starts,
            ends,
            both_places=form.both_places.data,
        )
    except BadData as bad:
        form.refuse(bad)
        return _page(form, _absence_form(), status=400)
    return _redirect_with_notice("duty_put")


def _add_absence() -> ResponseReturnValue:
    form = _absence_form(request.form)
    try:
        _absence, overlapping_shifts = roster_service.add_absence(request_context.work(), *form.wish())
    except BadData as bad:
        form.refuse(bad)
        return _page(_shift_form(), form, status=400)
    if overlapping_shifts:
        notify("absence_over_duty")
    return _redirect_with_notice("absence_put")


def _hand_over_shift(shift: EditableShift) -> ResponseReturnValue:
    form = _hand_over_form(shift, request.form)
    try:
        both = form.both_places.data
        roster_service.hand_over_shift(request_context.work(), shift.id, *form.wish(), both_places=both)
    except BadData as bad:
        form.refuse(bad)
        return _shift_page(shift, form, status=400)
    return _redirect_with_notice("handed_over")


def _redirect_with_notice(key: str) -> ResponseReturnValue:
    notify(key)
    return redirect(url_for("staff.roster.show"), code=303)


def _redirect_after_conflict(refusal: NotAllowed) -> ResponseReturnValue:
    """Redirect to the current roster with a notice: who changed it, or that the time is past."""
    at = refusal.details.get("at")
    if isinstance(at, datetime):
        notify("roster_changed", name=refusal.details["name"], at=at.isoformat())
        return redirect(url_for("staff.roster.show"), code=303)
    return _redirect_with_notice("roster_past")


def _page(form: ShiftForm, absence: RosterIntervalForm, status: int = 200) -> ResponseReturnValue:
    work = request_context.work()
    plans = work.catalogue.plans.values()
    page = render_template(
        "duty_roster/roster.html",
        rosters=[roster_service.read_roster_page(work, plan) for plan in plans],
        titles={plan.id: work.catalogue.plan_words[plan.id, request_context.language()].title for plan in plans},
        absences=roster_service.list_absences(work),
        form=form,
        absence=absence,
        typed=_field_value,
    )
    return page, status


def _shift_page(shift: EditableShift, form: RosterIntervalForm, status: int = 200) -> ResponseReturnValue:
    return render_template("duty_roster/duty.html", duty=shift, form=form), status


def _shift_form(typed: Mapping[str, str] | None = None) -> ShiftForm:
    plans = request_context.app_context().catalogue.plans
    form = ShiftForm(formdata=typed, starts=_datetime_from_query("starts"), ends=_datetime_from_query("ends"))
    form.plan.choices = choices(
        (plan, request_context.app_context().catalogue.plan_words[plan, request_context.language()].title)
        for plan in plans
    )
    form.place.choices = choices(PLACES_HELD.items())
    if typed is None:
        form.plan.data = request.args.get("plan") or (next(iter(plans)) if len(plans) == 1 else None)
        form.place.data = "on_call" if form.starts.data else None
    return _with_staff_choices(form)


def _absence_form(typed: Mapping[str, str] | None = None) -> RosterIntervalForm:
    # The page has two forms: their fields must have different names.
    return _with_staff_choices(RosterIntervalForm(formdata=typed, prefix="absence-"))


def _hand_over_form(shift: EditableShift, typed: Mapping[str, str] | None = None) -> RosterIntervalForm:
    now = request_context.work().now
    starts, ends = max(shift.interval.starts, now), shift.interval.ends
    return _with_staff_choices(RosterIntervalForm(formdata=typed, starts=_to_local(starts), ends=_to_local(ends)))


def _with_staff_choices(form: AnyIntervalForm) -> AnyIntervalForm:
    form.offer((person.id, person.name) for person in roster_service.eligible_staff(request_context.work()))
    return form


def _datetime_from_query(name: str) -> datetime | None:
    """Return the local time ``name`` of the address; None if it is missing or invalid."""
    try:
        return datetime.strptime(request.args.get(name, ""), TYPED_FORMAT)  # noqa: DTZ007  local, as it is typed
    except ValueError:
        return None


def _to_local(at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(request_context.state().zone)).replace(tzinfo=None)


def _field_value(at: datetime | None) -> str | None:
    """Return ``at`` in the format of the date and time fields."""
    return _to_local(at).strftime(TYPED_FORMAT) if at else None


def _refusal_sentence(why: str, whose: RosterConflict | None) -> str:
    """Return the sentence for ``why``, with name and times of the conflicting entry."""
    text = request_context.translator().gettext(REFUSALS[why])
    if whose is None:
        return text
    now = request_context.work().now
    said = Markup(text) % {  # noqa: S704  translations are trusted; the name is escaped
        "name": whose.name,
        "starts": moment_shown(whose.interval.starts, now),
        "ends": moment_shown(whose.interval.ends, now),
    }
    # The template passes the sentence through gettext again, which would interpret a "%" in a name.
    return said.replace("%", "%%")
