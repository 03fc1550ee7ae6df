"""The page of one alert, and everything that is done on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import cast

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_blueprint, staff_page
from pro.features.adverse_events import adverse_event_log
from pro.features.alerts import alert_handling, alert_page, alert_service, stable_symptoms
from pro.features.alerts.alert_page import AlertPage
from pro.features.alerts.pages import answer_groups, handling_path
from pro.features.alerts.pages.forms import AlertCallForm, CloseForm, NoteForm, StableForm
from pro.features.alerts.stable_symptoms import StableOffer
from pro.features.schedule import missed_forms
from pro.web import request_context, typed_moments
from pro.web.forms import choices, posted_row_number
from pro.web.notices import notify
from pro.web.page_registry import UnsavedTextRule
from pro.web.refusals import N_

Typed = MultiDict[str, str] | None
ALERT_URL = "/alerts/<int(max=2147483647):alert_id>"


@dataclass
class AlertForms:
    """The forms of an alert's page. What was typed is in the one that was sent, ``sent``; its errors stand on top."""

    note: NoteForm
    call: AlertCallForm
    close: CloseForm
    stable: StableForm
    offer: StableOffer | None
    sent: FlaskForm


def restore_alert_page(typed: MultiDict[str, str], alert_id: int) -> ResponseReturnValue:
    """Return the page with the text that was ``typed`` before a sign-in, in its form."""
    return _render(*_page_with_forms(alert_id, typed.get("do", "") or "note", typed))


