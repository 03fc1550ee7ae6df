"""Staff pages about a participant's card: its state, a new one to print, revoking it."""

from __future__ import annotations

import base64

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import NotAllowed
from pro.exports import card_pdf
from pro.exports.card_pdf import Printed
from pro.i18n import LANGUAGES
from pro.services import cards, records
from pro.services.cards import Draft
from pro.web import screens, site
from pro.web.errors import Tongue
from pro.web.guard import Person, needs
from pro.web.screens import Person as Participant
from pro.web.staff_forms import CardForm
from pro.web.staff_page import notify
from pro.web.staff_refusals import REFUSALS

pages = Blueprint("cards", __name__, url_prefix="/participants/<int(max=2147483647):participant_id>/card")


@pages.get("")
@needs("make_card")
def show(staff: Person, participant_id: int) -> ResponseReturnValue:
    """The state of the card, and what can be done with it."""
    return _page(participant_id, CardForm(formdata=None))


@pages.post("")
@needs("make_card")
def act(staff: Person, participant_id: int) -> ResponseReturnValue:
    """Make a card (the page that answers holds its files, once), or revoke it."""
    do = request.form.get("do")
    if do == "revoke":
        if cards.revoke(site.work(), records.participant(site.work(), participant_id)):
            notify("card_revoked")
        return redirect(url_for("staff.participants.one", participant_id=participant_id), code=303)
    form = CardForm()
    if do != "make" or not form.validate():
        return _page(participant_id, form, 400)
    return _make(participant_id, form)


def _make(participant_id: int, form: CardForm) -> ResponseReturnValue:
    person = records.participant(site.work(), participant_id)
    pin = form.pin.data or ""
    refused = cards.why_not(person, pin)
    if refused:
        form.pin.errors = [REFUSALS[refused]]
        return _page(participant_id, form, 400 if refused == "pin_digits" else 409)
    draft = cards.draft(site.work())
    html = _sheet(person, draft)
    # Drawing takes a second or two, in which others must be able to write.
    site.let_go()
    try:
        printed = card_pdf.print_card(html)
    except NotAllowed as refusal:
        form.pin.errors = [REFUSALS[refusal.why]]
        return _page(participant_id, form, 503)
    cards.make_card(site.work(), records.participant(site.work(), participant_id), pin, draft)
    return _made(participant_id, draft, printed)


def _made(participant_id: int, draft: Draft, printed: Printed) -> ResponseReturnValue:
    person = records.participant(site.work(), participant_id)
    files = {
        "pdf": f"data:application/pdf;base64,{base64.b64encode(printed.pdf).decode()}",
        "png": f"data:image/png;base64,{base64.b64encode(printed.png).decode()}",
    }
    return render_template("staff/card_made.html", person=person, code=draft.shown, files=files)


def _page(participant_id: int, form: CardForm, status: int = 200) -> ResponseReturnValue:
    person = records.participant(site.work(), participant_id)
    form.pin.data = ""
    own_card = cards.newest(site.work(), participant_id)
    shown = {"person": person, "form": form, "own_card": own_card, "why_not": cards.why_not(person)}
    return render_template("staff/card.html", **shown), status


def _sheet(person: Participant, draft: Draft) -> str:
    """The sheet to print, the participant's own language first."""
    house = site.house()
    faces = [
        Tongue(
            house.catalogs.translator(code), screens.study_of(house, person.plan, code).words, code == person.language
        )
        for code in sorted(LANGUAGES, key=lambda code: code != person.language)
    ]
    return render_template(
        "card/card.html",
        faces=faces,
        study_number=person.study_number,
        settings=screens.study_of(house, person.plan, person.language).settings,
        qr=f"qr:{cards.link(site.work(), draft)}",
        # Browsers try https by themselves; each letter less is one that nobody mistypes.
        address=house.config.base_url.removeprefix("https://"),
        code=draft.shown,
    )
