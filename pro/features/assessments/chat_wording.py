"""Word the questions and notices of a conversation, for the chat and for text messages."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Item, Words
from pro.core.questionnaire.json_values import read_value
from pro.core.questionnaire.page_flow import Progress
from pro.core.rule_language.level import Level
from pro.features.forms.form_state import FormState
from pro.messaging import message_rendering
from pro.models import Answer, Participant

Gettext = Callable[..., str]
# Segments that a question with its options may take.
MAX_SEGMENTS = 2
# Number of questions after which a message tells how many are left.
PROGRESS_EVERY = 4
# Characters kept free for the sender's name, and for the banner of a system that is not in production.
BANNER_LENGTH = 8 + 18


def advice_text(work: UnitOfWork, participant: Participant, block: str, language: str) -> str:
    """Return the advice of an emergency as one text: number to call, then the steps."""
    gettext = work.app_context.catalogs.translator(language).gettext
    settings = work.catalogue.shown_plan(participant.plan).settings
    advice = work.catalogue.plan_words[participant.plan, language].advice[block]
    if advice.crisis:
        first = gettext(
            "You do not have to carry this alone. Please call %(line)s now, or %(number)s.",
            line=settings.crisis_line_shown,
            number=settings.emergency,
        )
    else:
        first = gettext(
            "Call %(number)s or go to the nearest emergency room now. Do not wait for a reply.",
            number=settings.emergency,
        )
    return "\n".join((first, *advice.steps))


def question_text(item: Item, words: Words, gettext: Gettext) -> str:
    """Return the question with its recall period.

    Each question is read alone, so the period must not be taken from another one.
    """
    recall = words.recall_periods.get(item.recall_period, "")
    question = words.items[item.id].plain
    return gettext("%(recall)s: %(question)s", recall=recall, question=question) if recall else question


def message_text(text: str, options: tuple[tuple[str, str], ...], item: Item, step: Progress, gettext: Gettext) -> str:
    """Return the question as one text message.

    Hints are added only while the message stays within two segments.
    """
    sent = question_with_options(text, options)
    extras = []
    if item.kind == "list":
        extras.append(gettext("Reply with all numbers that apply, for example 1 4. Reply 0 if none apply."))
    elif item.optional:
        extras.append(gettext("Or reply SKIP."))
    elif step.number == 1:
        extras.append(gettext("Reply with a number. You can also reply BACK, SKIP or HELP."))
    if step.number % PROGRESS_EVERY == 0 and step.about_left:
        extras.append(gettext("(about %(left)s questions left)", left=step.about_left))
    for extra in extras:
        longer = message_rendering.to_gsm7(f"{sent}\n{extra}")
        sent = longer if message_rendering.count_segments(longer + " " * BANNER_LENGTH) <= MAX_SEGMENTS else sent
    return sent


def question_with_options(text: str, options: tuple[tuple[str, str], ...]) -> str:
    """Return the beginning of a question's text message: question and options, no hints."""
    return message_rendering.to_gsm7(
        "\n".join((text, *(f"{typed} = {label}" if label else typed for typed, label in options)))
    )


def hotline_words(work: UnitOfWork, participant: Participant, language: str) -> str:
    """Return the study team's number as it is shown, or words for it if the study plan is no longer installed."""
    unknown = work.app_context.catalogs.translator(language).gettext("the number that the study team gave you")
    return work.catalogue.shown_plan(participant.plan).settings.hotline_shown or unknown


def thanks_text(work: UnitOfWork, form: FormState, language: str) -> str:
    """Return the thanks after submission, with the numbers to call if the state gets worse."""
    gettext = work.app_context.catalogs.translator(language).gettext
    settings = work.catalogue.shown_plan(form.participant.plan).settings
    level = max((alert.level for alert in form.alerts if alert.superseded_at is None), default=0)
    numbers = {"emergency": settings.emergency, "hotline": hotline_words(work, form.participant, language)}
    if level >= Level.URGENT:
        return gettext(
            "Received, thank you. We will call you within 24 hours. If it gets worse, do not wait: "
            "call %(emergency)s, or the ward on %(hotline)s.",
            **numbers,
        )
    return gettext(
        "Received, thank you. Your team reads the answers on working days. If it gets worse, call "
        "%(emergency)s, or the ward on %(hotline)s.",
        **numbers,
    )


def answer_in_words(item: Item, words: Words, row: Answer, none: str, comma: str) -> str:
    """Return an answer in words; "" for a skipped one.

    ``none``: the words for an empty list. ``comma``: the separator of list entries.
    """
    value = read_value(item, row.value) if row.state == "given" else None
    if value is None:
        return ""
    if isinstance(value, tuple):
        return comma.join(words.items[name].short for name in value) or none
    if item.kind == "choice" and isinstance(value, int):
        return words.items[item.id].options.get(value, "") or str(value)
    plain = format(value, "f") if isinstance(value, Decimal) else str(value)
    return f"{plain} {words.items[item.id].unit}".strip()
