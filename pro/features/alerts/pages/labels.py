"""Words for how an alert is handled: outcomes, what an event is related to, why there is none, and refusals."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import labels as web_labels
from pro.web import notices
from pro.web.notices import NN_
from pro.web.refusals import N_

ATTRIBUTIONS: Mapping[str, str] = {
    "radiotherapy": N_("Radiotherapy"),
    "anti_pd1": N_("Anti-PD-1"),
    "disease": N_("Disease"),
    "other": N_("Other"),
}

NO_EVENT: Mapping[str, str] = {
    "no_symptom": N_("No symptom"),
    "expected": N_("Present, as before treatment; no grade needed"),
    "known_event": N_("Part of a recorded event, same grade"),
    "wrong_answer": N_("Answered by mistake"),
    "other": N_("Another reason"),
}

DISPOSITIONS: Mapping[str, str] = {
    "admitted": N_("Admitted to hospital"),
    "outpatient": N_("Treated as an outpatient"),
    "watching": N_("Under observation"),
    "elsewhere": N_("Referred to another emergency department"),
    "no_action": N_("No action needed"),
    "closed_itself": N_("Closed automatically, answer received"),
    "superseded": N_("Superseded by a more urgent rule"),
}

# Why an event looks serious.
SERIOUS_SIGNS: Mapping[str, str] = {
    "died": N_("The participant has died."),
    "grade_4": N_("Grade 4 is often life-threatening."),
    "admitted": N_("The alert outcome is “Admitted to hospital”."),
    "emergency": N_("The answers that triggered this alert suggest a danger to life."),
}

ULCER_STATES: Mapping[str, str] = {
    "none": N_("No known ulcer"),
    "suspected": N_("Suspected ulcer"),
    "confirmed": N_("Confirmed ulcer"),
    "cleared": N_("Ulcer resolved or ruled out"),
}

CARE_REFUSALS: Mapping[str, str] = {
    "term": N_("Choose a term."),
    "other_term": N_("Specify the event."),
    "other_term_too_long": N_("Too long: at most 200 characters."),
    "grade": N_("Choose the grade."),
    "grade_not_of_term": N_("This term has no such grade. Choose one of the grades shown."),
    "grade_of_another": N_("These are the grades of the newly chosen term. Choose the grade again."),
    "day_in_future": N_("This date is in the future. Check it."),
    "before_onset": N_("This is before onset. Check the date."),
    "end_before": N_("This is before onset or before the last grading. Check the date."),
    "event_ended": N_("This adverse event has ended. Record a new one."),
    "attribution": N_("Choose the possible cause, or “Other” if none fits."),
    "serious": N_("Choose whether it is serious."),
    "looks_serious": N_("Select “Yes” above, or enter here why it is not serious. Nothing is signed yet."),
    "admission_is_serious": N_(
        "Admission makes an adverse event serious. First have it assessed as serious, or enter here "
        "why it is not. The alert is not closed yet."
    ),
    "death_is_serious": N_("Grade 5 means death and is always serious."),
    "action": N_("For a serious adverse event, enter the action taken."),
    "action_too_long": N_("The text is too long: at most 4000 characters."),
    "awareness_time": N_("Enter the date and time the site became aware of the serious adverse event."),
    "known_in_future": N_("This time is in the future. Check it."),
    "none_text": N_("Enter why there is no adverse event."),
    "password": N_("Enter your password to sign."),
    "wrong": N_("The password is not correct. Nothing has been signed; enter it again."),
    "locked": N_("Too many wrong passwords: signing is locked for 15 minutes. Nothing has been signed."),
    "disposition": N_("Choose the outcome."),
    "acknowledge_first": N_("The alert must be acknowledged first."),
    "judge_first": N_("An investigator must assess this alert first."),
    "closing_reason": N_("Enter why no action is needed."),
    "reason_too_long": N_("The reason is too long: at most 500 characters."),
    "stable_items": N_("Choose at least one symptom."),
    "stable_reason": N_("Enter why it is known and stable."),
}

web_labels.add_tables(
    {
        "attribution": ATTRIBUTIONS,
        "no_event": NO_EVENT,
        "disposition": DISPOSITIONS,
        "ulcer_status": ULCER_STATES,
        "serious_sign": SERIOUS_SIGNS,
    }
)


def _closed_first(said: notices.Values) -> notices.Values:
    """Return the notice of who closed the alert and how; an alert that an answer closed has no name."""
    how = {"how": web_labels.word("disposition", said["disposition"])}
    return {**notices.name_or_words(N_("System"))(said), **how}


# What is said on the page after a press.
notices.add("acknowledged", N_("Alert acknowledged. You are now the owner."), good=True)
notices.add("somebody_first", N_("%(name)s already acknowledged this at %(at)s. Nothing was changed."))
notices.add("owned_first", N_("%(name)s has been the owner since %(at)s. Nothing was changed."))
notices.add("acknowledged_before", N_("You already acknowledged this. Nothing was changed."))
notices.add(
    "later",
    NN_(
        "%(num)s new alert arrived while you were reading. Read it and acknowledge it too.",
        "%(num)s new alerts arrived while you were reading. Read them and acknowledge them too.",
    ),
)
notices.add("taken_over", N_("Taken over. You are now the owner."), good=True)
notices.add("closed", N_("The alert has been closed."), good=True)
notices.add(
    "closed_first",
    N_("%(name)s already closed this at %(at)s: %(how)s. Nothing was changed; your text is still below."),
    fill=_closed_first,
)
notices.add(
    "closed_later",
    NN_(
        "%(num)s new alert arrived while you were reading. Nothing was closed; read it first.",
        "%(num)s new alerts arrived while you were reading. Nothing was closed; read them first.",
    ),
)
notices.add(
    "taken_later",
    NN_(
        "%(num)s new alert arrived while you were reading. Nothing was taken over; read it first.",
        "%(num)s new alerts arrived while you were reading. Nothing was taken over; read them first.",
    ),
)
notices.add(
    "stable_later",
    NN_(
        "%(num)s new alert arrived while you were reading. Nothing was marked; read it first.",
        "%(num)s new alerts arrived while you were reading. Nothing was marked; read them first.",
    ),
)
notices.add(
    "stable_marked",
    NN_("%(num)s symptom marked as known and stable.", "%(num)s symptoms marked as known and stable."),
    good=True,
    link=notices.Link(
        N_("View or cancel the marks"),
        notices.page_address("staff.safety.show", anchor="stable", of="participant_id"),
    ),
)
notices.add("noted", N_("Note saved."), good=True)
notices.add("test_alert_confirmed", N_("Thank you. The test alert was received."), good=True)
notices.add("test_alert_confirmed_before", N_("This test alert was already confirmed. Nothing was changed."))
notices.add(
    "test_alert_told_nobody",
    N_("This test alert notified nobody, so it cannot be confirmed. It stays red until a later one is confirmed."),
)
notices.add(
    "stable_first", N_("%(name)s already marked this at %(at)s. Nothing was changed; your text is still below.")
)
