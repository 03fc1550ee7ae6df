"""Alibaba Cloud's webhook: texts that came in and receipts, several in one call, at one address for both.

The provider signs nothing. It is let in by a long key at the end of the address that it was given, which is all that
its console takes. It calls again, up to three times, after any status but 200 or after 0.7 seconds, and may say the
same thing twice.
"""

from __future__ import annotations

import hmac
import json
import logging
from typing import Any

from flask import Response, abort, jsonify, request

from pro.app_context import SYSTEM, UnitOfWork
from pro.features.text_messages import delivery_receipts, incoming_messages
from pro.features.text_messages.pages import webhook
from pro.messaging.providers import alibaba_codes
from pro.web import request_context

pages = webhook.webhook_blueprint("alibaba", max_body=256 * 1024)
log = logging.getLogger(__name__)

SHORTEST_KEY = 32
# Longer than any number that the provider gives; a row's name for a text has 64 characters.
LONGEST_ID = 40


@pages.before_request
def require_key() -> None:
    """403 for whoever does not know the key, before anything is read."""
    config = request_context.app_context().config
    given, key = str((request.view_args or {}).get("key", "")), config.alibaba_webhook_key
    is_known = len(key) >= SHORTEST_KEY and hmac.compare_digest(given.encode(), key.encode())
    if config.sms != "alibaba" or not is_known:
        abort(403)


@pages.get("/<key>", endpoint="try_out")
def confirm_address(key: str) -> Response:
    """The provider asks so whether somebody is there, before it takes an address."""
    return _build_response(200)


@pages.post("/<key>", endpoint="push")
def receive_entries(key: str) -> Response:
    """Take every entry by itself: what could not be taken is asked for again, and the others stay."""
    try:
        entries = json.loads(request.get_data())
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        log.error("a call of the SMS provider holds no list")
        return _build_response(400)
    taken = [_take_entry(request_context.work(), entry) for entry in entries]
    return _build_response(200 if all(taken) else 500)


def _take_entry(work: UnitOfWork, entry: Any) -> bool:
    # The text before may have been a participant's.
    request_context.set_actor(SYSTEM)
    try:
        with work.session.begin_nested():
            _dispatch_entry(work, entry)
    except Exception as error:
        # Whatever it is, the other entries must be kept, and the provider must say this one again.
        log.error("an entry of the SMS provider could not be taken: %s", type(error).__name__)
        return False
    return True


def _dispatch_entry(work: UnitOfWork, entry: Any) -> None:
    """A receipt, a text, or news of templates and signatures, which come here as well if the console says so."""
    if not isinstance(entry, dict):
        raise ValueError("an entry is no object")
    if "biz_id" in entry:
        _record_receipt(work, entry)
    elif "content" in entry:
        _receive_text(work, entry)
    else:
        log.warning("an entry of the SMS provider is neither a text nor a receipt")


def _record_receipt(work: UnitOfWork, entry: dict[str, Any]) -> None:
    success, reference = entry.get("success"), _storable_text(entry["biz_id"])
    if not isinstance(success, bool) or not reference:
        raise ValueError("a receipt says not what became of what")
    state = "delivered" if success else "undelivered"
    delivery_receipts.record_receipt(
        work, reference[:128], state, alibaba_codes.reason_of(_storable_text(entry.get("err_code") or ""))
    )


def _receive_text(work: UnitOfWork, entry: dict[str, Any]) -> None:
    address, text = (
        _storable_text(entry.get("phone_number") or "")[:64],
        _storable_text(entry["content"])[: webhook.LONGEST_TEXT],
    )
    if not address:
        raise ValueError("a text has no number")
    name = _storable_text(entry.get("sequence_id") or "")
    if not name or len(name) > LONGEST_ID:
        # Keyed: a plain digest of a number and a short text could be guessed back.
        parts = [
            address,
            text,
            _storable_text(entry.get("send_time") or ""),
            _storable_text(entry.get("dest_code") or ""),
        ]
        name = work.vault.fingerprint("\n".join(["alibaba", *parts]))[:LONGEST_ID]
    incoming_messages.receive_message(work, provider_id=f"alibaba:{name}", address=address, text=text)


def _storable_text(value: Any) -> str:
    """A string or whole number as a string that can be stored. ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("a field is neither a string nor a number")
    # Half an emoji is no letter, and PostgreSQL stores no NUL.
    return str(value).replace("\0", "").encode(errors="replace").decode()


def _build_response(status: int) -> Response:
    answer = jsonify(code=0 if status == 200 else status, msg="OK" if status == 200 else "not taken")
    answer.status_code = status
    return answer
