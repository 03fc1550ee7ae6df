"""Views of the participant card: state, a new card to print, revocation."""

from __future__ import annotations

import base64

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import NotAllowed
from pro.exports import card_pdf
from pro.exports.card_pdf import PrintedCard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.forms import participant_cards
from pro.features.forms.participant_cards import CardDraft
from pro.features.participants.pages import participant_page
from pro.features.participants.pages.forms import CardForm
from pro.i18n import LANGUAGES
from pro.web import request_context, study_header
from pro.web.notices import notify
from pro.web.page_languages import PageLanguage
from pro.web.refusals import REFUSALS
from pro.web.study_header import ParticipantInfo as Participant

pages = Blueprint("cards", __name__, url_prefix="/participants/<int(max=2147483647):participant_id>/card")


@staff_page(pages, "", endpoint="show", right="make_card", section="participants")
def show_card(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the state of the card and the available actions."""
    return _page(participant_id, CardForm(formdata=None))


@pages.post("", endpoint="act")
@needs("make_card")
def act_on_card(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Make a card, or revoke it.

    The page in response holds the files of the new card, once.
    """
    do = request.form.get("do")
    if do == "revoke":
        if participant_cards.revoke_card(
            request_context.work(), participant_page.read_participant(request_context.work(), participant_id)
        ):
            notify("card_revoked")
        return redirect(url_for("staff.participants.records", participant_id=participant_id), code=303)
    form = CardForm()
    if do != "make" or not form.validate():
        return _page(participant_id, form, 400)
    return _make_card(participant_id, form)


def _make_card(participant_id: int, form: CardForm) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    pin = form.pin.data or ""
    refused = participant_cards.card_problem(person, pin)
    if refused:
        form.pin.errors = [REFUSALS[refused]]
        return _page(participant_id, form, 400 if refused == "pin_digits" else 409)
    draft = participant_cards.draft_card(request_context.work())
    html = _printed_card_html(person, draft)
    # Drawing takes one or two seconds; release the database for other requests.
    request_context.release()
    try:
        printed = card_pdf.print_card(html)
    except NotAllowed as refusal:
        form.pin.errors = [REFUSALS[refusal.why]]
        return _page(participant_id, form, 503)
    participant_cards.make_card(
        request_context.work(), participant_page.read_participant(request_context.work(), participant_id), pin, draft
    )
    return _card_made_page(participant_id, draft, printed)


def _card_made_page(participant_id: int, draft: CardDraft, printed: PrintedCard) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    files = {
        "pdf": f"data:application/pdf;base64,{base64.b64encode(printed.pdf).decode()}",
        "png": f"data:image/png;base64,{base64.b64encode(printed.png).decode()}",
    }
    return render_template("participants/card_made.html", person=person, code=draft.shown, files=files)


def _page(participant_id: int, form: CardForm, status: int = 200) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    form.pin.data = ""
    own_card = participant_cards.newest_card(request_context.work(), participant_id)
    shown = {"person": person, "form": form, "own_card": own_card, "why_not": participant_cards.card_problem(person)}
    return render_template("participants/card.html", **shown), status


def _printed_card_html(person: Participant, draft: CardDraft) -> str:
    """Return the HTML of the card to print, the participant's own language first."""
    app_context = request_context.app_context()
    faces = [
        PageLanguage(
            app_context.catalogs.translator(code),
            study_header.read_study_header(app_context, person.plan, code).words,
            code == person.language,
        )
        for code in sorted(LANGUAGES, key=lambda code: code != person.language)
    ]
    return render_template(
        "participants/printed_card.html",
        faces=faces,
        participant_number=person.participant_number,
        settings=study_header.read_study_header(app_context, person.plan, person.language).settings,
        qr=f"qr:{participant_cards.card_link(request_context.work(), draft)}",
        # Browsers add https by themselves; a shorter address means fewer typing errors.
        address=app_context.config.base_url.removeprefix("https://"),
        code=draft.shown,
    )
