"""A participant's consent: the versions that were signed, a new one, and a withdrawal that works at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, NotAllowed
from pro.models import Participant
from pro.services import consents, enrolment, records
from pro.web import site
from pro.web.guard import Person, needs
from pro.web.staff_forms import choices
from pro.web.staff_page import notify
from pro.web.staff_records_forms import ConsentForm, WithdrawForm
from pro.web.staff_refusals import REFUSALS
from pro.web.staff_words import LANGUAGES

pages = Blueprint("consent", __name__)
PATH = "/participants/<int(max=2147483647):participant_id>/consent"


@pages.get(PATH)
@needs("see_participants")
def show(staff: Person, participant_id: int) -> ResponseReturnValue:
    """Every version that was signed, and whether it stands."""
    person = records.participant(site.work(), participant_id)
    site.work().record("participant.seen", person, participant_id=person.id)
    return _page(person, _signing(person), WithdrawForm(formdata=None))


@pages.post(PATH)
@needs("record_consent")
def act(staff: Person, participant_id: int) -> ResponseReturnValue:
    """Record a new version, or the withdrawal."""
    person = records.participant(site.work(), participant_id)
    wish = request.form.get("do", "")
    if wish == "sign":
        return _sign(person)
    if wish == "withdraw":
        return _withdraw(person)
    raise BadData("unknown_act")


def _sign(person: Participant) -> ResponseReturnValue:
    form = _signing(person, request.form)
    try:
        consents.sign(site.work(), person, **form.wish())
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _page(person, form, WithdrawForm(formdata=None), 400)
    except NotAllowed as refusal:
        return _page(person, form, WithdrawForm(formdata=None), 409, refusal.why)
    return _done(person, "consent_signed")


def _withdraw(person: Participant) -> ResponseReturnValue:
    form = WithdrawForm(request.form)
    try:
        enrolment.withdraw_consent(site.work(), person, scope=form.scope.data or "", told=form.told.data or "")
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _page(person, _signing(person), form, 400)
    return _done(person, "consent_withdrawn")


def _done(person: Participant, key: str) -> ResponseReturnValue:
    notify(key)
    return redirect(url_for("staff.consent.show", participant_id=person.id), code=303)


def _signing(person: Participant, typed: Mapping[str, str] | None = None) -> ConsentForm:
    form = ConsentForm(formdata=typed)
    known = site.house().catalogue.languages
    form.language.choices = choices(item for item in LANGUAGES.items() if item[0] in known)
    if typed is None:
        form.language.data = person.language
    return form


def _page(
    person: Participant, form: ConsentForm, withdrawal: WithdrawForm, status: int = 200, why: str = ""
) -> ResponseReturnValue:
    found = {
        "person": person,
        "rows": consents.ledger(site.work(), person),
        "form": form,
        "withdrawal": withdrawal,
        "why": REFUSALS.get(why, why),
    }
    return render_template("staff/consent.html", **found), status
