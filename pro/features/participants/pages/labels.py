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
    "text": N_("Text message"),
    "letter": N_("In writing"),
}

# How a consent was signed, and the scope of a withdrawal of consent.
CONSENT_WAYS: Mapping[str, str] = {
    "paper": N_("On paper"),
    "witness": N_("On paper, with a witness"),
    "electronic": N_("Electronic"),
}
SCOPES = web_labels.WITHDRAWAL_SCOPES

web_labels.add_tables(
    {"heard": HEARD, "consent_way": CONSENT_WAYS, "scope": {**SCOPES, "mistake": N_("Enrolled by mistake")}}
)


# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "participant_number_missing": N_("Enter the participant number."),
        "participant_number_shape": N_(
            "This does not look like a participant number of this study. Check it against the study’s list."
        ),
        "participant_number_person": N_(
            "This looks like a phone or identity card number. Enter the participant number assigned by the study."
        ),
        "taken": N_("A participant with this number is already enrolled. Check the number."),
        "phone_not_mobile": N_(
            "This is a landline number: it cannot receive text messages. Enter a mobile number, or "
            "leave it empty and create a card."
        ),
        "phone_shared": N_(
            "Another participant has the same phone number. Staff must assign each text message from "
            "it by hand. If the number is correct, tick the box below; otherwise check it."
        ),
        "number_has_answers": N_(
            "Answers are stored under this number, so it cannot be changed. Contact the IT department if it is wrong."
        ),
        "nothing_to_correct": N_("Nothing was changed: these details are already stored."),
        "has_reported": N_(
            "This participant has an alert or a text message, so the enrolment cannot be cancelled. "
            "Record a withdrawal on the page “Consent” instead."
        ),
        "answered_already": N_(
            "This participant has answered, so the enrolment cannot be cancelled. Record a withdrawal "
            "on the page “Consent” instead."
        ),
        "phone_invalid": N_(
            "The phone number is incomplete. Enter a mainland China number, or start with + and the country code."
        ),
        "pin_digits": N_("The PIN must have 4 to 6 digits."),
        "in_future": N_("The date of consent is in the future. Check it."),
        "consent_long_ago": N_("This is more than ten years ago. Check the year."),
        "withdrawn_card": N_("This participant has left the study; no card can be created."),
        "no_pin": N_("No PIN is set for this participant. Ask the participant to choose one and enter it here."),
        "no_card_font": N_(
            "The server has no Chinese font, so no card was created; the old card still works. Ask the "
            "IT department to install one (Debian: fonts-noto-cjk)."
        ),
        "no_card_print": N_(
            "The card could not be created; the old card still works. Try again; if it fails again, "
            "contact the IT department."
        ),
        "wording_not_licensed": N_(
            "This questionnaire cannot be sent: its licensed wording is not loaded. The administrator "
            "loads it with “flask wording load”."
        ),
        "withdrawn": N_("This participant has left the study; no questionnaire can be sent."),
        "opted_out": N_("This participant has opted out of messages. Show a link and a code here, or use the card."),
        "death_reported": N_("A text message reports a death. Call the family; no message is sent until then."),
        "no_phone": N_("No phone number is recorded for this participant. Show a link and a code here instead."),
        "no_sms": N_("This system sends no text messages. Show a link and a code here instead."),
        "not_taken": N_("The SMS provider does not support this. Choose another method."),
        "over_budget": N_(
            "The daily message limit for this number has been reached. Please phone, or show the code here."
        ),
        "identical": N_("This number received the same text too often in one day. Please phone."),
        "frozen_already": N_("Already frozen. Nothing was changed."),
        "not_frozen": N_("No longer frozen. Nothing was changed."),
        "consent_version": N_("Enter the version printed on the signed form, at most 64 characters."),
        "no_health_data": N_("Separate consent for health data is required to take part. Obtain it first."),
        "scope_needed": N_("Choose what the participant wants to end."),
        "told_needed": N_("Enter what the participant was told."),
        "left": N_(
            "This participant has left the study; no new consent can be recorded. Reverse the withdrawal first."
        ),
    }
)

# Notices after an action.
notices.add("details_corrected", N_("Corrected."), good=True)
notices.add(
    "phone_corrected",
    N_("Corrected. Links and access codes sent to the old number no longer work: send the form again."),
    good=True,
)
notices.add(
    "details_stale",
    N_("These details were changed in the meantime. Nothing was saved. The page shows the current details."),
)
notices.add(
    "enrolment_cancelled",
    N_(
        "Recorded as enrolled by mistake: no forms or messages are sent, the phone number is deleted, "
        "and the study does not count this participant."
    ),
    good=True,
)
notices.add("enrolled", N_("Enrolled. You can send the first questionnaire below."), good=True)
notices.add("queued", N_("The text message is being sent. Its status is on the tab “Messages”."), good=True)
notices.add("card_revoked", N_("The card has been revoked and no longer works."), good=True)
notices.add("consent_signed", N_("Consent recorded."), good=True)
notices.add(
    "consent_withdrawn",
    N_("The withdrawal has been recorded and is in effect: no more questionnaires or messages are sent."),
    good=True,
)
notices.add(
    "frozen_now", N_("Frozen and signed. Staff cannot change anything here until the freeze is lifted."), good=True
)
notices.add("unfrozen_now", N_("The freeze has been lifted and signed."), good=True)
notices.add(
    "withdrawn_first",
    N_("%(name)s already recorded the withdrawal at %(at)s. Your entry was not saved; your text is below."),
    fill=notices.name_or_words(N_("The system")),
)
