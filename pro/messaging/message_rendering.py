"""Render messages: a template, its parameters, and the recipient's language.

The content of a message is fixed here: each kind names its parameters, and any other parameter is refused, so that no
clinical word, name or phone number can get into an email or a text message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError, select_autoescape
from jinja2.ext import extract_from_ast

from pro.app_context import UnitOfWork
from pro.i18n import Catalogs, Translator

FOLDER = Path(__file__).parents[2] / "templates" / "messages"


@dataclass(frozen=True, slots=True)
class MessageKind:
    """One kind of message: its channel and the only parameters that it takes."""

    channel: str
    params: frozenset[str]


# alert: level is "emergency", "urgent" or "watch".  alert_escalation: the same, while the alert is unacknowledged.
# alert_more: count further texts of the participant came while the first waits.
# alert_sms: no participant number, because a locked phone shows it; the address is the fixed one of the sign-in page.
# at: when the text was written ("14:05"), because gateways reject the same text for the third time in a day.
# daily_digest: rows are {"participant_number", "link"}, the oldest first.
# test_alert: the weekly test alert; level as in alert.  test_alert_sms: address as in alert_sms.
# test_alert_failed: failure is "not_confirmed", "not_delivered", "nobody_on_duty" or "not_an_emergency".
# form_message: the complete link with its token.  form_message_code: the fixed address of the code page, and the code.
# reminder, reminder_code: the same, while the form is not submitted.
# safety: the one sentence after a red flag; emergency is the emergency number, at as above.
# question, advice, thanks: the complete text of a step of the chat; only where two-way texts are allowed.
# clarify: the codes that may be typed.  onward_link, onward_code: after several replies that were not understood.
# stopped, started: the effect of STOP and START.  help, help_contact: with and without a chat; the hotline number.
# unknown_sender: an unknown number sent a possible red flag; level is "emergency" or "urgent".
# unknown_sender_more: count further ones of the same number came while the first waits.
# staff_call, staff_soon: fixed texts that staff send; number and emergency as they are dialled.
# staff_invitation: to set up an account; the complete link with its token, which works once.
# staff_reset: to set a forgotten password; the complete link with its token, which works once.
# staff_text: free text by staff, where two-way texts are allowed: the only message whose text is not fixed.
MESSAGE_KINDS: Mapping[str, MessageKind] = MappingProxyType(
    {
        "alert": MessageKind("email", frozenset({"participant_number", "level", "link"})),
        "alert_escalation": MessageKind("email", frozenset({"participant_number", "level", "link"})),
        "alert_more": MessageKind("email", frozenset({"participant_number", "level", "link", "count"})),
        "alert_sms": MessageKind("sms", frozenset({"at", "level", "address"})),
        "daily_digest": MessageKind("email", frozenset({"rows"})),
        "test_alert": MessageKind("email", frozenset({"level", "link"})),
        "test_alert_sms": MessageKind("sms", frozenset({"address"})),
        "test_alert_failed": MessageKind("email", frozenset({"failure", "link"})),
        "form_message": MessageKind("sms", frozenset({"link"})),
        "form_message_code": MessageKind("sms", frozenset({"address", "code"})),
        "unknown_sender": MessageKind("email", frozenset({"level", "link"})),
        "unknown_sender_more": MessageKind("email", frozenset({"level", "link", "count"})),
        "reminder": MessageKind("sms", frozenset({"link"})),
        "reminder_code": MessageKind("sms", frozenset({"address", "code"})),
        "safety": MessageKind("sms", frozenset({"at", "emergency"})),
        "question": MessageKind("sms", frozenset({"text"})),
        "advice": MessageKind("sms", frozenset({"text"})),
        "thanks": MessageKind("sms", frozenset({"text"})),
        "clarify": MessageKind("sms", frozenset({"codes"})),
        "clarify_free": MessageKind("sms", frozenset()),
        "onward_link": MessageKind("sms", frozenset({"link"})),
        "onward_code": MessageKind("sms", frozenset({"address", "code"})),
        "stopped": MessageKind("sms", frozenset()),
        "started": MessageKind("sms", frozenset()),
        "help": MessageKind("sms", frozenset({"hotline"})),
        "help_contact": MessageKind("sms", frozenset({"hotline"})),
        "staff_call": MessageKind("sms", frozenset({"number", "emergency"})),
        "staff_soon": MessageKind("sms", frozenset({"number", "emergency"})),
        "staff_invitation": MessageKind("email", frozenset({"link"})),
        "staff_reset": MessageKind("email", frozenset({"link"})),
        "staff_text": MessageKind("sms", frozenset({"text"})),
    }
)

# These are sent even if everything else is dropped: a participant who reported a red flag needs the advice.
URGENT_ADVICE = ("safety", "advice")
# Text messages that go to staff, who know the system.
STAFF_TEXTS = ("alert_sms", "test_alert_sms")
# A name that is left from the example plan tells a participant nothing.
_EXAMPLE_NAME = re.compile("(?i)example|示例")


@dataclass(frozen=True, slots=True)
class RenderedMessage:
    """A rendered message. ``subject`` is empty for SMS."""

    channel: str
    subject: str
    text: str


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=()),
        trim_blocks=True,
        lstrip_blocks=True,
    )


_TEMPLATES = _environment()
# A parameter within a sentence, and where one sentence ends and the next begins.
_PARAMETER = re.compile(r"%\([a-z_]+\)s")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


def render_message(
    kind: str,
    language: str,
    params: Mapping[str, Any],
    catalogs: Catalogs,
    env_banner: bool,
    *,
    two_way: bool = False,
    sender: str = "",
) -> RenderedMessage:
    """Render the message of ``kind`` in ``language``, or in another one if the interface lacks it.

    ``env_banner``: mark the message as not from a real study. ``two_way``: replies are read. ``sender``: who writes, as
    ``sender_name``; emails and texts to staff do not name it.

    Raises KeyError for an unknown kind, ValueError if a parameter is missing, is not one of the kind, or
    has a value that the template cannot express.
    """
    wanted = MESSAGE_KINDS[kind]
    if params.keys() != wanted.params:
        raise ValueError(f"a message of kind {kind} takes {sorted(wanted.params)}, not {sorted(params)}")
    translator = catalogs.translator(language)
    words = {
        "_": translator.gettext,
        "ngettext": translator.ngettext,
        "env_banner": env_banner,
        "two_way": two_way,
        "sender": sender if kind not in STAFF_TEXTS else "",
        **params,
    }
    subject = ""
    try:
        if wanted.channel == "email":
            # A subject is one line: a line break in a parameter would start another header.
            subject = " ".join(_TEMPLATES.get_template(f"{kind}/subject.txt").render(words).split())
        text = _TEMPLATES.get_template(f"{kind}/{wanted.channel}.txt").render(words).strip("\n")
    except UndefinedError as error:
        raise ValueError(f"a message of kind {kind} cannot be put into words: {error.message}") from error
    return RenderedMessage(wanted.channel, subject, text)


def sender_name(work: UnitOfWork, plan_id: str, language: str) -> str:
    """Return the hospital or study that text messages of a study name first; "" where the gateway itself names it.

    An unknown ``plan_id`` means the first study. A study that names none is "Your study team".
    """
    gateway = work.catalogue.gateway
    if gateway.signature or gateway.templates_only:
        return ""
    plan = work.catalogue.plans.get(plan_id) or next(iter(work.catalogue.plans.values()))
    name = plan.settings.sender.get(language, "")
    if not name or (work.config.production and _EXAMPLE_NAME.search(name)):
        return work.app_context.catalogs.translator(language).gettext("Your study team")
    return name


def participant_sentences(translator: Translator) -> Iterator[str]:
    """Yield the fixed sentences of all text messages, as a participant may quote them.

    What a parameter fills in parts a sentence, because it differs from message to message.
    """
    for kind, message in MESSAGE_KINDS.items():
        if message.channel != "sms":
            continue
        tree = _TEMPLATES.parse((FOLDER / kind / "sms.txt").read_text("utf-8"))
        for _line, _function, found in extract_from_ast(tree, ("_",)):
            if isinstance(found, str):
                for sentence in _PARAMETER.split(translator.gettext(found)):
                    yield from _SENTENCE_END.split(sentence)


def failure_sentence(failure: str, translator: Translator) -> str:
    """Return what ``Message.failure`` means and what staff can do; "" for no failure."""
    if not failure:
        return ""
    _ = translator.gettext
    sentences = {
        "answered": _("The form was answered before this was sent, so it was not needed."),
        "not_wanted": _("No longer needed when it was due, so not sent."),
        "answer_unclear": _(
            "The provider’s response was unclear. The message may or may not have arrived: ask the "
            "recipient, or send it again."
        ),
        "address_malformed": _("The email address is not valid. Correct it and send again."),
        "address_refused": _("The mail server rejects this address. Check it and send again."),
        "certificate": _("The mail server’s certificate is not trusted. Tell the IT department."),
        "identical": _(
            "This number received the same text too often in one day; the provider would reject it. Please phone."
        ),
        "key_missing": _("The data key for this message is missing. Tell the IT department."),
        "link_not_allowed": _(
            "The provider does not accept links in text messages. Use the card and its code instead."
        ),
        "log_in_refused": _("The provider rejected our credentials. Tell the IT department."),
        "lost": _("The system stopped while sending. It may or may not have arrived: ask, or send again."),
        "no_credit": _("Our account with the provider has no credit or has reached its limit. Tell the IT department."),
        "no_line": _("The provider cannot be reached. If this continues, tell the IT department."),
        "no_route": _("The provider cannot send to this number. Use the card and its code instead."),
        "no_sender": _("This system has no such delivery method. Use the card and its code instead."),
        "not_registered": _("The provider has not approved this text. Tell the IT department."),
        "not_supported": _(
            "The mail server does not support the configured encryption or log-in. Tell the IT department."
        ),
        "over_budget": _("The daily message limit for this number has been reached. Please phone."),
        "phone_blocked": _("The phone or its network blocks our messages. Call the participant."),
        "phone_invalid": _("The phone number is not valid. Correct it and send again."),
        "phone_not_mobile": _("This number cannot receive text messages. Ask for a mobile number."),
        "phone_unknown": _("This number does not exist on the network. Ask for the correct one."),
        "phone_unreachable": _("The phone is off or cannot be reached. Call the participant later."),
        "provider_refused": _("The provider rejected this message. Tell the IT department the number in brackets."),
        "provider_unsure": _("The provider could not confirm whether it was sent."),
        "region_not_allowed": _("Our account may not send to this country or region. Tell the IT department."),
        "sender_refused": _("The provider does not accept our sender address or number. Tell the IT department."),
        "server_busy": _("The provider is busy."),
        "taken_on": _("The alert was acknowledged before this was sent, so it was not needed."),
        "text_differs": _("The text differs from the one approved by the provider. Tell the IT department."),
        "text_refused": _("The message was rejected as spam. Tell the IT department."),
        "time_out": _("The provider did not respond in time."),
        "too_many": _("The provider accepts no more messages to this phone for now. Call the participant."),
        "too_late": _("Too late to be useful, not sent."),
        "unforeseen": _("Unexpected error while sending. Tell the IT department."),
        "unsubscribed": _("This phone has opted out of messages. Agree on another way."),
        "unsure": _("The connection broke while sending. It may or may not have arrived: ask, or send again."),
    }
    reason, _colon, detail = failure.partition(":")
    return sentences.get(reason, sentences["unforeseen"]) + (f" ({detail})" if detail else "")


# GSM 03.38: the letters of a text message that needs no UCS-2; letters of the extension take two places.
_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")
# ASCII replacements for typographic characters. A temperature stays clear without the degree sign.
_GSM7_REPLACEMENTS = str.maketrans(
    {"–": "-", "—": "-", "‑": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "·": "-", "×": "x", "°": "",
     "≥": ">=", "≤": "<=", "\u00a0": " ", "\u202f": " ", "\u2009": " "}
)  # fmt: skip


def is_gsm7(text: str) -> bool:
    """Return True if every letter is in the seven-bit alphabet of text messages."""
    return all(letter in _GSM7 or letter in _GSM7_EXTENSION for letter in text)


def to_gsm7(text: str) -> str:
    """Return ``text`` in the seven-bit alphabet, or unchanged if that is impossible."""
    plain = text.translate(_GSM7_REPLACEMENTS)
    return plain if is_gsm7(plain) else text


def count_segments(text: str) -> int:
    """Return how many text messages the network makes of ``text``.

    One message holds 160 letters (153 when joined), or 70 (67) in UCS-2.
    """
    if is_gsm7(text):
        places, whole, joined = [1 if letter in _GSM7 else 2 for letter in text], 160, 153
    else:
        places, whole, joined = [1 if ord(letter) < 0x10000 else 2 for letter in text], 70, 67
    if sum(places) <= whole:
        return 1
    count, used = 1, 0
    for size in places:
        # A letter of two places is never split.
        if used + size > joined:
            count, used = count + 1, 0
        used += size
    return count
