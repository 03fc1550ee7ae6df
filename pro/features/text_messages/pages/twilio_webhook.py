"""Twilio's webhooks: incoming texts and delivery status, authenticated by signature.

The signature covers the public address of the settings, whatever a Host header says. A valid call always gets a quick
200 with an empty response: replies are rows of the outbox.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from flask import Response, abort, request

from pro.features.text_messages import delivery_receipts, incoming_messages
from pro.features.text_messages.pages import webhook
from pro.web import request_context

pages = webhook.webhook_blueprint("twilio", max_body=32 * 1024)
log = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"
EMPTY_RESPONSE = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


@pages.before_request
def require_signature() -> None:
    """Answer 403 to a call without a valid signature of the provider."""
    config = request_context.app_context().config
    if config.sms != "twilio" or request.mimetype != FORM:
        abort(403)
    query = request.query_string.decode("latin-1")
    url = f"{config.base_url}{request.path}{'?' + query if query else ''}"
    signature = request.headers.get("X-Twilio-Signature", "")
    if not _gateway().is_signed(config.twilio_token, url, request.form, signature):
        abort(403)


@pages.post("", endpoint="text")
def receive_text() -> Response:
    """Store and answer one incoming text message."""
    sid, sender = request.form.get("MessageSid", "")[:64], request.form.get("From", "")[:64]
    if sid and sender:
        body = request.form.get("Body", "")[: webhook.LONGEST_TEXT]
        files = request.form.get("NumMedia", "")
        pictures = int(files) if files.isascii() and files.isdigit() and len(files) < 4 else 0
        incoming_messages.receive_message(
            request_context.work(), provider_id=sid, address=sender, text=body, pictures=pictures
        )
    else:
        log.error("webhook call ignored provider=twilio reason=no_number_or_no_id")
    return _empty_response()


@pages.post("/status", endpoint="status")
def receive_status() -> Response:
    """Store the delivery status of an outgoing message."""
    reason = _gateway().reason_of(request.form.get("ErrorCode", ""))
    reference, state = request.form.get("MessageSid", "")[:128], request.form.get("MessageStatus", "")
    delivery_receipts.record_receipt(request_context.work(), reference.replace("\0", ""), state, reason)
    return _empty_response()


def _gateway() -> Any:
    """Return the module of the provider, loaded on first use: its client takes 6 MB."""
    return import_module("pro.messaging.providers.twilio_sms")


def _empty_response() -> Response:
    return Response(EMPTY_RESPONSE, content_type="text/xml; charset=utf-8")
