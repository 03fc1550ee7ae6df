"""Alibaba Cloud's webhook: one address for incoming texts and delivery receipts.

The provider signs nothing and sends several entries in one call. A long key at the end of the address authenticates it,
because its console accepts an address only. The provider repeats a call up to three times after any status but 200 or
after 0.7 seconds, and may send an entry twice.
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
# Longer than any identifier of the provider; the stored identifier of a text has at most 64 characters.
LONGEST_ID = 40


@pages.before_request
def require_key() -> None:
    """Answer 403 to a call without the key, before the body is read."""
    config = request_context.app_context().config
    given, key = str((request.view_args or {}).get("key", "")), config.alibaba_webhook_key
    is_known = len(key) >= SHORTEST_KEY and hmac.compare_digest(given.encode(), key.encode())
    if config.sms != "alibaba" or not is_known:
        abort(403)


@pages.get("/<key>", endpoint="try_out")
def confirm_address(key: str) -> Response:
    """Answer the provider's test call, which it makes before it accepts an address."""
    return _build_response(200)


@pages.post("/<key>", endpoint="push")
def receive_entries(key: str) -> Response:
    """Take each entry in a savepoint of its own.

    Status: 200 if all were stored, 500 if any failed (the provider repeats the call), 400 if the body is not a list.
    """
    try:
        entries = json.loads(request.get_data())
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        log.error("webhook call refused provider=alibaba reason=not_a_list")
        return _build_response(400)
    taken = [_take_entry(request_context.work(), entry) for entry in entries]
    return _build_response(200 if all(taken) else 500)


def _take_entry(work: UnitOfWork, entry: Any) -> bool:
    # The actor of the entry before may have been a participant.
    request_context.set_actor(SYSTEM)
    try:
        with work.session.begin_nested():
            _dispatch_entry(work, entry)
    except Exception as error:
        # Any failure: the other entries are stored, and the provider repeats this one.
        log.error("webhook entry could not be taken provider=alibaba error=%s", type(error).__name__)
        return False
    return True


def _dispatch_entry(work: UnitOfWork, entry: Any) -> None:
    """Store a receipt or a text. Pass over news of templates and signatures."""
    if not isinstance(entry, dict):
        raise ValueError("an entry is no object")
    if "biz_id" in entry:
        _record_receipt(work, entry)
    elif "content" in entry:
        _receive_text(work, entry)
    else:
        log.warning("webhook entry ignored provider=alibaba reason=neither_text_nor_receipt")


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
        # Keyed, because number and text can be guessed from a plain digest of short texts.
        parts = [
            address,
            text,
            _storable_text(entry.get("send_time") or ""),
            _storable_text(entry.get("dest_code") or ""),
        ]
        name = work.vault.fingerprint("\n".join(["alibaba", *parts]))[:LONGEST_ID]
    incoming_messages.receive_message(work, provider_id=f"alibaba:{name}", address=address, text=text)


def _storable_text(value: Any) -> str:
    """Return a string or whole number as text to store. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("a field is neither a string nor a number")
    # PostgreSQL stores neither half of a surrogate pair nor NUL.
    return str(value).replace("\0", "").encode(errors="replace").decode()


def _build_response(status: int) -> Response:
    answer = jsonify(code=0 if status == 200 else status, msg="OK" if status == 200 else "not taken")
    answer.status_code = status
    return answer
