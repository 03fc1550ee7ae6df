"""Labels of participants: consents and corrections, refusals and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import labels as web_labels
from pro.web import notices, refusals
from pro.web.refusals import N_

# How the participant confirmed a correction.
HEARD: Mapping[str, str] = {
    "phone": N_("By phone"),
    "visit": N_("Face to face"),
    "text": N_("In a text message"),
    "letter": N_("In writing"),
}

# How a consent was signed, and the scope of a withdrawal of consent.
CONSENT_WAYS: Mapping[str, str] = {
    "paper": N_("On paper"),
    "witness": N_("On paper, before a witness"),
    "electronic": N_("Electronically"),
}
SCOPES = web_labels.WITHDRAWAL_SCOPES

web_labels.add_tables(
    {"heard": HEARD, "consent_way": CONSENT_WAYS, "scope": {**SCOPES, "mistake": N_("Enrolled by mistake")}}
)


# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "study_number_missing": N_("Please type the study number."),
        "study_number_shape": N_("This does not look like a number of this study. Check it against the study’s list."),
        "study_number_person": N_(
            "This looks like a phone or identity card number. Please type the number that the study gave this person."
        ),
        "taken": N_("Somebody is already enrolled under this number. Please check it."),
        "phone_not_mobile": N_(
            "This is a landline: it gets no text message. Type a mobile number, or leave it empty and make a card."
        ),
        "phone_shared": N_(
            "Another participant has this phone too. Texts from it cannot be told apart, so a person must assign each. "
            "If it is right, tick the box below; else check the number."
        ),
        "number_has_answers": N_(
            "Answers are stored under this number, so it stays. Ask the IT department if it is wrong."
        ),
        "nothing_to_correct": N_("Nothing here differs from what is stored."),
        "has_reported": N_(
            "There is an alert or a text message of this participant, so the enrolment cannot be taken back. Record a "
            "withdrawal on the page “Consent” instead."
        ),
        "answered_already": N_(
            "This participant has answered, so the enrolment cannot be taken back. Record a withdrawal on the page "
            "“Consent” instead."
        ),
        "phone_invalid": N_(
            "This is not a complete phone number. Type a mainland number, or begin with + and the country code."
        ),
        "pin_digits": N_("Please type a PIN of 4 to 6 digits, nothing else."),
        "in_future": N_("The date of consent is after today. Please check it."),
        "consent_long_ago": N_("This is more than ten years ago. Please check the year."),
        "withdrawn_card": N_("This participant has left the study, so no card can be made."),
        "no_pin": N_("No PIN is set for this participant. Please let them choose one and type it here."),
        "no_card_font": N_(
            "This server has no Chinese font, so no card was made and the former one still works. Please ask the IT"
            " department to install one (Debian: fonts-noto-cjk)."
        ),
        "no_card_print": N_(
            "The card could not be drawn, so none was made and the former one still works. Please try again; if it does"
            " not help, ask the IT department."
        ),
        "wording_not_licensed": N_(
            "This questionnaire may not be sent: its licensed wording is not loaded. The administrator loads it with"
            " “flask wording load”."
        ),
        "withdrawn": N_("This participant has left the study, so no form can be sent."),
        "opted_out": N_("This participant wants no messages. Show a link and a code here, or use the card."),
        "no_phone": N_("There is no phone number for this participant. Show a link and a code here instead."),
        "no_sms": N_("This installation sends no SMS. Show a link and a code here instead."),
        "not_taken": N_("This installation’s SMS provider does not take this. Please choose another way."),
        "over_budget": N_(
            "This number has had as many messages today as it may get. Please phone, or show the code here."
        ),
        "frozen_already": N_("This is frozen already. Nothing was changed."),
        "not_frozen": N_("This is not frozen any more. Nothing was changed."),
        "consent_version": N_("Please type the version that stands on the signed form, at most 64 characters."),
        "no_health_data": N_("Without separate consent for health data nobody can take part. Let it be signed first."),
        "scope_needed": N_("Please choose what the participant wants to end."),
        "told_needed": N_("Please write what the participant was told."),
        "left": N_(
            "This participant has left the study, so no new consent is recorded. Take the withdrawal back first."
        ),
    }
)

# Notices after an action.
notices.add("details_corrected", N_("Corrected."), good=True)
notices.add(
    "phone_corrected",
    N_("Corrected. Links and codes that were sent to the old number no longer work: send the form again."),
    good=True,
)
notices.add(
    "details_stale", N_("These details were changed meanwhile. Nothing was saved; the page shows them as they are now.")
)
notices.add(
    "enrolment_cancelled",
    N_(
        "Recorded as enrolled by mistake: nothing is asked or sent, the phone is forgotten, "
        "the study does not count it."
    ),
    good=True,
)
notices.add("enrolled", N_("Enrolled. You can send the first form below."), good=True)
notices.add("queued", N_("The SMS is on its way. Whether it went out stands under Messages."), good=True)
notices.add("card_revoked", N_("The card is revoked. It opens nothing any more."), good=True)
notices.add("consent_signed", N_("The consent is recorded."), good=True)
notices.add(
    "consent_withdrawn",
    N_("The withdrawal is recorded and in effect: nothing is asked and nothing is sent any more."),
    good=True,
)
notices.add("frozen_now", N_("Frozen and signed. Staff can change nothing here until it is lifted."), good=True)
notices.add("unfrozen_now", N_("The freeze is lifted and signed."), good=True)
notices.add(
    "withdrawn_first",
    N_("%(name)s had recorded the withdrawal already, %(at)s. Nothing of yours was recorded; what you typed is below."),
    fill=notices.name_or_words(N_("The system")),
)
