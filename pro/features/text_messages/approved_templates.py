"""Compare the gateway's approved templates with the text messages that this system sends.

Runs before a production start and in ``flask templates``. Every text is rendered with its longest parameters and
matched with the register. No database is needed.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.core.sms_gateway import (
    CODE_VARIANTS,
    FREE_TEXT_KINDS,
    UNNAMED_TEMPLATE,
    ApprovedText,
    SmsGateway,
    TextNotAllowed,
    find_links,
)
from pro.i18n import LANGUAGES, Catalogs
from pro.messaging import message_rendering

# Kinds that are sent only with conversations by text message, and only without them.
TWO_WAY = ("question", "advice", "thanks", "clarify", "clarify_free", "onward_link", "onward_code", "help")
ONE_WAY = ("help_contact",)
# Parameters that never change in one system stay literal, because gateways approve addresses too.
LITERAL = ("address",)
# The longest token of a link, access code and time of day.
TOKEN, CODE, CLOCK_TIME = "M" * 22, "MMMM-MMMM", "23:59"


@dataclass(frozen=True, slots=True)
class TextSettings:
    """Settings that decide which texts are sent and how they read.

    The banner of a demonstration is left out.
    """

    catalogue: Catalogue
    catalogs: Catalogs
    base_url: str
    two_way: bool
    demonstration: bool = False

    @classmethod
    def of(cls, app_context: AppContext) -> TextSettings:
        """Return the settings of the running system."""
        config = app_context.config
        return cls(
            app_context.catalogue, app_context.catalogs, config.base_url, config.sms_two_way, not config.production
        )


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """A text as it is sent; ``params``: the parameters that it was rendered with."""

    message: str
    language: str
    text: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TextCost:
    """Length and segments of one text.

    ``id``: the gateway's id of the template, "" for a text that is not registered.
    """

    message: str
    language: str
    id: str
    encoding: Literal["GSM-7", "UCS-2"]
    letters: int
    segments: int


@dataclass(frozen=True, slots=True)
class TextProblem:
    """A problem of a text: "error" (the text is not sent) or "warning"."""

    level: Literal["error", "warning"]
    message: str
    language: str
    id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class TemplateCheck:
    """The result of the check: costs and problems."""

    lines: tuple[TextCost, ...]
    findings: tuple[TextProblem, ...]

    @property
    def errors(self) -> tuple[TextProblem, ...]:
        """Problems that prevent a text from being sent."""
        return tuple(one for one in self.findings if one.level == "error")


def check_templates(text_settings: TextSettings, gateway: SmsGateway) -> TemplateCheck:
    """Match every outgoing text with the gateway's templates, and report unused templates."""
    findings, lines = [*_unusable_entries(text_settings, gateway)], []
    used: set[ApprovedText] = set()
    for text in outgoing_texts(text_settings, gateway):
        try:
            found = gateway.match(text.message, text.language, text.text, text.params)
        except TextNotAllowed as unfit:
            findings.append(_unfit_problem(unfit.why, text))
            continue
        if found is not None:
            used.add(found)
        line = _text_cost(gateway, text, found)
        if line not in lines:
            lines.append(line)
            findings += _text_warnings(gateway, text, found, line)
    for entry in gateway.templates:
        if entry not in used and _is_known(text_settings, entry):
            findings.append(_entry_problem(entry, "warning", "No message of this system has this text."))
    if gateway.templates_only and text_settings.two_way:
        sentence = "Conversations by text (PRO_SMS_TWO_WAY) need a gateway that takes texts nobody approved before."
        findings.append(TextProblem("error", "", "", "", sentence))
    if gateway.templates_only and text_settings.demonstration:
        sentence = "A demonstration begins each text with a mark that nobody approved, so nothing is sent."
        findings.append(TextProblem("warning", "", "", "", sentence))
    return TemplateCheck(tuple(lines), tuple(dict.fromkeys(findings)))


def draft_templates(text_settings: TextSettings, gateway: SmsGateway) -> tuple[ApprovedText, ...]:
    """Return the texts to submit for approval, with ``${name}`` for each changing parameter.

    Templates that are approved already are returned unchanged.
    """
    made: dict[ApprovedText, None] = {}
    for text in outgoing_texts(text_settings, gateway):
        made[_find_approved(gateway, text) or _draft_template(text_settings, text)] = None
    return tuple(made)


def _find_approved(gateway: SmsGateway, text: OutgoingText) -> ApprovedText | None:
    """Return the approved template that matches ``text``, or None."""
    try:
        return gateway.match(text.message, text.language, text.text, text.params)
    except TextNotAllowed:
        return None


def _draft_template(text_settings: TextSettings, text: OutgoingText) -> ApprovedText:
    """Return a template for ``text`` with gaps for its changing parameters."""
    gaps = {name: value if name in (*LITERAL, "level") else f"${{{name}}}" for name, value in text.params.items()}
    worded = _render_text(text_settings, text.message, text.language, gaps)
    return ApprovedText(worded.message, worded.language, UNNAMED_TEMPLATE, worded.text)


