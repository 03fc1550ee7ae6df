"""Ways in that are typed or scanned: a code at the fixed address, and the card with its PIN. A GET changes nothing.

After the PIN the browser keeps a pass (``access_cards.make_pass``) with which the person chooses among the forms that
are due.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from pro.errors import NotFound
from pro.features.assessments.pages import form_session_pages
from pro.features.forms import access_cards, due_forms, form_access
from pro.features.forms.access_cards import Guest, PinAttempt
from pro.features.forms.form_access import CodeTry
from pro.i18n import LANGUAGES
from pro.web import devices, request_context

pages = Blueprint("doors", __name__)
pages.before_request(form_session_pages.only_forms)

PASS_COOKIE = "card"  # noqa: S105  the cookie's name
ASKED = PinAttempt()
# Why the PIN page comes back -> status. What is typed wrongly is 422; a card that does not work is gone.
STATUSES = {"pause": 429, "locked": 410, "revoked": 410}


@pages.get("/")
def code_entry() -> Response:
    """Where a code from a card or a text message is typed."""
    return form_session_pages.code_page()


@pages.post("/")
def code_typed() -> Response:
    """Try a code: on to the form, to the PIN of the card, or the same page with what was typed and what to do."""
    return pin_wanted() or form_session_pages.try_code("questionnaire.resume")


def pin_wanted() -> Response | None:
    """The PIN page, if the code that was typed is a card's."""
    typed = request.form.get("code", "")[:64]
    if request.form.get("do") == "language" or not access_cards.is_code(request_context.work(), typed, _address()):
        return None
    return _pin_page(ASKED, url_for("doors.card_code"), code=form_access.plain_code(typed))


@pages.get("/c")
def card_lost() -> Response:
    """Somebody came back to the page of a card's PIN: its code has to be typed again."""
    return form_session_pages.to("doors.code_entry")


@pages.post("/c")
def card_code() -> Response:
    """The PIN after a card's code was typed."""
    code = request.form.get("code", "")[:64]
    url = url_for("doors.card_code")
    if request.form.get("do") == "language":
        return _pin_page(ASKED, url, code=code)
    entry = access_cards.enter(request_context.work(), _pin(), _address(), code=code)
    if entry.why == "unknown":
        return form_session_pages.code_page(CodeTry(why="unknown"), code, 422, url=url_for("doors.code_entry"))
    return _entered(entry, url, code)


@pages.get("/c/<token>")
def card_link(token: str) -> Response:
    """The page behind a card's QR code: it asks for the PIN and tells nothing about anybody."""
    state = access_cards.by_link(request_context.work(), token)
    return _pin_page(PinAttempt(state) if state in ("locked", "revoked") else ASKED, request.path)


@pages.post("/c/<token>")
def card_link_pin(token: str) -> Response:
    """The PIN after a card's QR code was scanned."""
    if request.form.get("do") == "language":
        return card_link(token)
    entry = access_cards.enter(request_context.work(), _pin(), _address(), token=token)
    if entry.why == "unknown":
        raise NotFound("link")
    return _entered(entry, request.path)


@pages.get("/due")
def due() -> Response:
    """What waits for whoever typed the PIN: forms to choose from, or when the next one comes."""
    guest = _guest()
    now = due_forms.due_forms(request_context.work(), guest.participant, request_context.language())
    return form_session_pages.page("assessments/due.html", participant=guest.participant, due=now)


@pages.post("/due")
def due_chosen() -> Response:
    """A form was chosen, or something is to be told now."""
    return _open(_guest(), request.form.get("form", ""))


def _entered(entry: PinAttempt, url: str, code: str = "") -> Response:
    """After a PIN was tried: on to what is due, or the PIN page again."""
    if entry.guest is None:
        return _pin_page(entry, url, code=code)
    # The card was a stranger's until now; from here on it may speak its owner's language, unless another was chosen.
    chosen = {name: text for name, text in (("lang", _chosen()),) if text}
    kept = access_cards.make_pass(request_context.work(), entry.guest.card)
    guest = _enter(kept)
    only = due_forms.due_forms(request_context.work(), guest.participant, request_context.language()).only
    answer = _open(guest, only, **chosen) if only else form_session_pages.to("doors.due", **chosen)
    answer.set_cookie(
        PASS_COOKIE,
        kept,
        max_age=int(access_cards.PASS.total_seconds()),
        path=url_for("doors.due"),
        httponly=True,
        samesite="Lax",
        secure=request_context.house().config.secure_cookies,
    )
    return answer


def _open(guest: Guest, instrument: str, **chosen: str) -> Response:
    work = request_context.work()
    form, secret = due_forms.begin(
        work, guest.participant, instrument, device=_device(), language=request_context.language()
    )
    return form_session_pages.remember(
        form_session_pages.to("questionnaire.resume", ref=form.ref, **chosen), form.ref, secret
    )


def _guest() -> Guest:
    """Whoever typed the PIN on this browser."""
    return _enter(request.cookies.get(PASS_COOKIE, ""))


def _enter(kept: str) -> Guest:
    guest = access_cards.holder(request_context.work(), kept)
    form_session_pages.welcome(guest.participant)
    return guest


def _chosen() -> str:
    wish = request.args.get("lang") or request.cookies.get("lang", "")
    return wish if wish in LANGUAGES else ""


def _pin_page(entry: PinAttempt, url: str, *, code: str = "") -> Response:
    status = STATUSES.get(entry.why, 422) if entry.why else 200
    return form_session_pages.page("assessments/pin.html", status, url=url, entry=entry, code=code)


def _pin() -> str:
    return request.form.get("pin", "")[:64]


def _address() -> str:
    return request.remote_addr or ""


def _device() -> str:
    return devices.device_class(request.user_agent.string)
