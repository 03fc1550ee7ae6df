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
    "disease": N_("The disease"),
    "other": N_("Something else"),
}

NO_EVENT: Mapping[str, str] = {
    "no_symptom": N_("The symptom is not there"),
    "expected": N_("It is there and needs no grade: as before treatment"),
    "known_event": N_("It belongs to an event that is recorded, with the same grade"),
    "wrong_answer": N_("The answer was given by mistake"),
    "other": N_("Another reason"),
}

DISPOSITIONS: Mapping[str, str] = {
    "admitted": N_("Admitted to hospital"),
    "outpatient": N_("Treated as an outpatient"),
    "watching": N_("Goes on being watched"),
    "elsewhere": N_("Sent to another emergency room"),
    "no_action": N_("No action needed"),
    "closed_itself": N_("Closed by itself, the answer came"),
    "superseded": N_("Covered by a more urgent rule"),
}

# Why an event looks serious.
SERIOUS_SIGNS: Mapping[str, str] = {
    "died": N_("The participant has died."),
    "grade_4": N_("Grade 4 often means danger to life."),
    "admitted": N_("The alert was closed with “Admitted to hospital”."),
    "emergency": N_("The answers behind this alert suggest danger to life."),
}

CARE_REFUSALS: Mapping[str, str] = {
    "term": N_("Please choose a term."),
    "other_term": N_("Please write what it is."),
    "other_term_too_long": N_("This is too long. At most 200 characters."),
    "grade": N_("Please choose the grade."),
    "grade_not_of_term": N_("This term has no such grade. Please choose one of those shown."),
    "grade_of_another": N_("These are the grades of the term that you chose now. Please choose the grade again."),
    "day_in_future": N_("This day has not come yet. Please check it."),
    "before_onset": N_("This is before the event began. Please check the day."),
    "end_before": N_("This is before the event began or was last graded. Please check the day."),
    "event_ended": N_("This event has ended. Please record a new one."),
    "attribution": N_("Please choose what it may be related to; “Something else” if none fits."),
    "serious": N_("Please say whether it is serious."),
    "looks_serious": N_("Choose “Yes” above, or write here why it is not serious. Nothing is signed yet."),
    "admission_is_serious": N_(
        "Admission for an adverse event makes it serious. Have it assessed as serious first, or write here why it is "
        "not. Nothing is closed yet."
    ),
    "death_is_serious": N_("Grade 5 is death, so it is serious."),
    "action": N_("For a serious event please write what was done."),
    "action_too_long": N_("The text is too long. At most 4000 characters."),
    "known_at": N_("Please give the day and time when it became known that it is serious."),
    "known_in_future": N_("This time has not come yet. Please check it."),
    "none_text": N_("Please write why there is no adverse event."),
    "password": N_("Please type your password to sign."),
    "wrong": N_("This is not your password. Nothing is signed yet; please type it again."),
    "locked": N_("Too many wrong passwords: signing is locked for 15 minutes. Nothing is signed yet."),
    "disposition": N_("Please choose how it ended."),
    "acknowledge_first": N_("Somebody has to acknowledge the alert first."),
    "judge_first": N_("An investigator has to assess this alert first."),
    "closing_reason": N_("Please write why no action is needed."),
    "reason_too_long": N_("The reason is too long. At most 500 characters."),
    "stable_items": N_("Please choose at least one symptom."),
    "stable_reason": N_("Please write why it is known and stable."),
}

web_labels.add_tables(
    {
        "attribution": ATTRIBUTIONS,
        "no_event": NO_EVENT,
        "disposition": DISPOSITIONS,
        "serious_sign": SERIOUS_SIGNS,
        "care_refusal": CARE_REFUSALS,
    }
)


def _closed_first(said: notices.Values) -> notices.Values:
    """Who closed it and how; an alert that an answer closed has no name."""
    how = {"how": web_labels.word("disposition", said["disposition"])}
    return {**notices.name_or_words(N_("It closed by itself"))(said), **how}


# What is said on the page after a press.
notices.add("acknowledged", N_("Acknowledged. It is yours now; everybody can see that."), good=True)
notices.add("somebody_first", N_("%(name)s was first, %(at)s. Nothing was changed."))
notices.add("acknowledged_before", N_("You had acknowledged this before. Nothing was changed."))
notices.add(
    "later",
    NN_(
        "%(num)s more alert came while you were reading. Read it and acknowledge it too.",
        "%(num)s more alerts came while you were reading. Read them and acknowledge them too.",
    ),
)
notices.add("taken_over", N_("Taken over. It is yours now; everybody can see that."), good=True)
notices.add("closed", N_("The alert is closed."), good=True)
notices.add(
    "closed_first",
    N_("%(name)s was first, %(at)s: %(how)s. Nothing was changed; what you typed is still below."),
    fill=_closed_first,
)
notices.add(
    "closed_later",
    NN_(
        "%(num)s more alert came while you were reading. Nothing is closed yet; read it first.",
        "%(num)s more alerts came while you were reading. Nothing is closed yet; read them first.",
    ),
)
notices.add(
    "taken_later",
    NN_(
        "%(num)s more alert came while you were reading. Nothing is taken over yet; read it first.",
        "%(num)s more alerts came while you were reading. Nothing is taken over yet; read them first.",
    ),
)
notices.add(
    "stable_later",
    NN_(
        "%(num)s more alert came while you were reading. Nothing is marked yet; read it first.",
        "%(num)s more alerts came while you were reading. Nothing is marked yet; read them first.",
    ),
)
notices.add(
    "stable_marked",
    NN_("%(num)s symptom is marked as known and stable.", "%(num)s symptoms are marked as known and stable."),
    good=True,
    link=notices.Link(
        N_("See the marks, or take them back"),
        notices.page_address("staff.participants.one", anchor="stable", of="participant_id"),
    ),
)
notices.add("noted", N_("The note is saved."), good=True)
notices.add("drill_confirmed", N_("Thank you. The test alert has arrived."), good=True)
notices.add("drill_confirmed_before", N_("This test alert was confirmed before. Nothing was changed."))
notices.add(
    "drill_told_nobody", N_("This test told nobody, so it cannot be confirmed. It stays red until a later one is.")
)
notices.add(
    "stable_first", N_("%(name)s had marked this already, %(at)s. Nothing was changed; what you typed is still below.")
)
