"""Words of the audit trail: a sentence for every recorded action, its facts and values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from pro.features.accounts.pages.labels import CHANGES
from pro.features.alerts.pages.labels import NO_EVENT
from pro.features.audit import audit_groups
from pro.features.audit.audit_trail import AuditFact, AuditLine
from pro.features.schedule.pages.labels import DAILY_REASONS, anchor_shown, day_shown
from pro.features.ulcers.pages.labels import ABOUT, RESULTS, STATES
from pro.web import refusals, request_context
from pro.web.labels import TABLES, word
from pro.web.refusals import N_

# Action -> sentence. The actor stands beside it.
SENTENCES: Mapping[str, str] = {
    **CHANGES,
    "absence.cancelled": N_("Absence cancelled"),
    "absence.put": N_("Absence added to the roster"),
    "alert.acknowledged": N_("Alert acknowledged"),
    "alert.advised": N_("Participant saw the emergency advice and continued"),
    "adverse_event.recorded": N_("Adverse event recorded"),
    "adverse_event.ended": N_("End of adverse event recorded"),
    "adverse_event.reported": N_("Serious adverse event reported"),
    "alert.closed": N_("Alert closed"),
    "alert.taken_over": N_("Alert taken over from a colleague"),
    "alert.uncovered": N_("Alert no longer superseded by a more urgent one"),
    "alert.closed_itself": N_("Alert closed automatically: answer received"),
    "alert.corrected": N_("Participant saw the emergency advice and changed the answer"),
    "alert.noted": N_("Note added to an alert"),
    "alert.raised": N_("Alert raised"),
    "alert.superseded": N_("Alert superseded by a more urgent one"),
    "anchors.set": N_("Treatment dates recorded or removed; visit schedule updated"),
    "answers.saved": N_("Answers saved"),
    "assessment.cancelled": N_("Form cancelled"),
    "assessment.checked": N_("Paper form verified against the original"),
    "assessment.entered": N_("Form entered by staff"),
    "assessment.issued": N_("Form issued"),
    "assessment.issued_again": N_("Open form carried over to the next visit"),
    "assessment.not_scored": N_("Form not scored"),
    "assessment.opened": N_("Form opened"),
    "assessment.renewed": N_("Form continued after a long pause: outdated answers are asked again"),
    "assessment.scored": N_("Form scored"),
    "assessment.sent": N_("Form sent by staff"),
    "assessment.shortened": N_("Form shortened for text messages"),
    "assessment.submitted": N_("Form received"),
    "answers.corrected": N_("Answers corrected; the original answers are kept"),
    "audit.exported": N_("Audit trail exported"),
    "audit.verified": N_("Audit trail verified"),
    "phone_call.logged": N_("Phone call logged"),
    "participant_card.locked": N_("Card locked after too many wrong PINs"),
    "participant_card.made": N_("Card created"),
    "participant_card.revoked": N_("Card revoked"),
    "participant_card.used": N_("Card used with the correct PIN"),
    "participant_card.wrong_pin": N_("Wrong PIN entered for a card"),
    "clinical_fact.set": N_("Clinical fact recorded"),
    "consent.signed": N_("Consent recorded"),
    "consent.restored": N_("Consent valid again: withdrawal reversed"),
    "consent.withdrawn": N_("Consent withdrawn"),
    "data_correction.approved": N_("Correction approved"),
    "data_correction.refused": N_("Correction rejected"),
    "data_correction.requested": N_("Correction requested"),
    "signed_decision.made": N_("Decision signed"),
    "test_alert.started": N_("Weekly test alert started"),
    "test_alert.confirmed": N_("Weekly test alert confirmed"),
    "test_alert.failed": N_("Weekly test alert failed"),
    "shift.cancelled": N_("Shift cancelled"),
    "shift.put": N_("Shift added to the roster"),
    "endoscopy.requested": N_("Endoscopy requested"),
    "endoscopy.done": N_("Endoscopy result recorded"),
    "endoscopy.cancelled": N_("Endoscopy cancelled"),
    "expected_form.reason": N_("Reason for missing form recorded"),
    "freeze.lifted": N_("Freeze lifted"),
    "freeze.set": N_("Record frozen"),
    "grading.signed": N_("Adverse event assessed by CTCAE and signed"),
    "incoming_message.assigned": N_("Text message from an unknown number assigned to a participant"),
    "incoming_message.read": N_("Text message viewed"),
    "incoming_message.seen": N_("Text message from an unknown number viewed"),
    "incoming_message.set_aside": N_("Text message from an unknown number dismissed"),
    "message.delivered": N_("Message delivered"),
    "message.dropped": N_("Message no longer needed, not sent"),
    "message.failed": N_("Message not sent"),
    "message.settled": N_("Undelivered message resolved"),
    "message.written": N_("Text message written to the participant"),
    "message.sent": N_("Message sent"),
    "participant.pre_dose_drawn": N_("Pre-dose summary printed"),
    "participant.corrected": N_("Phone, participant number or language corrected"),
    "participant.enrolled_by_mistake": N_("Enrolment by mistake recorded"),
    "participant.died": N_("Death recorded: all access closed"),
    "participant.enrolled": N_("Participant enrolled"),
    "participant.language": N_("Language of forms and messages changed"),
    "participant.opted_in": N_("Messages resumed"),
    "participant.opted_out": N_("Opted out of messages"),
    "participant.phone_seen": N_("Phone number viewed"),
    "participant.pin_changed": N_("New PIN set"),
    "participant.returned": N_("Withdrawal or death recorded by mistake, reversed"),
    "participant.seen": N_("Participant pages viewed"),
    "participant.trend_hidden": N_("Own earlier answers no longer shown after sending, at the participant’s wish"),
    "participant.withdrawn": N_("Withdrawal recorded: all access closed"),
    "plan.renewed": N_("Visit schedule updated to a new plan version"),
    "query.answered": N_("Query answered"),
    "query.asked": N_("Query asked"),
    "query.asked_again": N_("Query asked again"),
    "query.closed": N_("Query closed"),
    "receipt.early": N_("Delivery receipt arrived before its message was stored"),
    "reminder.dropped": N_("Reminder skipped"),
    "signature.signed": N_("Signed"),
    "staff.added": N_("Account created"),
    "staff.code_failed": N_("Wrong second-factor code entered"),
    "staff.password_correct": N_("Password correct; second factor still required"),
    "staff.sign_in_failed": N_("Sign-in failed"),
    "staff.signed_in": N_("Signed in"),
    "staff.signed_out": N_("Signed out"),
    "staff.signing_failed": N_("Wrong password entered when signing"),
    "call_task.ended": N_("Call task completed"),
    "call_task.made": N_("Call task created"),
    "call_task.moved": N_("Call task rescheduled"),
    "text.received": N_("Text message received"),
    "licensed_wording.loaded": N_("Licensed wording loaded"),
}

# Kind of entry -> the first parts of its actions.
_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "answers": ("answers", "assessment", "data_correction", "query"),
    "alerts": ("alert", "adverse_event", "grading"),
    "dates": ("anchors", "clinical_fact", "plan", "expected_form", "endoscopy", "signed_decision"),
    "messages": ("message", "receipt", "reminder", "text", "incoming_message"),
    "calls": ("phone_call", "call_task"),
    "people": ("participant", "participant_card", "consent"),
    "duty": ("shift", "absence", "test_alert"),
    "accounts": ("staff", "signature"),
    "records": ("audit", "licensed_wording", "freeze"),
}
_SEEN = ("participant.seen", "participant.phone_seen", "incoming_message.seen", "incoming_message.read")
KINDS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(action for action in SENTENCES if action.split(".")[0] in first and action not in _SEEN)
    for kind, first in _PREFIXES.items()
} | {"seen": _SEEN}
KIND_WORDS: Mapping[str, str] = {
    "answers": N_("Forms and answers"),
    "alerts": N_("Alerts"),
    "dates": N_("Treatment dates and clinical facts"),
    "messages": N_("Messages, incoming and outgoing"),
    "calls": N_("Phone calls and call tasks"),
    "people": N_("Participants and cards"),
    "duty": N_("Duty roster and test alerts"),
    "accounts": N_("Accounts and signatures"),
    "records": N_("Audit trail, freezes and wording"),
    "seen": N_("Viewed records"),
}
# Chips of the page, in their order.
GROUP_WORDS: Mapping[str, str] = {
    audit_groups.CHANGES: N_("Changes and decisions"),
    audit_groups.FORMS: N_("Forms answered"),
    audit_groups.MESSAGES: N_("Messages"),
    audit_groups.LOOKING: N_("Looking and signing in"),
    audit_groups.ALL: N_("Everything"),
}

# Reasons that the program gives itself.
REASONS: Mapping[str, str] = {
    "re-planned": N_("dates changed"),
    "participation ended": N_("participation ended"),
    "proxy": N_("proxy-reported"),
    "taken back": N_("removed"),
    "anchor": N_("derived from a date"),
    "enrolment": N_("at enrolment"),
    "stale": N_("no longer useful"),
    "answered": N_("answered in the meantime"),
    "taken_on": N_("acknowledged by someone"),
    "not_wanted": N_("no longer needed"),
    "together": N_("combined with another message"),
    "revoked": N_("removed"),
    **DAILY_REASONS,
    "consent withdrawn: questions": N_("consent withdrawn, no more questionnaires"),
    "consent withdrawn: data": N_("consent withdrawn, no more questionnaires and no further use of data"),
}
ACTORS: Mapping[str, str] = {"participant": N_("Participant"), "system": N_("The system")}


# Key of a fact -> its name.
FACTS: Mapping[str, str] = {
    "": "",
    "about": N_("subject of the decision"),
    "actions": N_("types of action"),
    "added": N_("forms added"),
    "again": N_("replaces an earlier one"),
    "adverse_event": N_("adverse event number"),
    "after": N_("after position"),
    "algorithm": N_("algorithm"),
    "anchors": N_("dates"),
    "answered_at": N_("answered at"),
    "answered_by": N_("answered by"),
    "answers": N_("number of answers"),
    "requested_on": N_("requested on"),
    "at": N_("at"),
    "by": N_("method"),
    "channel": N_("channel"),
    "checksum": N_("checksum"),
    "choice": N_("decision"),
    "completion_mode": N_("mode"),
    "consent": N_("consent"),
    "count": N_("number of codes"),
    "ctcae_grade": N_("grade"),
    "ctcae_term": N_("term"),
    "digest": N_("digest"),
    "disposition": N_("outcome of the alert"),
    "done_on": N_("examination date"),
    "dropped": N_("forms cancelled"),
    "due_at": N_("due"),
    "ends": N_("to"),
    "failed": N_("failure"),
    "failure": N_("failure"),
    "form": N_("form"),
    "good": N_("intact up to"),
    "information": N_("information given"),
    "instrument": N_("questionnaire"),
    "items": N_("questions"),
    "kind": N_("kind"),
    "language": N_("language"),
    "left": N_("codes left"),
    "level": N_("level"),
    "meaning": N_("meaning"),
    "method": N_("method"),
    "missing": N_("reason"),
    "moved": N_("forms rescheduled"),
    "none_reason": N_("reason for no adverse event"),
    "number": N_("number"),
    "on": N_("date"),
    "onset": N_("onset"),
    "outcome": N_("outcome of the call"),
    "pages": N_("pages"),
    "participant": N_("participant"),
    "phone": N_("phone number on file"),
    "pd1_exposed": N_("exposed to anti-PD-1"),
    "plan": N_("study"),
    "plan_version": N_("version of the plan"),
    "problems": N_("number of problems"),
    "reference": N_("provider’s reference"),
    "result": N_("result of the endoscopy"),
    "role": N_("role"),
    "rows": N_("rows"),
    "rule": N_("rule"),
    "health_data": N_("consent for health data"),
    "scope": N_("extent"),
    "serious": N_("serious (SAE)"),
    "shift": N_("shift type"),
    "signed_on": N_("signed on"),
    "since": N_("from"),
    "source": N_("source"),
    "alert": N_("alert"),
    "staff": N_("account"),
    "staff_member": N_("staff member"),
    "starts": N_("from"),
    "state": N_("state"),
    "step": N_("step"),
    "participant_number": N_("participant number"),
    "template": N_("message"),
    "to": N_("to position"),
    "tries": N_("attempts"),
    "ulcer_status": N_("ulcer"),
    "until": N_("to"),
    "version": N_("version"),
    "visit": N_("visit"),
    "week": N_("week"),
}
# Key of a fact -> the table of ``labels`` with its values.
VALUES: Mapping[str, str] = {
    "answered_by": "answered_by",
    "channel": "channel",
    "disposition": "disposition",
    "language": "language",
    "missing": "missing",
    "completion_mode": "mode",
    "outcome": "task_end",
    "shift": "place_held",
    "role": "role",
    "scope": "scope",
    "template": "template",
    "method": "consent_way",
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
    "none_reason": NO_EVENT,
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
    "assessed": N_("Assessment"),
    "decided": N_("Decision"),
    "requested": N_("Request"),
    "approved": N_("Approval"),
    "refused": N_("Rejection"),
    "froze": N_("Freeze"),
    "unfroze": N_("Lifting of the freeze"),
}
WAYS: Mapping[str, str] = {
    "link": N_("By text message, with a link"),
    "code": N_("By text message, with a code"),
    "here": N_("Shown to the participant in person"),
}
# Recipients of messages who are not staff.
RECIPIENTS: Mapping[str, str] = {"participant": N_("the participant")}
# States of an answer that no wording of a questionnaire covers.
ANSWER_STATES: Mapping[str, str] = {
    "skipped": N_("left blank"),
    "withdrawn": N_("removed"),
    "free_text": N_("a text, not shown here"),
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
    if fact.is_item or fact.key in ("level", "meaning", "information") or (fact.key == "role" and value in RECIPIENTS):
        table = {"level": LEVELS, "meaning": MEANINGS, "role": RECIPIENTS}.get(fact.key, ANSWER_STATES)
        return say(table[value]) if value in table else str(value)
    if isinstance(value, bool):
        return say(N_("yes")) if value else say(N_("no"))
    if fact.key == "instrument" and isinstance(value, str):
        return request_context.app_context().catalogue.staff_title(value, request_context.language())
    if fact.key in CLINICAL_WORDS and value in CLINICAL_WORDS[fact.key]:
        return say(CLINICAL_WORDS[fact.key][value])
    if fact.key in ("ctcae_term", "visit"):
        return _term_name(value) if fact.key == "ctcae_term" else _visit_name(value, plan)
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


def audit_time(at: datetime) -> str:
    """Return a time to the second at the site: 2026-03-02 09:00:00. The foot of the page names the zone."""
    return f"{at.astimezone(ZoneInfo(request_context.state().zone)):%Y-%m-%d %H:%M:%S}"


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
        audit_time=audit_time,
        fact_name=fact_name,
        fact_value=fact_value,
        reason_shown=reason_shown,
        meaning=signature_meaning,
        stamp=format_timestamp,
    )


# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "no_participant": N_("No participant with this number. Check the number."),
        "no_form": N_("No form with this name. Copy the name from an entry of the audit trail."),
        "days_swapped": N_("The end date is before the start date. Check both."),
        "too_many": N_(
            "More than 20,000 entries are selected. Choose a shorter period and export in parts, so "
            "that nothing is left out."
        ),
    }
)
