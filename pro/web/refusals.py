"""Why something was refused, in sentences that a member of staff can act on."""

from __future__ import annotations

from collections.abc import Mapping


def N_(text: str) -> str:  # noqa: N802  the name that gettext tools know
    """Mark ``text`` for translation without translating it yet."""
    return text


# Why something was refused, by the ``why`` of the failure or of a field.
REFUSALS: Mapping[str, str] = {
    "study_number_missing": N_("Please type the study number."),
    "study_number_shape": N_("Use 2 to 31 letters, digits and dashes, such as NC-007."),
    "study_number_person": N_(
        "This looks like a phone or identity card number. Please type the number that the study gave this person."
    ),
    "taken": N_("Somebody is already enrolled under this number. Please check it."),
    "phone_invalid": N_(
        "This is not a complete phone number. Type a mainland number, or begin with + and the country code."
    ),
    "unknown": N_("Please choose one of those shown."),
    "pin_digits": N_("Please type a PIN of 4 to 6 digits, nothing else."),
    "date_needed": N_("Please give the date as year, month and day, such as 2026-11-22."),
    "in_future": N_("The date of consent is after today. Please check it."),
    "consent_long_ago": N_("This is more than ten years ago. Please check the year."),
    "call_outcome": N_("Please choose what came of the call."),
    "call_at": N_("Please give the day and the time of the call, such as 2026-11-22 14:30."),
    "call_in_future": N_("This time has not come yet. Please check when you called."),
    "call_long_ago": N_("This is more than a year ago. Please check when you called."),
    "withdrawn_card": N_("This participant has left the study, so no card can be made."),
    "no_pin": N_("No PIN is set for this participant. Please let them choose one and type it here."),
    "no_card_font": N_(
        "This server has no Chinese font, so no card was made and the former one still works. Please ask the IT"
        " department to install one (Debian: fonts-noto-cjk)."
    ),
    "no_card_print": N_(
        "The card could not be drawn, so none was made and the former one still works. Please try again; if it does not"
        " help, ask the IT department."
    ),
    "wording_not_licensed": N_(
        "This questionnaire may not be sent: its licensed wording is not loaded. The administrator loads it with"
        " “flask wording load”."
    ),
    "withdrawn": N_("This participant has left the study, so no form can be sent."),
    "opted_out": N_("This participant wants no messages. Show a link and a code here, or use the card."),
    "no_phone": N_("There is no phone number for this participant. Show a link and a code here instead."),
    "time_needed": N_("Please give the time as hours and minutes, such as 14:30."),
    "answered_in_future": N_("The answers cannot be from the future. Please check day and time."),
    "answered_before_consent": N_("This is before the participant’s consent. Please check the day."),
    "answered_too_long_ago": N_("This is more than 60 days ago. Please check the day; older forms are not entered."),
    "nothing_answered": N_("No question is answered yet."),
    "not_asked": N_("This is not asked, given the other answers. Clear it, or correct the question it depends on."),
    "not_accepted": N_("This is none of the possible answers. Please choose again."),
    "no_such_option": N_("This is none of the possible answers. Please choose again."),
    "no_such_question": N_("This is none of the possible answers. Please choose again."),
    "none_with_ticks": N_("“None of these” is ticked together with others. Please keep one or the other."),
    "not_a_number": N_("Please type a number, such as 56.5."),
    "too_low": N_("This number is too small to be right. Please check it and its unit."),
    "too_high": N_("This number is too large to be right. Please check it and its unit."),
    "too_long": N_("This text is too long. Please shorten it."),
    "unreadable": N_("There is a character in it that cannot be kept. Please type it again."),
    "empty": N_("Please type an answer."),
    "died": N_("This participant has died, so nothing can be entered."),
    "withdrawn_entry": N_("This participant has left the study. Only the form at the withdrawal can be entered."),
    "wording_not_licensed_entry": N_(
        "This questionnaire may not be used: its licensed wording is not loaded. The administrator loads it with"
        " “flask wording load”."
    ),
    "begun": N_(
        "Something came in while you were typing, so nothing is saved yet. Look at what is there now. If what you typed"
        " shall count, press the button again."
    ),
    "own_entry": N_("You typed this form yourself. Somebody else has to compare it with the sheet."),
    "checked": N_("A colleague has compared this form already. Nothing was changed."),
    "reason_empty": N_("Please say why answers were corrected."),
    "no_sms": N_("This installation sends no SMS. Show a link and a code here instead."),
    "not_taken": N_("This installation’s SMS provider does not take this. Please choose another way."),
    "over_budget": N_("This number has had as many messages today as it may get. Please phone, or show the code here."),
    "no_plan": N_("Please choose the study."),
    "person_missing": N_("Please choose who."),
    "no_account": N_("This account is closed. Please choose somebody else."),
    "cannot_act": N_("This person’s role may not act on alerts. Please choose somebody else."),
    "same": N_("This person holds it already. Please choose somebody else."),
    "absent": N_("%(name)s is away from %(starts)s to %(ends)s. Choose somebody else, or other times."),
    "away_already": N_("%(name)s is down as away from %(starts)s to %(ends)s already. Take that back first."),
    "ends_first": N_("It ends before it starts. Please check both times."),
    "past": N_("This time is over. Please choose times that lie ahead."),
    "too_far": N_("This is more than a year away. Please check the date."),
    "day_and_time_needed": N_("Please give the day and the time."),
    "stretch_too_long": N_(
        "This is too long: duty at most 31 days, an absence at most a year. Please check both dates."
    ),
    "overlaps": N_("%(name)s holds this place from %(starts)s to %(ends)s. Choose other times, or hand that over."),
    "reply_died": N_("This participant has died. No text can be sent."),
    "reply_withdrawn": N_("This participant has left the study. No text can be sent."),
    "reply_opted_out": N_("This participant wants no messages. Please phone instead."),
    "reply_no_phone": N_("There is no phone number for this participant, so no text can be sent."),
    "reply_plan_gone": N_("The study plan of this participant is no longer here. Please phone instead."),
    "reply_no_sms": N_("This installation sends no SMS. Please phone instead."),
    "reply_fixed_only": N_("Own words cannot be sent by this installation’s SMS provider. Please choose a fixed text."),
    "reply_not_taken": N_("This installation’s SMS provider has approved no such text. Please phone instead."),
    "reply_no_links": N_("The SMS provider takes no links. Please leave out the web address."),
    "reply_over_budget": N_("This number has had as many messages today as it may get. Please phone instead."),
    "reply_identical": N_(
        "This number got this text too often within a day; the SMS provider would reject it. Please phone instead."
    ),
    "reply_kind": N_("Please choose a text."),
    "reply_empty": N_("The text is empty. Please type what you want to send."),
    "reply_too_long": N_("This text would take %(segments)s SMS; at most 2 can be sent. Please shorten it, or phone."),
    "who_wrote": N_("Please choose who wrote it."),
    "assign_reason": N_("Please write the reason."),
    "why_needed": N_("Please write the reason."),
    "in_future_heard": N_("This time has not come yet. Please check when the participant said it."),
    "same_answer": N_("This is the answer that stands already."),
    "new_answer_needed": N_("Please give the new answer, or say that it was not answered."),
    "answer_and_none": N_("There is an answer, and “was not answered” is ticked too. Please keep one or the other."),
    "asked_already": N_("A correction of this answer waits for a decision already. Nothing was added."),
    "decided": N_("A colleague has decided this already. Nothing was changed; the decision stands below."),
    "own_request": N_("You asked for this yourself. Another investigator has to decide."),
    "answer_changed": N_(
        "The answer was changed after this was asked for, so it cannot be approved. Refuse it; if it is still wrong,"
        " a new request is made on the answer as it stands."
    ),
    "not_asked_any_more": N_(
        "Given the other answers, this question is not asked any more, so it cannot be approved. Refuse it."
    ),
    "frozen_already": N_("This is frozen already. Nothing was changed."),
    "not_frozen": N_("This is not frozen any more. Nothing was changed."),
    "consent_version": N_("Please type the version that stands on the signed form, at most 64 characters."),
    "no_health_data": N_("Without separate consent for health data nobody can take part. Let it be signed first."),
    "scope_needed": N_("Please choose what the participant wants to end."),
    "told_needed": N_("Please write what the participant was told."),
    "left": N_("This participant has left the study, so no new consent is recorded. Take the withdrawal back first."),
    "no_participant": N_("Nobody is enrolled under this number. Please check it."),
    "no_form": N_("There is no form of this name. Copy it from a line of the trail."),
    "days_swapped": N_("This day is before the first. Please check both."),
    "too_many": N_(
        "More than 20,000 events are picked. Please pick fewer days and export them one after the other, so that"
        " nothing is left out."
    ),
    "outside": N_("The stretch goes from %(starts)s to %(ends)s. Please choose times within it."),
}