@staff_page(
    staff_blueprint,
    ALERT_URL,
    endpoint="alert",
    right="see_alert",
    section="to_do_list",
    way_back=N_("the alert you opened"),
    kept=UnsavedTextRule(restore_alert_page, "note"),
)
def show_alert(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Show an alert with what a decision needs."""
    return _render(*_page_with_forms(alert_id, "", None))


@staff_blueprint.post(ALERT_URL, endpoint="alert_act")
@needs("see_alert")
def act_on_alert(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Do what the pressed button says (acknowledge, take over, note, call, mark as stable, close) if the role may."""
    found = ACTIONS.get(request.form.get("do", ""))
    if found is None:
        raise BadData("unknown_act")
    right, does = found
    page_guard.require_right(staff, right)
    return does(staff, alert_id)


def _acknowledge(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Acknowledge what was on the page, and only that: what came later must be read first."""
    page = alert_page.alert_page(request_context.work(), alert_id, request_context.language())
    done = alert_service.acknowledge(request_context.work(), _shown_alert_ids(page))
    others = [(name, at) for _id, name, at in done.already if name != staff.name]
    if done.new:
        notify("acknowledged")
    elif others:
        name, at = others[0]
        notify("somebody_first", name=name, at=at.isoformat())
    else:
        notify("acknowledged_before")
    later = set(page.open_ids) - set(done.new)
    if later:
        notify("later", count=len(later))
    return _redirect_to_alert(alert_id)


def _add_note(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    page, forms = _page_with_forms(alert_id, "note", request.form)
    if not forms.note.validate_on_submit():
        return _render(page, forms, status=400)
    alert_service.add_note(request_context.work(), page.case.source, forms.note.text.data)
    notify("noted")
    return _redirect_to_alert(alert_id)


def _take_over(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    page = alert_page.alert_page(request_context.work(), alert_id, request_context.language())
    holder = posted_row_number(request.form.get("holder"))
    if holder is None:
        raise BadData("unknown_act")
    taken = alert_handling.take_over_alerts(request_context.work(), page.case.source, holder, _shown_alert_ids(page))
    if taken.count:
        notify("taken_later", count=taken.count)
        return _render(*_page_with_forms(alert_id, "", None), status=409)
    if taken.done:
        notify("taken_over")
    elif taken.holder.staff_id == staff.id:
        notify("acknowledged_before")
    else:
        notify("owned_first", name=taken.holder.name, at=taken.holder.since.isoformat())
    return _redirect_to_alert(alert_id)


def _log_call(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    page, forms = _page_with_forms(alert_id, "call", request.form)
    if not forms.call.validate_on_submit():
        return _render(page, forms, status=400)
    try:
        missed_forms.log_call(
            request_context.work(),
            at=typed_moments.moment_typed(forms.call.at.data),
            outcome=forms.call.outcome.data,
            text=forms.call.text.data or "",
            participant_id=page.participant.id,
            source=page.case.source,
        )
    except BadData as refusal:
        forms.call.refuse(_refused_fields(refusal))
        return _render(page, forms, status=400)
    if forms.call.outcome.data == "died":
        notify("call_died", participant_id=page.participant.id)
    elif forms.call.outcome.data == "wrong_number":
        notify("call_wrong_number", participant_id=page.participant.id)
    else:
        notify("call_logged")
    return _redirect_to_alert(alert_id)


def _close(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Close what the page showed. The second of two people reads what the first did; typed text stays."""
    page, forms = _page_with_forms(alert_id, "close", request.form)
    form = forms.close
    shown = _shown_alert_ids(page)
    try:
        closed = alert_handling.close_alerts(
            request_context.work(),
            page.case.source,
            shown,
            form.disposition.data or "",
            form.reason.data or "",
            not_serious=form.not_serious.data or "",
        )
    except BadData as refusal:
        form.refuse(_refused_fields(refusal))
        return _render(page, forms, status=400)
    if closed.why == "later":
        notify("closed_later", count=closed.count)
        return _render(page, forms, status=409)
    if closed.why == "first":
        at = closed.at.isoformat() if closed.at else request_context.work().now.isoformat()
        notify("closed_first", name=closed.name, at=at, disposition=closed.disposition)
        return _render(page, forms, status=409)
    notify("closed")
    return redirect(url_for("staff.to_do_list"), code=303)


def _mark_stable(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    page, forms = _page_with_forms(alert_id, "stable", request.form)
    form = forms.stable
    try:
        count = stable_symptoms.mark_stable(
            request_context.work(),
            page.case.source,
            form.items.data or [],
            form.reason.data or "",
            request_context.language(),
            _shown_alert_ids(page),
        )
    except BadData as refusal:
        form.refuse(_refused_fields(refusal))
        return _render(page, forms, status=400)
    except NotAllowed as first:
        if first.why == "later":
            notify("stable_later", count=first.details["count"])
            return _render(page, forms, status=409)
        notify("stable_first", name=first.details["name"], at=cast(datetime, first.details["at"]).isoformat())
        return _render(page, forms, status=409)
    notify("stable_marked", count=count, participant_id=page.participant.id)
    return _redirect_to_alert(alert_id)


# What a button says -> the right that it needs, and what it does.
ACTIONS: Mapping[str, tuple[str, Callable[[SignedInStaff, int], ResponseReturnValue]]] = {
    "acknowledge": ("acknowledge", _acknowledge),
    "note": ("note", _add_note),
    "take_over": ("take_over", _take_over),
    "call": ("log_call", _log_call),
    "close": ("close_alert", _close),
    "stable": ("mark_stable", _mark_stable),
}


def _shown_alert_ids(page: AlertPage) -> list[int]:
    """Return the alerts that the posted page showed. Raise BadData for an alert of another form, and for none."""
    filed_here = {str(finding.alert_id): finding.alert_id for finding in page.findings}
    shown = set(request.form.getlist("alert"))
    if not shown or not shown <= set(filed_here):
        raise BadData("unknown_alert")
    return sorted(filed_here[text] for text in shown)


def _refused_fields(refusal: BadData) -> dict[str, str]:
    fields = refusal.details.get("fields")
    return fields if isinstance(fields, dict) else {}


def _redirect_to_alert(alert_id: int) -> ResponseReturnValue:
    return redirect(url_for("staff.alert", alert_id=alert_id), code=303)


def _page_with_forms(alert_id: int, sent: str, typed: Typed) -> tuple[AlertPage, AlertForms]:
    """Return the page and its forms; the ``typed`` values are in the form that ``sent`` names."""
    work = request_context.work()
    shown = alert_page.alert_page(work, alert_id, request_context.language())
    given = {name: typed if name == sent else None for name in ("note", "call", "close", "stable")}
    now = typed_moments.local_now()
    forms = AlertForms(
        note=NoteForm(formdata=given["note"]),
        call=AlertCallForm(formdata=given["call"], at=now),
        close=CloseForm(formdata=given["close"]),
        stable=StableForm(formdata=given["stable"]),
        offer=stable_symptoms.stable_offer(work, shown.case.source, request_context.language())
        if page_guard.has_right("mark_stable")
        else None,
        sent=NoteForm(formdata=None),
    )
    if forms.offer:
        named = ((one.item, f"{one.question} {one.answer}") for one in forms.offer.items)
        forms.stable.items.choices = choices(named)
    forms.sent = {"call": forms.call, "close": forms.close, "stable": forms.stable}.get(sent, forms.note)
    return shown, forms


def _render(page: AlertPage, forms: AlertForms, status: int = 200) -> ResponseReturnValue:
    work, source = request_context.work(), page.case.source
    judged = adverse_event_log.case_gradings(work, source, request_context.language())
    closings = alert_handling.closures_of(work, source)
    shown = {
        "page": page,
        "case": page.case,
        "forms": forms,
        "form": forms.note,
        "course": _merge_same_minute(page.events),
        "judged": judged,
        "path": handling_path.handling_path(
            page,
            assessed=alert_handling.is_case_assessed(work, source),
            assessment=(judged[0].row.at, judged[0].name) if judged else None,
            closings=closings,
        ),
        "answers": answer_groups.group_answers(page.answers),
        "calls": page.calls,
        "standing_ids": [one.alert_id for one in page.findings if not one.closed and not one.superseded],
        "closings": closings,
        "report_hours": work.catalogue.terms.report_hours,
        "emergency": work.catalogue.shown_plan(page.participant.plan).settings.emergency,
    }
    return render_template("alerts/alert.html", **shown), status


def _merge_same_minute(events: Iterable[tuple[datetime, str, str]]) -> list[tuple[datetime, str, str]]:
    """Merge events of one kind in the same minute into one line: seven rules fired, not seven lines."""
    found = []
    for (at, key), group in groupby(events, key=lambda event: (event[0].replace(second=0, microsecond=0), event[1])):
        found.append((at, key, " ".join(dict.fromkeys(detail for _at, _key, detail in group if detail))))
    return found
