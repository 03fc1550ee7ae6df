"""Queue messages to staff: in the recipient's language, each in a savepoint of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pro import i18n
from pro.app_context import UnitOfWork
from pro.messaging import message_rendering, outbox
from pro.models import Message, StaffMember

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MessageSubject:
    """What a message to staff is about: an alert with its case and form, or a weekly test alert."""

    alert_id: int | None = None
    assessment_id: int | None = None
    case_key: str = ""
    test_alert_id: int | None = None


def queue_staff_message(
    work: UnitOfWork,
    person: StaffMember,
    template: str,
    params: Mapping[str, Any],
    key: str,
    *,
    as_alert: bool = False,
    about: MessageSubject | None = None,
    not_after: datetime | None = None,
) -> Message | None:
    """Queue one message to ``person`` in their language; None if ``key`` is queued already.

    ``as_alert``: rather sent twice than not at all, as messages about alerts are. ``not_after``: latest time of
    sending, in UTC.
    """
    about = about or MessageSubject()
    language = message_language(work, person)
    channel = message_rendering.MESSAGE_KINDS[template].channel
    rendered = message_rendering.render_message(
        template, language, params, work.app_context.catalogs, not work.config.production
    )
    return outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=key,
            channel=channel,
            template=template,
            params=dict(params),
            language=language,
            address=work.vault.open(person.phone_sealed or "") if channel == "sms" else person.email,
            subject=rendered.subject,
            body=rendered.text,
            staff_id=person.id,
            alert_id=about.alert_id,
            assessment_id=about.assessment_id,
            case_key=about.case_key,
            test_alert_id=about.test_alert_id,
            not_after=not_after,
            repeat="prefer_duplicate" if as_alert or about.alert_id else "prefer_silence",
        ),
    )


def queue_alert_message(
    work: UnitOfWork,
    person: StaffMember,
    template: str,
    params: Mapping[str, Any],
    key: str,
    about: MessageSubject,
) -> bool:
    """Queue one message about an alert; return False if it is queued already or cannot be composed.

    A failure is logged and concerns this recipient only: it undoes neither the alert nor another message.
    """
    try:
        with work.session.begin_nested():
            message = queue_staff_message(work, person, template, params, key, as_alert=True, about=about)
    except Exception as error:
        log.error(
            "message to staff not queued staff=%s template=%s error=%s", person.id, template, type(error).__name__
        )
        return False
    return message is not None


def message_language(work: UnitOfWork, person: StaffMember) -> str:
    """Return the language of messages to ``person``: theirs, else the first one that the interface has."""
    known = work.app_context.catalogs.by_language
    wishes = (person.language, *work.catalogue.languages, *i18n.LANGUAGES)
    return next((language for language in wishes if language in known), i18n.SOURCE_LANGUAGE)


def channels_of(work: UnitOfWork, person: StaffMember) -> tuple[str, ...]:
    """Return the channels by which ``person`` can be notified of an alert: email, and SMS if it is set up."""
    takes = work.config.sms != "none" and work.catalogue.gateway.accepts("alert_sms", message_language(work, person))
    return ("email", "sms") if takes and person.phone_sealed else ("email",)
