"""Pages where a participant types an access code, or scans a card and types its PIN.

A GET changes nothing. After the PIN the browser keeps a sealed pass (``participant_cards.make_pass``), with which the
participant chooses among the forms that are due.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from pro.errors import NotFound
from pro.features.assessments.pages import form_session_pages
from pro.features.forms import due_forms, form_access, participant_cards
from pro.features.forms.form_access import CodeAttempt
from pro.features.forms.participant_cards import CardHolder, PinAttempt
from pro.i18n import LANGUAGES
from pro.web import devices, request_context

pages = Blueprint("access", __name__)
pages.before_request(form_session_pages.require_form_body)

PASS_COOKIE = "card"  # noqa: S105  the cookie's name
NO_ATTEMPT = PinAttempt()
# Reason why the PIN page is shown again -> status; a reason not listed is a typing mistake (422).
PIN_STATUSES = {"locked": 410, "revoked": 410}


@pages.get("/", endpoint="code_entry")
def show_code_entry() -> Response:
    """Show the page for a code from a card or a text message."""
    return form_session_pages.code_page()


@pages.post("/", endpoint="code_typed")
def submit_code() -> Response:
    """Try a code: redirect to the form, or show the card's PIN page or the code page again."""
    return card_pin_page() or form_session_pages.try_code("questionnaire.resume")


def card_pin_page() -> Response | None:
    """Return the PIN page if the code that was typed is a card's, else None."""
    typed = request.form.get("code", "")[:64]
    if request.form.get("do") == "language" or not participant_cards.is_card_code(request_context.work(), typed):
        return None
    return _pin_page(NO_ATTEMPT, url_for("access.card_code"), code=form_access.normalize_code(typed))


@pages.get("/c", endpoint="card_lost")
def redirect_to_code_entry() -> Response:
    """Redirect to the code page: a reloaded PIN page has lost the code of its card."""
    return form_session_pages.redirect_to("access.code_entry")


@pages.post("/c", endpoint="card_code")
def submit_card_code() -> Response:
    """Try the PIN after a card's code was typed."""
    code = request.form.get("code", "")[:64]
    url = url_for("access.card_code")
    if request.form.get("do") == "language":
        return _pin_page(NO_ATTEMPT, url, code=code)
    entry = participant_cards.try_pin(request_context.work(), _typed_pin(), form_session_pages.visitor_key(), code=code)
    if entry.why == "unknown":
        page = form_session_pages.code_page(CodeAttempt(why="unknown"), code, 422, url=url_for("access.code_entry"))
        return form_session_pages.note_wrong_attempt(page, entry.delay)
    return _respond_to_pin(entry, url, code)


@pages.get("/c/<token>", endpoint="card_link")
def show_card_pin(token: str) -> Response:
    """Show the PIN page behind a card's QR code. It names no participant."""
    state = participant_cards.card_state_by_link(request_context.work(), token)
    return _pin_page(PinAttempt(state) if state in ("locked", "revoked") else NO_ATTEMPT, request.path)


@pages.post("/c/<token>", endpoint="card_link_pin")
def submit_card_pin(token: str) -> Response:
    """Try the PIN after a card's QR code was scanned. Raises NotFound for an unknown card."""
    if request.form.get("do") == "language":
        return show_card_pin(token)
    entry = participant_cards.try_pin(
        request_context.work(), _typed_pin(), form_session_pages.visitor_key(), token=token
    )
    if entry.why == "unknown":
        raise NotFound("link")
    return _respond_to_pin(entry, request.path)


@pages.get("/due", endpoint="due")
def show_due_forms() -> Response:
    """Show the forms that are due to the holder of the card, or when the next one opens."""
    guest = current_guest()
    now = due_forms.due_forms(request_context.work(), guest.participant, request_context.language())
    return form_session_pages.render_page("assessments/due.html", participant=guest.participant, due=now)


@pages.post("/due", endpoint="due_chosen")
def open_due_form() -> Response:
    """Open the form that was chosen, or the check-in if the participant wants to report now."""
    return _open_form(current_guest(), request.form.get("form", ""))


def _respond_to_pin(entry: PinAttempt, url: str, code: str = "") -> Response:
    """Redirect to the forms that are due, or show the PIN page again if the PIN was refused."""
    if entry.guest is None:
        return form_session_pages.note_wrong_attempt(_pin_page(entry, url, code=code), entry.delay)
    # Until the PIN is right, the language is the browser's; then it is the participant's, unless another was chosen.
    chosen = {name: text for name, text in (("lang", _chosen_language()),) if text}
    kept = participant_cards.make_pass(request_context.work(), entry.guest.card)
    guest = _resolve_guest(kept)
    only = due_forms.due_forms(request_context.work(), guest.participant, request_context.language()).only_form
    answer = _open_form(guest, only, **chosen) if only else form_session_pages.redirect_to("access.due", **chosen)
    answer.set_cookie(
        PASS_COOKIE,
        kept,
        max_age=int(participant_cards.PASS_LIFETIME.total_seconds()),
        path=url_for("access.due"),
        httponly=True,
        samesite="Lax",
        secure=request_context.app_context().config.secure_cookies,
    )
    return answer


def _open_form(guest: CardHolder, instrument: str, **chosen: str) -> Response:
    work = request_context.work()
    form, secret = due_forms.open_due_form(
        work,
        guest.participant,
        instrument,
        identified_by="card",
        device=_device(),
        language=request_context.language(),
    )
    return form_session_pages.set_session_cookie(
        form_session_pages.redirect_to("questionnaire.resume", ref=form.ref, **chosen), form.ref, secret
    )


def current_guest() -> CardHolder:
    """Return the holder of the card whose PIN was typed in this browser."""
    return _resolve_guest(request.cookies.get(PASS_COOKIE, ""))


def _resolve_guest(kept: str) -> CardHolder:
    guest = participant_cards.read_card_holder(request_context.work(), kept)
    form_session_pages.act_as_participant(guest.participant)
    return guest


def _chosen_language() -> str:
    wish = request.args.get("lang") or request.cookies.get("lang", "")
    return wish if wish in LANGUAGES else ""


def _pin_page(entry: PinAttempt, url: str, *, code: str = "") -> Response:
    status = PIN_STATUSES.get(entry.why, 422) if entry.why else 200
    return form_session_pages.render_page("assessments/pin.html", status, url=url, entry=entry, code=code)


def _typed_pin() -> str:
    return request.form.get("pin", "")[:64]


def _device() -> str:
    return devices.device_class(request.user_agent.string)
