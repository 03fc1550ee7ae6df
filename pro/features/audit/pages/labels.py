"""Words of the audit trail: a sentence for every recorded action, its facts and values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from pro.features.accounts.pages.labels import CHANGES
from pro.features.alerts.pages.labels import NO_EVENT
from pro.features.audit.audit_trail import AuditFact, AuditLine
from pro.features.schedule.pages.labels import anchor_shown, day_shown
from pro.features.ulcers.pages.labels import ABOUT, RESULTS, STATES
from pro.web import refusals, request_context
from pro.web.labels import TABLES, word
from pro.web.refusals import N_

# Action -> sentence. The actor stands beside it.
SENTENCES: Mapping[str, str] = {
    **CHANGES,
    "absence.cancelled": N_("Took back an absence"),
    "absence.put": N_("Put an absence into the roster"),
    "alert.acknowledged": N_("Acknowledged an alert"),
    "alert.advised": N_("Read the emergency advice and went on"),
    "adverse_event.recorded": N_("Recorded an adverse event"),
    "adverse_event.ended": N_("Recorded that an adverse event has ended"),
    "adverse_event.reported": N_("Recorded that a serious adverse event was reported"),
    "alert.closed": N_("Closed an alert"),
    "alert.taken_over": N_("Took an alert over from a colleague"),
    "alert.uncovered": N_("An alert is no longer covered by a more urgent one"),
    "alert.closed_itself": N_("An alert closed itself: the answer came"),
    "alert.corrected": N_("Read the emergency advice and took the answer back"),
    "alert.noted": N_("Wrote a note on an alert"),
    "alert.raised": N_("An alert was raised"),
    "alert.superseded": N_("An alert was covered by a more urgent one"),
    "anchors.set": N_("Set or took back treatment dates; the calendar follows"),
    "answers.saved": N_("Answers were saved"),
    "assessment.cancelled": N_("A form was cancelled"),
    "assessment.checked": N_("Compared a paper form with its sheet"),
    "assessment.entered": N_("Typed in a form"),
    "assessment.issued": N_("A form was issued"),
    "assessment.issued_again": N_("An open form went on to the next visit"),
    "assessment.not_scored": N_("A form was not scored"),
    "assessment.opened": N_("A form was opened"),
    "assessment.renewed": N_("Went on with a form after a long time: old answers are asked again"),
    "assessment.scored": N_("A form was scored"),
    "assessment.sent": N_("Sent a form"),
    "assessment.shortened": N_("A form was shortened for text messages"),
    "assessment.submitted": N_("A form was received"),
    "answers.corrected": N_("Answers were corrected; what stood before stays beside them"),
    "audit.exported": N_("Exported the audit trail"),
    "audit.verified": N_("Verified the audit trail"),
    "call.logged": N_("Logged a phone call"),
    "card.locked": N_("A card was locked after too many wrong PINs"),
    "card.made": N_("Made a card"),
    "card.revoked": N_("Revoked a card"),
    "card.used": N_("A card was used with the right PIN"),
    "card.wrong_pin": N_("A wrong PIN was typed for a card"),
    "circumstance.set": N_("A clinical fact was noted"),
    "consent.signed": N_("Recorded a signed consent"),
    "consent.restored": N_("Recorded that a consent stands again: the withdrawal was taken back"),
    "consent.withdrawn": N_("Recorded that the consent is withdrawn"),
    "correction.approved": N_("Approved a correction"),
    "correction.refused": N_("Refused a correction"),
    "correction.requested": N_("Asked for a correction"),
    "decision.made": N_("Decided and signed"),
    "drill.begun": N_("A weekly test alert began"),
    "drill.confirmed": N_("Confirmed a weekly test alert"),
    "drill.failed": N_("A weekly test alert failed"),
    "duty.cancelled": N_("Ended a stretch of duty"),
    "duty.put": N_("Put somebody on duty"),
    "endoscopy.asked": N_("Asked for an endoscopy"),
    "endoscopy.done": N_("Recorded the result of an endoscopy"),
    "endoscopy.taken_back": N_("Took an endoscopy back"),
    "expected.reason": N_("Said why a form is missing"),
    "freeze.lifted": N_("Lifted a freeze"),
    "freeze.set": N_("Froze the record"),
    "grading.signed": N_("Assessed by CTCAE and signed"),
    "inbound.assigned": N_("Filed a text from an unknown number"),
    "inbound.read": N_("Read a text"),
    "inbound.seen": N_("Looked at a text from an unknown number"),
    "inbound.set_aside": N_("Set a text from an unknown number aside"),
    "message.delivered": N_("A message was delivered"),
    "message.dropped": N_("A message was not needed any more"),
    "message.failed": N_("A message could not be sent"),
    "message.settled": N_("Saw to a message that could not be sent"),
    "message.written": N_("Wrote a text to the participant"),
    "message.sent": N_("A message was sent"),
    "participant.pre_dose_drawn": N_("Printed the sheet before a dose"),
    "participant.corrected": N_("Corrected phone, participant number or language"),
    "participant.enrolled_by_mistake": N_("Recorded that the participant was enrolled by mistake"),
    "participant.died": N_("The death was recorded: everything is closed"),
    "participant.enrolled": N_("Enrolled a participant"),
    "participant.language": N_("Changed the language of forms and messages"),
    "participant.opted_in": N_("Messages are wanted again"),
    "participant.opted_out": N_("Wants no messages any more"),
    "participant.phone_seen": N_("Looked at the phone number"),
    "participant.pin_changed": N_("Set a new PIN"),
    "participant.returned": N_("A withdrawal or death was recorded by mistake and taken back"),
    "participant.seen": N_("Looked at the participant’s pages"),
    "participant.withdrawn": N_("The withdrawal was recorded: everything is closed"),
    "plan.renewed": N_("A new version of the plan moved the calendar"),
    "receipt.early": N_("A receipt came before its message was known"),
    "reminder.dropped": N_("A reminder was left out"),
    "signature.given": N_("Signed"),
    "staff.added": N_("An account was made"),
    "staff.code_failed": N_("Typed a wrong code of the second factor"),
    "staff.password_given": N_("Gave the right password; the second factor is still asked for"),
    "staff.sign_in_failed": N_("A sign-in failed"),
    "staff.signed_in": N_("Signed in"),
    "staff.signed_out": N_("Signed out"),
    "staff.signing_failed": N_("Typed a wrong password when signing"),
    "task.ended": N_("A phone task ended"),
    "task.made": N_("A phone task was made"),
    "task.moved": N_("A phone task moved to another time"),
    "text.received": N_("A text came in"),
    "wording.loaded": N_("A licensed wording was loaded"),
}

# Kind of entry -> the first parts of its actions.
_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "answers": ("answers", "assessment", "correction"),
    "alerts": ("alert", "adverse_event", "grading"),
    "dates": ("anchors", "circumstance", "plan", "expected", "endoscopy", "decision"),
    "messages": ("message", "receipt", "reminder", "text", "inbound"),
    "calls": ("call", "task"),
    "people": ("participant", "card", "consent"),
    "duty": ("duty", "absence", "drill"),
    "accounts": ("staff", "signature"),
    "records": ("audit", "wording", "freeze"),
}
_SEEN = ("participant.seen", "participant.phone_seen", "inbound.seen", "inbound.read")
KINDS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(action for action in SENTENCES if action.split(".")[0] in first and action not in _SEEN)
    for kind, first in _PREFIXES.items()
} | {"seen": _SEEN}
KIND_WORDS: Mapping[str, str] = {
    "answers": N_("Forms and answers"),
    "alerts": N_("Alerts"),
    "dates": N_("Dates and clinical facts"),
    "messages": N_("Messages and texts"),
    "calls": N_("Phone calls and tasks"),
    "people": N_("Participants and cards"),
    "duty": N_("Duty and test alerts"),
    "accounts": N_("Accounts and signatures"),
    "records": N_("The trail itself, freezes, wordings"),
    "seen": N_("What was looked at"),
}

# Reasons that the program gives itself.
REASONS: Mapping[str, str] = {
    "re-planned": N_("the dates changed"),
    "participation ended": N_("participation ended"),
    "proxy": N_("somebody else answered for the participant"),
    "taken back": N_("taken back"),
    "anchor": N_("follows from a date"),
    "enrolment": N_("at enrolment"),
    "stale": N_("too late to be of use"),
    "answered": N_("answered meanwhile"),
    "taken_on": N_("somebody took it on"),
    "not_wanted": N_("not wanted any more"),
    "together": N_("went out together with another"),
    "revoked": N_("taken back"),
    "consent withdrawn: questions": N_("consent withdrawn, no more questions"),
    "consent withdrawn: data": N_("consent withdrawn, no more questions and no further use of the data"),
}
ACTORS: Mapping[str, str] = {"participant": N_("Participant"), "system": N_("The system")}


# Key of a fact -> its name.
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
    "alert": N_("alert"),
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
# Key of a fact -> the table of ``labels`` with its values.
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
# Key of a fact -> the words of its values.
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
# Recipients of messages who are not staff.
RECIPIENTS: Mapping[str, str] = {"participant": N_("the participant")}
# States of an answer that no wording of a questionnaire covers.
ANSWER_STATES: Mapping[str, str] = {
    "skipped": N_("left out"),
    "withdrawn": N_("taken back"),
    "free_text": N_("a text, not repeated here"),
    "none_of_these": N_("none of these"),
}


def action_sentence(action: str) -> str:
    """Return the sentence of ``action``; an unknown action is returned unchanged."""
    found = SENTENCES.get(action)
    return request_context.translator().gettext(found) if found else action


def actor_name(line: AuditLine) -> str:
    """Return the staff member with the role at that time, or the name of another actor."""
    say = request_context.translator().gettext
    if line.actor != "staff":
        return say(ACTORS[line.actor]) if line.actor in ACTORS else line.actor
    return say("%(name)s · %(role)s", name=line.name, role=word("role", line.role))


def reason_shown(text: str) -> str:
    """Return the reason as typed, or in words if the program gave it."""
    found = REASONS.get(text)
    return request_context.translator().gettext(found) if found else text


def signature_meaning(key: str) -> str:
    """Return what a signature means."""
    return request_context.translator().gettext(MEANINGS[key]) if key in MEANINGS else key


def fact_name(fact: AuditFact) -> str:
    """Return the name of a fact."""
    found = "" if fact.is_item else FACTS.get(fact.key, "")
    return request_context.translator().gettext(found) if found else fact.key


def fact_value(fact: AuditFact, value: Any, plan: str) -> str:
    """Return the old or the new value of a fact in words."""
    say = request_context.translator().gettext
    if value is None:
        return ""
    if fact.is_item or fact.key in ("level", "meaning", "told") or (fact.key == "role" and value in RECIPIENTS):
        table = {"level": LEVELS, "meaning": MEANINGS, "role": RECIPIENTS}.get(fact.key, ANSWER_STATES)
        return say(table[value]) if value in table else str(value)
    if isinstance(value, bool):
        return say(N_("yes")) if value else say(N_("no"))
    if fact.key == "instrument" and isinstance(value, str):
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
    """Return a time to the second in the site's zone: 2026-03-02 09:00:00 +08:00."""
    return (
        at.astimezone(ZoneInfo(request_context.state().zone)).isoformat(sep=" ", timespec="seconds").replace("+", " +")
    )


