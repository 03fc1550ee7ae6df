"""What the audit trail says, in words: a sentence for every action that the code records, and what it was about."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from pro.features.accounts.pages.labels import CHANGES
from pro.features.audit.audit_trail import AuditLine
from pro.features.audit.pages.fact_labels import MEANINGS, fact_name, fact_value, format_timestamp
from pro.web import refusals, request_context
from pro.web.labels import word
from pro.web.refusals import N_

# Action -> sentence. Who did it stands beside it.
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
    "alert.changed": N_("An alert changed its level"),
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

# Kind of event -> the first parts of its actions.
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

# Reasons that the programme gives itself.
REASONS: Mapping[str, str] = {
    "re-planned": N_("the dates changed"),
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


def action_sentence(action: str) -> str:
    """What ``action`` means; one that this version does not know is shown as it is."""
    found = SENTENCES.get(action)
    return request_context.translator().gettext(found) if found else action


def actor_name(line: AuditLine) -> str:
    """The member of staff with their role then, or who else it was."""
    say = request_context.translator().gettext
    if line.actor != "staff":
        return say(ACTORS[line.actor]) if line.actor in ACTORS else line.actor
    return say("%(name)s · %(role)s", name=line.name, role=word("role", line.role))


def reason_shown(text: str) -> str:
    """Why, as it was typed, or in words where the programme says so itself."""
    found = REASONS.get(text)
    return request_context.translator().gettext(found) if found else text


def signature_meaning(key: str) -> str:
    """What a signature means."""
    return request_context.translator().gettext(MEANINGS[key]) if key in MEANINGS else key


def install(app: Flask) -> None:
    """Let staff templates use these words."""
    app.jinja_env.globals.update(
        audit_sentence=action_sentence,
        audit_who=actor_name,
        fact_name=fact_name,
        fact_value=fact_value,
        reason_shown=reason_shown,
        meaning=signature_meaning,
        stamp=format_timestamp,
    )


# Why something was refused, by the ``why`` of the failure or of a field.
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
