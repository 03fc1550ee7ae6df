"""Define the words of text messages: red flags, readings, states, refusals and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import labels as web_labels
from pro.web import notices, refusals
from pro.web.notices import NN_
from pro.web.refusals import N_

# The classes of the built-in lexicon (docs/domain.md 5); a class of a site's own is shown by its id.
RED_FLAGS: Mapping[str, str] = {
    "bleed": N_("bleeding"),
    "airway": N_("cannot breathe"),
    "suicide": N_("thoughts of dying or self-harm"),
    "chest": N_("chest pain or tightness"),
    "neuro": N_("weakness, seizure, confusion or other nerve signs"),
    "faint": N_("fainting"),
    "help": N_("a cry for help"),
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
    "affirmed": N_("said so"),
    "negated": N_("said not to be so"),
    "hypothetical": N_("feared or asked about"),
    "resolved": N_("said to be over"),
    "near": N_("said to be nearly so"),
    "question": N_("asked about in general"),
    "past": N_("said to be long ago"),
    "other_person": N_("said of another person"),
    "attached": N_("came with the text; it is not kept here, please ask what it shows"),
}

# What an incoming text was taken for.
TEXT_READINGS: Mapping[str, str] = {
    "answer": N_("Taken as an answer"),
    "command": N_("Taken as a command"),
    "unclear": N_("Not understood"),
    "late": N_("Came too late for its form"),
    "text": N_("No question was open"),
    "unmatched": N_("From a number that nobody knew"),
}

# Delivery status of an outgoing text; the reason stands beside it.
DELIVERY_STATUSES: Mapping[str, str] = {
    "waiting": N_("Waiting to be sent"),
    "sent": N_("Sent"),
    "delivered": N_("Delivered"),
    "failed": N_("Failed"),
    "dropped": N_("Not sent"),
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
        "reply_died": N_("This participant has died. No text can be sent."),
        "reply_withdrawn": N_("This participant has left the study. No text can be sent."),
        "reply_opted_out": N_("This participant wants no messages. Please phone instead."),
        "reply_no_phone": N_("There is no phone number for this participant, so no text can be sent."),
        "reply_plan_gone": N_("The study plan of this participant is no longer here. Please phone instead."),
        "reply_no_sms": N_("This installation sends no SMS. Please phone instead."),
        "reply_fixed_only": N_(
            "Own words cannot be sent by this installation’s SMS provider. Please choose a fixed text."
        ),
        "reply_not_taken": N_("This installation’s SMS provider has approved no such text. Please phone instead."),
        "reply_no_links": N_("The SMS provider takes no links. Please leave out the web address."),
        "reply_over_budget": N_("This number has had as many messages today as it may get. Please phone instead."),
        "reply_identical": N_(
            "This number got this text too often within a day; the SMS provider would reject it. Please phone instead."
        ),
        "reply_kind": N_("Please choose a text."),
        "reply_empty": N_("The text is empty. Please type what you want to send."),
        "reply_too_long": N_(
            "This text would take %(segments)s SMS; at most 2 can be sent. Please shorten it, or phone."
        ),
        "who_wrote": N_("Please choose who wrote it."),
        "assign_reason": N_("Please write the reason."),
    }
)

# Notices after a post.
notices.add("texts_read", NN_("%(num)s text is marked as read.", "%(num)s texts are marked as read."), good=True)
notices.add("texts_read_before", N_("These texts had been read before. Nothing was changed."))
notices.add("text_queued", N_("The text is on its way. Whether it went out stands below it."), good=True)
notices.add("text_assigned", N_("The text is filed here. It counts as read."), good=True)
notices.add("text_assigned_before", N_("Nothing was changed: somebody had filed this text already."))
notices.add("text_set_aside", N_("The text is set aside."), good=True)
