"""What an event of the audit trail says, in words: what each fact is called, and its values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pro.features.alerts.pages.labels import NO_EVENT
from pro.features.audit.audit_trail import AuditFact
from pro.features.schedule.pages.labels import anchor_shown, day_shown
from pro.features.ulcers.pages.labels import ABOUT, RESULTS, STATES
from pro.web import request_context
from pro.web.labels import TABLES, word
from pro.web.refusals import N_

# What an event says, by its key.
FACTS: Mapping[str, str] = {
    "": "",
    "about": N_("about"),
    "actions": N_("kinds of actions"),
    "added": N_("forms added"),
    "after": N_("after place"),
    "algorithm": N_("algorithm"),
    "anchors": N_("dates"),
    "answered_at": N_("answered at"),
    "answered_by": N_("who answered"),
    "answers": N_("number of answers"),
    "asked_on": N_("asked for on"),
    "at": N_("at"),
    "by": N_("way"),
    "channel": N_("channel"),
    "checksum": N_("checksum"),
    "choice": N_("decision"),
    "consent": N_("consent"),
    "digest": N_("digest"),
    "disposition": N_("how it ended"),
    "done_on": N_("done on"),
    "dropped": N_("forms dropped"),
    "due_at": N_("due"),
    "ends": N_("to"),
    "event": N_("adverse event no."),
    "failed": N_("failure"),
    "failure": N_("failure"),
    "form": N_("form"),
    "good": N_("unbroken up to"),
    "grade": N_("grade"),
    "instrument": N_("questionnaire"),
    "items": N_("questions"),
    "kind": N_("kind"),
    "language": N_("language"),
    "level": N_("level"),
    "meaning": N_("meaning"),
    "missing": N_("reason"),
    "mode": N_("how"),
    "moved": N_("forms moved"),
    "none": N_("why there is none"),
    "number": N_("number"),
    "onset": N_("began"),
    "outcome": N_("outcome"),
    "pages": N_("pages"),
    "participant": N_("participant"),
    "pd1_exposed": N_("exposed to anti-PD-1"),
    "place": N_("place"),
    "plan": N_("study"),
    "plan_version": N_("version of the plan"),
    "problems": N_("problems"),
    "reference": N_("provider’s reference"),
    "result": N_("result of the endoscopy"),
    "role": N_("role"),
    "rows": N_("rows"),
    "rule": N_("rule"),
    "health_data": N_("consent for health data"),
    "scope": N_("extent"),
    "serious": N_("serious"),
    "signed_on": N_("signed on"),
    "told": N_("told"),
    "way": N_("way"),
    "since": N_("from"),
    "source": N_("source"),
    "staff": N_("account"),
    "starts": N_("from"),
    "state": N_("state"),
    "step": N_("step"),
    "study_number": N_("study number"),
    "template": N_("message"),
    "term": N_("term"),
    "to": N_("to place"),
    "tries": N_("tries"),
    "ulcer_status": N_("ulcer"),
    "until": N_("to"),
    "version": N_("version"),
    "visit": N_("visit"),
    "week": N_("week"),
    "who": N_("who"),
}
# Key -> the table of ``labels`` that has its values.
VALUES: Mapping[str, str] = {
    "answered_by": "answered_by",
    "channel": "channel",
    "disposition": "disposition",
    "language": "language",
    "missing": "missing",
    "mode": "mode",
    "outcome": "task_end",
    "place": "place_held",
    "role": "role",
    "scope": "scope",
    "template": "template",
    "way": "consent_way",
}
CHOICES: Mapping[str, str] = {
    "continue": N_("continues"),
    "pause": N_("pauses"),
    "stop": N_("stops"),
    "other": N_("something else"),
}
# Key -> the words of its values.
CLINICAL_WORDS: Mapping[str, Mapping[str, str]] = {
    "about": ABOUT,
    "choice": CHOICES,
    "none": NO_EVENT,
    "result": RESULTS,
    "ulcer_status": STATES,
}
LEVELS: Mapping[str, str] = {
    "emergency": N_("Emergency"),
    "urgent": N_("Urgent"),
    "watch": N_("Watch"),
    "none": N_("None"),
}
MEANINGS: Mapping[str, str] = {
    "assessed": N_("I have judged this"),
    "decided": N_("I have decided this"),
    "requested": N_("I ask for this"),
    "approved": N_("I approve this"),
    "refused": N_("I refuse this"),
    "froze": N_("I freeze this"),
    "unfroze": N_("I lift the freeze"),
}
WAYS: Mapping[str, str] = {
    "link": N_("By SMS, with a link"),
    "code": N_("By SMS, with a code"),
    "here": N_("Shown to the participant on the spot"),
}
# An answer that is no words of a questionnaire.
ANSWER_STATES: Mapping[str, str] = {
    "skipped": N_("left out"),
    "withdrawn": N_("taken back"),
    "free_text": N_("a text, not repeated here"),
    "none_of_these": N_("none of these"),
}


def fact_name(fact: AuditFact) -> str:
    """What a fact is about."""
    found = "" if fact.is_item else FACTS.get(fact.key, "")
    return request_context.translator().gettext(found) if found else fact.key


def fact_value(fact: AuditFact, value: Any, plan: str) -> str:
    """One side of a fact in words."""
    say = request_context.translator().gettext
    if value is None:
        return ""
    if fact.is_item or fact.key in ("level", "meaning", "told"):
        table = {"level": LEVELS, "meaning": MEANINGS}.get(fact.key, ANSWER_STATES)
        return say(table[value]) if value in table else str(value)
    if isinstance(value, bool):
        return say(N_("yes")) if value else say(N_("no"))
    if (
        fact.key == "instrument"
        and (value, request_context.language()) in request_context.app_context().catalogue.words
    ):
        return request_context.app_context().catalogue.words[value, request_context.language()].title
    if fact.key in CLINICAL_WORDS and value in CLINICAL_WORDS[fact.key]:
        return say(CLINICAL_WORDS[fact.key][value])
    if fact.key in ("term", "visit"):
        return _term_name(value) if fact.key == "term" else _visit_name(value, plan)
    if fact.key == "by" and value in WAYS:
        return say(WAYS[value])
    if fact.key in VALUES and isinstance(value, str) and value in TABLES[VALUES[fact.key]]:
        return word(VALUES[fact.key], value)
    if fact.key == "anchors" and isinstance(value, list):
        return say(", ").join(_anchor_words(one, plan) for one in value)
    if isinstance(value, list):
        return say(", ").join(str(one) for one in value)
    return _format_moment(value) if fact.key in ("at", "answered_at", "due_at", "starts", "ends") else str(value)


def format_timestamp(at: datetime) -> str:
    """A moment to the second in the site's zone, with its offset: 2026-03-02 09:00:00 +08:00."""
    return (
        at.astimezone(ZoneInfo(request_context.state().zone)).isoformat(sep=" ", timespec="seconds").replace("+", " +")
    )