def _term_name(key: str) -> str:
    """Return the name of a CTCAE term."""
    words = request_context.app_context().catalogue.term_words.get(request_context.language(), {}).get(key)
    return words.name if words else key


def _visit_name(name: str, plan: str) -> str:
    """Return the name of a visit from its stored name: baseline, rt_week.15."""
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
    """Return an anchor [kind, number, day, planned] in words."""
    say = request_context.translator().gettext
    kind, number, on, planned = one
    words = request_context.app_context().catalogue.plan_words.get((plan, request_context.language()))
    name = anchor_shown(words, kind, number) if words else str(kind)
    if on is None:
        return say(N_("%(what)s: none"), what=name)
    day = day_shown(datetime.fromisoformat(on).date())
    return say(N_("%(what)s: planned for %(on)s"), what=name, on=day) if planned else f"{name}{say(': ')}{day}"


def install(app: Flask) -> None:
    """Make these words available to the templates of staff pages."""
    app.jinja_env.globals.update(
        audit_sentence=action_sentence,
        audit_who=actor_name,
        fact_name=fact_name,
        fact_value=fact_value,
        reason_shown=reason_shown,
        meaning=signature_meaning,
        stamp=format_timestamp,
    )


# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "no_participant": N_("Nobody is enrolled under this number. Please check it."),
        "no_form": N_("There is no form of this name. Copy it from a line of the trail."),
        "days_swapped": N_("This day is before the first. Please check both."),
        "too_many": N_(
            "More than 20,000 events are picked. Please pick fewer days and export them one after the other, so that"
            " nothing is left out."
        ),
    }
)