def outgoing_texts(text_settings: TextSettings, gateway: SmsGateway) -> Iterator[OutgoingText]:
    """Yield every text with known wording, in every language, level and study."""
    for message, kind in message_rendering.MESSAGE_KINDS.items():
        if kind.channel != "sms" or not _is_sent(text_settings, gateway, message):
            continue
        for language, params in product(_languages(text_settings), _sample_params(text_settings, message, kind.params)):
            yield _render_text(text_settings, message, language, params)


def _is_sent(text_settings: TextSettings, gateway: SmsGateway, message: str) -> bool:
    """Return True if this system sends texts of the kind ``message``."""
    if message in FREE_TEXT_KINDS or message in (ONE_WAY if text_settings.two_way else TWO_WAY):
        return False
    # If a kind with a link is not registered, its variant with an access code is sent.
    return message not in CODE_VARIANTS or gateway.accepts(message)


def _sample_params(text_settings: TextSettings, message: str, names: frozenset[str]) -> list[dict[str, str]]:
    """Return the longest parameters for every level and study, without duplicates."""
    staff = "/staff/" if message in ("alert_sms", "test_alert_sms") else ""
    found = []
    for plan, level in product(text_settings.catalogue.plans.values(), ("emergency", "urgent")):
        known = {
            "address": f"{text_settings.base_url}{staff}",
            "at": CLOCK_TIME,
            "code": CODE,
            "codes": ", ".join(string.digits),
            "emergency": plan.settings.emergency,
            "hotline": plan.settings.hotline_shown,
            "level": level,
            "link": f"{text_settings.base_url}/a/{TOKEN}",
            "number": plan.settings.hotline_shown,
        }
        filling = {name: known[name] for name in sorted(names)}
        if filling not in found:
            found.append(filling)
    return found


def _render_text(text_settings: TextSettings, message: str, language: str, params: Mapping[str, str]) -> OutgoingText:
    rendered = message_rendering.render_message(
        message, language, params, text_settings.catalogs, env_banner=False, two_way=text_settings.two_way
    )
    return OutgoingText(message, language, rendered.text, params)


def _is_known(text_settings: TextSettings, entry: ApprovedText) -> bool:
    kind = message_rendering.MESSAGE_KINDS.get(entry.message)
    return kind is not None and kind.channel == "sms" and entry.language in _languages(text_settings)


def _unusable_entries(text_settings: TextSettings, gateway: SmsGateway) -> Iterator[TextProblem]:
    """Yield a problem for each template that can never be used."""
    for entry in gateway.templates:
        kind = message_rendering.MESSAGE_KINDS.get(entry.message)
        if kind is None or kind.channel != "sms":
            yield _entry_problem(entry, "error", "There is no text message of this kind.")
        elif entry.language not in _languages(text_settings):
            yield _entry_problem(entry, "error", "Nothing is said in this language here.")
        elif entry.id == UNNAMED_TEMPLATE:
            yield _entry_problem(entry, "error", "The gateway's own name for this text is still missing.")
        else:
            for gap in entry.gaps:
                if gap not in kind.params:
                    takes = ", ".join(sorted(kind.params)) or "none"
                    yield _entry_problem(
                        entry, "error", f"${{{gap}}} is no parameter of this message; it takes {takes}."
                    )


def _unfit_problem(why: str, text: OutgoingText) -> TextProblem:
    sentences = {
        "not_registered": "This text is not registered, so it is not sent",
        "text_differs": "No approved template has this text, so it is not sent",
        "link_not_allowed": "This text holds a link that is in no approved text, so it is not sent",
    }
    return TextProblem("error", text.message, text.language, "", f"{sentences[why]}: {text.text}")


def _text_cost(gateway: SmsGateway, text: OutgoingText, found: ApprovedText | None) -> TextCost:
    whole = gateway.signature + text.text
    encoding: Literal["GSM-7", "UCS-2"] = "GSM-7" if message_rendering.is_gsm7(whole) else "UCS-2"
    name = found.id if found else ""
    return TextCost(text.message, text.language, name, encoding, len(whole), message_rendering.count_segments(whole))


def _text_warnings(
    gateway: SmsGateway, text: OutgoingText, found: ApprovedText | None, line: TextCost
) -> Iterator[TextProblem]:
    """Yield warnings for refused words, links in gaps, and costs of a text."""

    def warn(sentence: str) -> TextProblem:
        return TextProblem("warning", text.message, text.language, line.id, sentence)

    for word in gateway.refused_words:
        if word.lower() in text.text.lower():
            yield warn(f"Gateways are known to refuse texts with “{word}”.")
    for name in found.gaps if found else ():
        if find_links(text.params[name]):
            yield warn(f"${{{name}}} is filled with a link; many gateways refuse that.")
    if line.segments > 1:
        yield warn(f"It takes {line.segments} text messages.")
    if line.encoding == "UCS-2" and text.text.isascii():
        yield warn("A letter of the signature makes an English text as costly as a Chinese one.")


def _entry_problem(entry: ApprovedText, level: Literal["error", "warning"], sentence: str) -> TextProblem:
    return TextProblem(level, entry.message, entry.language, entry.id, sentence)


def _languages(text_settings: TextSettings) -> tuple[str, ...]:
    """Return the languages in which texts are sent: those of the interface, which words every text."""
    return tuple(one for one in text_settings.catalogue.languages if one in LANGUAGES)
