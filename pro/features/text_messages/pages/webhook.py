"""What the webhooks of SMS providers share. A page each: ``twilio_webhook``, ``alibaba_webhook``."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, request
from flask.blueprints import BlueprintSetupState

# The longest text that a provider passes on has 1,600 characters.
LONGEST_TEXT = 20_000


def webhook_blueprint(provider: str, max_body: int) -> Blueprint:
    """The pages below ``/sms/<provider>``: no body over ``max_body`` bytes (413), and no token of ours in a form.

    A provider has no form of ours; whatever guards its page stands for the token.
    """
    pages = Blueprint(f"sms_{provider}", __name__, url_prefix=f"/sms/{provider}")
    pages.record_once(_exempt_from_csrf)
    pages.before_request(partial(_limit_body, max_body))
    return pages


def _exempt_from_csrf(state: BlueprintSetupState) -> None:
    state.app.extensions["csrf"].exempt(state.blueprint)


def _limit_body(max_body: int) -> None:
    request.max_content_length = request.max_form_memory_size = max_body
