"""Views of informed consent: signed versions, a new version, withdrawal of consent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.participants import consent_records
from pro.features.participants.pages import participant_page
from pro.features.participants.pages.forms import ConsentForm, WithdrawForm
from pro.features.schedule import enrolment
from pro.web import request_context
from pro.web.forms import choices
from pro.web.labels import LANGUAGES
from pro.web.notices import notify
from pro.web.refusals import REFUSALS

pages = Blueprint("consent", __name__)
PATH = "/participants/<int(max=2147483647):participant_id>/consent"


@staff_page(pages, PATH, endpoint="show", right="see_participants", section="participants")
def show_consent(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show every signed version of the consent form and whether it is in effect."""
    person = participant_page.read_participant(request_context.work(), participant_id)
    request_context.work().record("participant.seen", person, participant_id=person.id)
    return _page(person.id, _consent_form(person.id), WithdrawForm(formdata=None))


@pages.post(PATH, endpoint="act")
@needs("record_consent")
def act_on_consent(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Record a new signed version, or the withdrawal of consent.

    Raises BadData for any other action.
    """
    wish = request.form.get("do", "")
    if wish == "sign":
        return _record_consent(participant_id)
    if wish == "withdraw":
        return _withdraw_consent(participant_id)
    raise BadData("unknown_act")


def _record_consent(participant_id: int) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    form = _consent_form(participant_id, request.form)
    try:
        consent_records.record_consent(request_context.work(), person, **form.wish())
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _page(participant_id, form, WithdrawForm(formdata=None), 400)
    except NotAllowed as refusal:
        return _page(participant_id, form, WithdrawForm(formdata=None), 409, refusal.why)
    return _redirect_with_notice(participant_id, "consent_signed")


def _withdraw_consent(participant_id: int) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    form = WithdrawForm(request.form)
    try:
        enrolment.withdraw_consent(
            request_context.work(), person, scope=form.scope.data or "", told=form.told.data or ""
        )
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _page(participant_id, _consent_form(participant_id), form, 400)
    except NotAllowed as refusal:
        at = cast(datetime, refusal.details["at"])
        notify("withdrawn_first", name=refusal.details["name"], at=at.isoformat())
        return _page(participant_id, _consent_form(participant_id), form, 409)
    return _redirect_with_notice(participant_id, "consent_withdrawn")


def _redirect_with_notice(participant_id: int, key: str) -> ResponseReturnValue:
    notify(key)
    return redirect(url_for("staff.consent.show", participant_id=participant_id), code=303)


def _consent_form(participant_id: int, typed: Mapping[str, str] | None = None) -> ConsentForm:
    form = ConsentForm(formdata=typed)
    known = request_context.app_context().catalogue.languages
    form.language.choices = choices(item for item in LANGUAGES.items() if item[0] in known)
    if typed is None:
        form.language.data = participant_page.read_participant(request_context.work(), participant_id).language
    return form


def _page(
    participant_id: int, form: ConsentForm, withdrawal: WithdrawForm, status: int = 200, why: str = ""
) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    found = {
        "person": person,
        "rows": consent_records.list_consents(request_context.work(), person),
        "form": form,
        "withdrawal": withdrawal,
        "why": REFUSALS.get(why, why),
    }
    return render_template("participants/consent.html", **found), status
