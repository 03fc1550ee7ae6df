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
        "time_needed": N_("Enter the time as hours and minutes, for example 14:30."),
        "answered_in_future": N_("Answers cannot be in the future. Check the date and time."),
        "answered_before_consent": N_("This is before the participant’s consent. Check the date."),
        "answered_too_long_ago": N_("This is more than 60 days ago. Check the date; older forms cannot be entered."),
        "nothing_answered": N_("No question has been answered yet."),
        "not_asked": N_(
            "This question is not asked because of other answers. Clear it, or correct the question it depends on."
        ),
        "not_accepted": N_("This is not a possible answer. Choose again."),
        "no_such_option": N_("This is not a possible answer. Choose again."),
        "no_such_question": N_("This is not a possible answer. Choose again."),
        "none_with_ticks": N_("“None of these” is selected together with others. Keep only one."),
        "not_a_number": N_("Enter a number, for example 56.5."),
        "too_low": N_("The value is too low. Check the number and the unit."),
        "too_high": N_("The value is too high. Check the number and the unit."),
        "unreadable": N_("It contains a character that cannot be saved. Enter it again."),
        "empty": N_("Enter an answer."),
        "died": N_("This participant has died; nothing can be entered."),
        "withdrawn_entry": N_("This participant has left the study. Only the withdrawal form can be entered."),
        "wording_not_licensed_entry": N_(
            "This questionnaire cannot be used: its licensed wording is not loaded. The administrator "
            "loads it with “flask wording load”."
        ),
        "begun": N_(
            "New answers arrived while you were typing, so nothing was saved. Check them now. If your "
            "entry should still be saved, press the button again."
        ),
        "own_entry": N_("You entered this form yourself. Another colleague must verify it against the original."),
        "checked": N_("A colleague already verified this form. Nothing was changed."),
        "reason_empty": N_("Enter the reason for the corrections."),
        "in_future_heard": N_("This time is in the future. Check when the participant said it."),
        "same_answer": N_("Same as the current answer."),
        "new_answer_needed": N_("Enter the new answer, or select “Not answered”."),
        "answer_and_none": N_("An answer is given and “Not answered” is also selected. Keep only one."),
        "asked_already": N_("A correction of this answer is already awaiting a decision. No new request was added."),
        "decided": N_("A colleague already decided this. Nothing was changed; the decision is below."),
        "own_request": N_("You requested this correction yourself. Another investigator must decide."),
        "answer_changed": N_(
            "The answer was changed after this request, so it cannot be approved. Reject it; if the "
            "answer is still wrong, make a new request."
        ),
        "not_asked_any_more": N_(
            "Because of the other answers this question is no longer asked, so the correction cannot "
            "be approved. Reject it."
        ),
    }
)

# Notices after a post.
notices.add("entered", N_("The interview has been saved and evaluated."), good=True)
notices.add(
    "entered_paper",
    N_("The paper form has been saved and evaluated. A colleague must verify it against the original."),
    good=True,
)
notices.add("checked", N_("The paper form matches the original. Verification by you has been recorded."), good=True)
notices.add(
    "corrected",
    N_("The paper form has been corrected and evaluated again. Verification by you has been recorded."),
    good=True,
)
notices.add(
    "tell_now",
    N_(
        "This is an emergency. If it is happening now, tell the participant to call %(number)s "
        "immediately and not to wait for a reply."
    ),
    fill=_emergency_number,
)
notices.add("cannot_enter", "%(why)s", fill=_refusal)
notices.add("correction_asked", N_("The correction request has been signed. An investigator will decide."), good=True)
notices.add(
    "correction_approved",
    N_("Approved and signed. The new answer has been scored and evaluated; the original answer is kept."),
    good=True,
)
notices.add("correction_refused", N_("Rejected and signed. The answer is unchanged."), good=True)