def _term_name(key: str) -> str:
    """The name of a term of adverse events."""
    words = request_context.app_context().catalogue.term_words.get(request_context.language(), {}).get(key)
    return words.name if words else key


def _visit_name(name: str, plan: str) -> str:
    """A visit by the name that it has in the ledger: baseline, rt_week.15."""
    parts = name.split(".")
    kind, number = parts[0], parts[-1] if len(parts) > 1 else "0"
    words = request_context.app_context().catalogue.plan_words.get((plan, request_context.language()))
    return words.visit(kind, int(number)) if words and kind in words.visits and number.isdecimal() else name


def _format_moment(value: Any) -> str:
    try:
        return format_timestamp(datetime.fromisoformat(str(value)))
    except ValueError:
        return str(value)


def _anchor_words(one: Any, plan: str) -> str:
    """[kind, number, day, planned] as words."""
    say = request_context.translator().gettext
    kind, number, on, planned = one
    words = request_context.app_context().catalogue.plan_words.get((plan, request_context.language()))
    name = anchor_shown(words, kind, number) if words else str(kind)
    if on is None:
        return say(N_("%(what)s: none"), what=name)
    day = day_shown(datetime.fromisoformat(on).date())
    return say(N_("%(what)s: planned for %(on)s"), what=name, on=day) if planned else f"{name}{say(': ')}{day}"
