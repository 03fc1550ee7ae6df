"""Define the refusals and notices of data entry and data corrections."""

from __future__ import annotations

from pro.web import labels as web_labels
from pro.web import notices, refusals, request_context
from pro.web.refusals import N_


def _emergency_number(said: notices.Values) -> notices.Values:
    """Return the emergency number of the study."""
    plan = next(iter(request_context.app_context().catalogue.plans.values()))
    return {"number": plan.settings.emergency}


def _refusal(said: notices.Values) -> notices.Values:
    """Return the sentence of a refusal."""
    return {"why": web_labels.word("refusal", said["why"])}


# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "time_needed": N_("Please give the time as hours and minutes, such as 14:30."),
        "answered_in_future": N_("The answers cannot be from the future. Please check day and time."),
        "answered_before_consent": N_("This is before the participant’s consent. Please check the day."),
        "answered_too_long_ago": N_(
            "This is more than 60 days ago. Please check the day; older forms are not entered."
        ),
        "nothing_answered": N_("No question is answered yet."),
        "not_asked": N_("This is not asked, given the other answers. Clear it, or correct the question it depends on."),
        "not_accepted": N_("This is none of the possible answers. Please choose again."),
        "no_such_option": N_("This is none of the possible answers. Please choose again."),
        "no_such_question": N_("This is none of the possible answers. Please choose again."),
        "none_with_ticks": N_("“None of these” is ticked together with others. Please keep one or the other."),
        "not_a_number": N_("Please type a number, such as 56.5."),
        "too_low": N_("This number is too small to be right. Please check it and its unit."),
        "too_high": N_("This number is too large to be right. Please check it and its unit."),
        "unreadable": N_("There is a character in it that cannot be kept. Please type it again."),
        "empty": N_("Please type an answer."),
        "died": N_("This participant has died, so nothing can be entered."),
        "withdrawn_entry": N_("This participant has left the study. Only the form at the withdrawal can be entered."),
        "wording_not_licensed_entry": N_(
            "This questionnaire may not be used: its licensed wording is not loaded. The administrator loads it with"
            " “flask wording load”."
        ),
        "begun": N_(
            "Something came in while you were typing, so nothing is saved yet. Look at what is there now. If what you"
            " typed shall count, press the button again."
        ),
        "own_entry": N_("You typed this form yourself. Somebody else has to compare it with the sheet."),
        "checked": N_("A colleague has compared this form already. Nothing was changed."),
        "reason_empty": N_("Please say why answers were corrected."),
        "in_future_heard": N_("This time has not come yet. Please check when the participant said it."),
        "same_answer": N_("This is the answer that stands already."),
        "new_answer_needed": N_("Please give the new answer, or say that it was not answered."),
        "answer_and_none": N_(
            "There is an answer, and “was not answered” is ticked too. Please keep one or the other."
        ),
        "asked_already": N_("A correction of this answer waits for a decision already. Nothing was added."),
        "decided": N_("A colleague has decided this already. Nothing was changed; the decision stands below."),
        "own_request": N_("You asked for this yourself. Another investigator has to decide."),
        "answer_changed": N_(
            "The answer was changed after this was asked for, so it cannot be approved. Refuse it; if it is still"
            " wrong, a new request is made on the answer as it stands."
        ),
        "not_asked_any_more": N_(
            "Given the other answers, this question is not asked any more, so it cannot be approved. Refuse it."
        ),
    }
)

# Notices after a post.
notices.add("entered", N_("The interview is saved and judged."), good=True)
notices.add(
    "entered_paper", N_("The paper form is saved and judged. A colleague has to compare it with the sheet."), good=True
)
notices.add("checked", N_("The paper form agrees with the sheet. That is kept with your name."), good=True)
notices.add("corrected", N_("The paper form is corrected and judged again. That is kept with your name."), good=True)
notices.add(
    "tell_now",
    N_(
        "This is an emergency. If it holds now, tell the participant to call %(number)s at once and not to wait for "
        "a reply."
    ),
    fill=_emergency_number,
)
notices.add("cannot_enter", "%(why)s", fill=_refusal)
notices.add("correction_asked", N_("The correction is asked for and signed. An investigator decides."), good=True)
notices.add(
    "correction_approved",
    N_("Approved and signed. The new answer is scored and judged; the old one stays beside it."),
    good=True,
)
notices.add("correction_refused", N_("Refused and signed. The answer stays as it is."), good=True)
