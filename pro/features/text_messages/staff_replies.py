"""Send a text message to a participant by hand: a fixed text, or free text.

Free text needs conversations by text message. Every text goes through the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.sms_gateway import find_links
from pro.errors import BadData, NotAllowed
from pro.features.assessments import chat_wording
from pro.messaging import message_rendering, outbox
from pro.models import Message, Participant

FIXED = ("staff_call", "staff_soon")
FREE = "staff_text"
# Longer texts arrive in parts, which some phones show in the wrong order.
MOST_SEGMENTS = 2
# A text such as "We will call you today" must not arrive the next day.
VALID_FOR = timedelta(hours=3)
# A second submission within this time is taken for a double click.
DOUBLE_PRESS = timedelta(minutes=1)
REPLIED = "message.written"


def reply_refusal(work: UnitOfWork, person: Participant) -> str:
    """Return why no text can be sent to ``person``, or "" if one can.

    One of reply_plan_gone, reply_died, reply_withdrawn, reply_opted_out, reply_no_phone, reply_no_sms, reply_not_taken
    (the gateway has approved no such text).
    """
    if person.plan not in work.catalogue.plans:
        return "reply_plan_gone"
    reasons = {
        "reply_died": person.died_at is not None,
        "reply_withdrawn": person.withdrawn_at is not None,
        "reply_opted_out": person.opted_out_at is not None,
        "reply_no_phone": person.phone_sealed is None,
        "reply_no_sms": work.config.sms == "none",
        "reply_not_taken": not fixed_texts(work, person) and not may_send_free_text(work, person),
    }
    return next((why for why, holds in reasons.items() if holds), "")


def fixed_texts(work: UnitOfWork, person: Participant) -> dict[str, str]:
    """Return the fixed texts that the gateway accepts, by kind, as ``person`` gets them."""
    takes = work.catalogue.gateway.accepts
    return {
        kind: _render_text(work, person, kind, _text_params(work, person))
        for kind in FIXED
        if takes(kind, person.language)
    }


def may_send_free_text(work: UnitOfWork, person: Participant) -> bool:
    """Return True if free text may be sent to ``person``.

    Conversations by text message must be on, and the gateway must accept texts without approval.
    """
    return work.config.sms_two_way and work.catalogue.gateway.accepts(FREE, person.language)


def send_reply(work: UnitOfWork, person: Participant, kind: str, text: str = "") -> Message | None:
    """Queue a fixed text (``kind`` of FIXED) or free text (FREE, with ``text``).

    Returns None for a second submission within a minute. Raises NotAllowed with the key of ``reply_refusal``;
    NotAllowed "reply_over_budget" or "reply_identical" if the number has reached its daily limit (the text is stored as
    dropped); BadData("reply", fields=...) for an unknown kind, free text or links that the gateway does not accept, an
    empty text, or more than 2 segments (``details["segments"]``).
    """
    why = reply_refusal(work, person)
    if why:
        raise NotAllowed(why)
    params = _text_params(work, person)
    if kind == FREE:
        params = {"text": text.replace("\r\n", "\n").strip()}
        _check_free_text(work, person, params)
    elif kind not in fixed_texts(work, person):
        raise BadData("reply", fields={"kind": "unknown"})
    fingerprint = work.vault.fingerprint(f"reply:{kind}:{params}")[:16]
    key = f"reply:{person.id}:{kind}:{fingerprint}:"
    # The lock makes simultaneous submissions wait for each other.
    work.lock(person)
    again = select(Message.id).where(
        Message.dedupe_key.startswith(key, autoescape=True),
        Message.queued_at > work.now - DOUBLE_PRESS,
        Message.dropped_at.is_(None),
    )
    if work.session.scalar(again.limit(1)) is not None:
        return None
    message = outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=f"{key}{work.now:%Y%m%d%H%M%S}",
            channel="sms",
            template=kind,
            params=params,
            language=person.language,
            address=work.vault.open(person.phone_sealed or ""),
            body=_render_text(work, person, kind, params),
            participant_id=person.id,
            not_after=work.now + VALID_FOR,
            repeat="prefer_silence",
        ),
    )
    if message is not None:
        work.record(REPLIED, message, participant_id=person.id, new={"template": kind})
        if message.dropped_at:
            raise NotAllowed(f"reply_{message.failure}")
    return message


def _check_free_text(work: UnitOfWork, person: Participant, params: Mapping[str, Any]) -> None:
    """Raise BadData if free text is not allowed, empty, unreadable, or too long."""
    if not may_send_free_text(work, person):
        raise BadData("reply", fields={"text": "reply_fixed_only"})
    if not work.catalogue.gateway.links and find_links(params["text"]):
        raise BadData("reply", fields={"text": "reply_no_links"})
    if not params["text"]:
        raise BadData("reply", fields={"text": "reply_empty"})
    if any(ord(letter) < 32 and letter != "\n" for letter in params["text"]):
        raise BadData("reply", fields={"text": "unreadable"})
    segments = message_rendering.count_segments(_render_text(work, person, FREE, params))
    if segments > MOST_SEGMENTS:
        raise BadData("reply", fields={"text": "reply_too_long"}, segments=segments)


def _text_params(work: UnitOfWork, person: Participant) -> dict[str, Any]:
    settings = work.catalogue.shown_plan(person.plan).settings
    return {"number": chat_wording.hotline_words(work, person, person.language), "emergency": settings.emergency}


def _render_text(work: UnitOfWork, person: Participant, kind: str, params: Mapping[str, Any]) -> str:
    banner = not work.config.production
    sender = message_rendering.sender_name(work, person.plan, person.language)
    return message_rendering.render_message(
        kind, person.language, params, work.app_context.catalogs, env_banner=banner, sender=sender
    ).text
