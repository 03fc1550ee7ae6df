"""What the webhooks of SMS providers share: ``twilio_webhook``, ``alibaba_webhook``."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, request
from flask.blueprints import BlueprintSetupState

# The longest text that a provider passes on has 1,600 characters.
LONGEST_TEXT = 20_000


def webhook_blueprint(provider: str, max_body: int) -> Blueprint:
    """Return the blueprint of the pages below ``/sms/<provider>``.

    A body over ``max_body`` bytes gets 413. No CSRF token is required, because a provider has no page of ours; each
    webhook authenticates its calls itself.
    """
    pages = Blueprint(f"sms_{provider}", __name__, url_prefix=f"/sms/{provider}")
    pages.record_once(_exempt_from_csrf)
    pages.before_request(partial(_limit_body, max_body))
    return pages


def _exempt_from_csrf(state: BlueprintSetupState) -> None:
    state.app.extensions["csrf"].exempt(state.blueprint)


def _limit_body(max_body: int) -> None:
    request.max_content_length = request.max_form_memory_size = max_body
