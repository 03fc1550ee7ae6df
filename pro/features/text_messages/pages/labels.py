"""Define the words of text messages: red flags, readings, states, refusals and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import labels as web_labels
from pro.web import notices, refusals
from pro.web.notices import NN_
from pro.web.refusals import N_, NP_

# The classes of the built-in lexicon (docs/domain.md 5); a class of a site's own is shown by its id.
RED_FLAGS: Mapping[str, str] = {
    "bleed": N_("bleeding"),
    "airway": N_("cannot breathe"),
    "suicide": N_("thoughts of death or self-harm"),
    "chest": N_("chest pain or tightness"),
    "neuro": N_("weakness, seizure, confusion or other nerve signs"),
    "faint": N_("fainting"),
    "help": N_("a call for help"),
    "swallow_total": N_("cannot swallow at all"),
    "eye": N_("double vision or a drooping eyelid"),
    "swallow": N_("trouble swallowing"),
    "palp": N_("palpitations"),
    "odor": N_("foul smell"),
    "not_screened": N_("could not be screened"),
    "tissue": N_("tissue coming off"),
    "pain": N_("severe pain or headache"),
    "fever": N_("fever"),
    "gut": N_("diarrhea, vomiting or black stool"),
    "skin": N_("blisters, peeling or widespread rash"),
    "liver": N_("yellow eyes or skin, dark urine"),
    "kidney": N_("no urine"),
    "hospital": N_("in hospital"),
    "death": N_("a report that the participant died"),
    "other": N_("another symptom"),
    # No red flag, but a reason for staff to ask the participant.
    "picture": N_("a picture or another file"),
}

# How the screening read a red flag.
FLAG_STATUSES: Mapping[str, str] = {
    "affirmed": N_("stated"),
    "negated": N_("denied"),
    "hypothetical": N_("feared or asked about"),
    "resolved": N_("resolved"),
    "near": N_("nearly"),
    "question": N_("asked about in general"),
    "past": N_("said to be long ago"),
    "other_person": N_("said of another person"),
    "attached": N_("attached to the text message; not stored here, please ask what it shows"),
}

# What an incoming text was taken for.
TEXT_READINGS: Mapping[str, str] = {
    "answer": N_("Treated as an answer"),
    "command": N_("Treated as a command"),
    "unclear": N_("Not understood"),
    "late": N_("Arrived after the form had closed"),
    "text": N_("No question was pending"),
    "unmatched": N_("Unknown number"),
}

# Delivery status of an outgoing text; the reason stands beside it.
DELIVERY_STATUSES: Mapping[str, str] = {
    "waiting": N_("Queued"),
    "sent": N_("Sent"),
    "delivered": N_("Delivered"),
    "failed": NP_("message", "Failed"),
    "dropped": N_("Dropped"),
}

web_labels.add_tables(
    {
        "flag": RED_FLAGS,
        "meant": FLAG_STATUSES,
        "taken": TEXT_READINGS,
        "text_state": DELIVERY_STATUSES,
    }
)

# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "reply_died": N_("This participant has died. No text message can be sent."),
        "reply_withdrawn": N_("This participant has left the study. No text message can be sent."),
        "reply_opted_out": N_("This participant has opted out of messages. Please phone instead."),
        "reply_no_phone": N_("No phone number is recorded for this participant, so no text message can be sent."),
        "reply_plan_gone": N_("This participant’s study plan is no longer available. Please phone instead."),
        "reply_no_sms": N_("This system sends no text messages. Please phone instead."),
        "reply_fixed_only": N_("The SMS provider does not accept free-text messages. Choose a fixed text."),
        "reply_not_taken": N_("The SMS provider has not approved such a text. Please phone instead."),
        "reply_no_links": N_("The SMS provider does not accept links. Remove the web address."),
        "reply_over_budget": N_("The daily message limit for this number has been reached. Please phone instead."),
        "reply_identical": N_(
            "This number received this text too often in one day; the SMS provider would reject it. "
            "Please phone instead."
        ),
        "reply_kind": N_("Choose a text message."),
        "reply_empty": N_("The message is empty. Enter the text to send."),
        "reply_too_long": N_(
            "This text needs %(segments)s text messages; at most 2 are allowed. Shorten it, or phone."
        ),
        "who_wrote": N_("Choose the sender."),
        "assign_reason": N_("Enter the reason."),
    }
)

# Notices after a post.
notices.add(
    "texts_read", NN_("%(num)s text message marked as read.", "%(num)s text messages marked as read."), good=True
)
notices.add("texts_read_before", N_("These text messages were already read. Nothing was changed."))
notices.add("text_queued", N_("The text message is being sent. Its status is shown below it."), good=True)
notices.add(
    "text_assigned", N_("The text message has been assigned to this participant and marked as read."), good=True
)
notices.add("text_assigned_before", N_("Nothing was changed: this text message was already assigned."))
notices.add("text_set_aside", N_("The text message has been dismissed as unrelated."), good=True)
