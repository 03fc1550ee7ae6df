"""Forms about participants, cards, corrections, freezes and consent.

Services check the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.participants.pages import labels
from pro.features.participants.pages.labels import CONSENT_WAYS, HEARD, SCOPES
from pro.features.schedule.participant_details import ParticipantDetails
from pro.web import request_context
from pro.web.forms import (
    DATE_FORMATS,
    REASON_LENGTH,
    TYPED_MOMENTS,
    DateField,
    DateTimeLocalField,
    choices,
    to_half_width,
    trim,
)
from pro.web.labels import MISSING_REASONS, moment_shown
from pro.web.refusals import N_, REFUSALS


class SignedForm(FlaskForm):
    """Base of forms with an electronic signature: the password, which no page ever shows."""

    password = PasswordField(N_("Your password (as signature)"))

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]

    def proof(self) -> PasswordProof | None:
        """Return the proof of a correct password; None with an error beside the field.

        Call it after all other checks: wrong passwords are counted.
        """
        found = signatures.confirm_password(request_context.work(), self.password.data or "")
        if isinstance(found, PasswordProof):
            return found
        say = request_context.translator().gettext
        if found.until is not None:
            sentence = N_("Too many wrong passwords. You can sign again after %(until)s.")
            self.password.errors = [say(sentence, until=moment_shown(found.until, request_context.work().now))]
        else:
            self.password.errors = [N_("The password is not correct. Nothing was changed.")]
        return None


class CorrectionForm(SignedForm):
    """Form to request a data correction; the new value is a field of the questionnaire."""

    confirmed_how = RadioField(
        N_("How did the participant confirm it?"), choices=choices(HEARD.items()), validate_choice=False
    )
    confirmed_at = DateTimeLocalField(N_("Date and time of confirmation"), format=list(TYPED_MOMENTS))
    confirmed_to = SelectField(N_("Who received the confirmation?"), validate_choice=False)
    reason = TextAreaField(N_("Reason for the correction"))

    def local(self) -> datetime | None:
        """Return the typed local time; None if it is missing."""
        return self.confirmed_at.data

    def missing_fields(self) -> dict[str, str]:
        """Return all required fields without a value as {field: why}, before the password check."""
        why = {"confirmed_how": "unknown", "confirmed_at": "day_and_time_needed", "reason": "why_needed"}
        return {name: said for name, said in why.items() if not str(self[name].data or "").strip()}


class CorrectionDecisionForm(SignedForm):
    """Form to approve or reject a data correction."""

    note = TextAreaField(N_("Comment (required for a rejection)"))


class FreezeForm(SignedForm):
    """Form to freeze or unfreeze records."""

    reason = TextAreaField(N_("Reason"))


class ConsentForm(FlaskForm):
    """Form to record a signed version of the consent form."""

    consent_version = StringField(N_("Version of the consent form"))
    consented_on = DateField(N_("Date of consent"), format=DATE_FORMATS)
    language = RadioField(N_("Language of the consent form"), validate_choice=False)
    way = RadioField(N_("How was it signed?"), choices=choices(CONSENT_WAYS.items()), validate_choice=False)
    health_data = BooleanField(N_("The separate consent for health data has been signed"))

    def wish(self) -> dict[str, Any]:
        """Return the typed values as arguments of ``consent_records.record_consent``."""
        return {
            "version": self.consent_version.data or "",
            "signed_on": self.consented_on.data,
            "language": self.language.data or "",
            "way": self.way.data or "",
            "health_data": bool(self.health_data.data),
        }

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


class WithdrawForm(FlaskForm):
    """Form to record the withdrawal of consent."""

    scope = RadioField(
        N_("What does the participant want to end?"), choices=choices(SCOPES.items()), validate_choice=False
    )
    told = TextAreaField(N_("What information was given to the participant?"))

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


class EnrolForm(FlaskForm):
    """Form to enrol a participant. Field names are the arguments of ``enrolment.enrol``."""

    plan = RadioField(
        N_("Study"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Choose the study."))],
    )
    participant_number = StringField(
        N_("Participant number"),
        filters=[to_half_width],
        validators=[
            DataRequired(labels.REFUSALS["participant_number_missing"]),
            Length(max=32, message=labels.REFUSALS["participant_number_shape"]),
        ],
    )
    phone = StringField(
        N_("Mobile phone"),
        filters=[to_half_width],
        validators=[Length(max=32, message=labels.REFUSALS["phone_invalid"])],
    )
    language = RadioField(
        N_("Language of forms and messages"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Choose the language."))],
    )
    pin = StringField(
        N_("PIN"),
        filters=[to_half_width],
        validators=[
            DataRequired(labels.REFUSALS["pin_digits"]),
            Regexp(r"^[0-9]{4,6}$", message=labels.REFUSALS["pin_digits"]),
        ],
    )
    consented_on = DateField(
        N_("Date of consent"), format=DATE_FORMATS, validators=[InputRequired(REFUSALS["date_needed"])]
    )
    consent_version = StringField(N_("Version of the consent form"), filters=[to_half_width])
    health_data = BooleanField(N_("The separate consent for health data has been signed"))
    # Shown once another participant has the phone.
    shared_phone = BooleanField(N_("Both share this phone number; it is correct"))

    def validate(self, extra_validators: Any = None) -> bool:
        """Return True if every field is valid."""
        is_valid = bool(super().validate(extra_validators))
        if self.consented_on.process_errors:
            self.consented_on.errors = [REFUSALS["date_needed"]]
        return is_valid

    def enrolment_arguments(self) -> dict[str, Any]:
        """Return the typed values as arguments of ``enrolment.enrol``."""
        names = ("plan", "participant_number", "phone", "language", "pin")
        typed = {name: self[name].data or "" for name in (*names, "consent_version")}
        ticked = {name: bool(self[name].data) for name in ("health_data", "shared_phone")}
        return {**typed, **ticked, "consented_on": self.consented_on.data}

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside fields without an error."""
        for name, why in problems.items():
            if not self[name].errors:
                self[name].errors = [REFUSALS.get(why, why)]


class DetailsForm(FlaskForm):
    """Form to correct a participant's details. ``seen``: digest of what the page showed."""

    seen = HiddenField()
    phone = StringField(N_("Mobile phone"), filters=[to_half_width])
    shared_phone = BooleanField(N_("Both share this phone number; it is correct"))
    participant_number = StringField(N_("Participant number"), filters=[to_half_width])
    language = RadioField(N_("Language of forms and messages"), validate_choice=False)
    reason = TextAreaField(N_("Reason"))

    def details(self) -> ParticipantDetails:
        """Return the typed values for the service."""
        return ParticipantDetails(
            participant_number=self.participant_number.data or "",
            phone=self.phone.data or "",
            language=self.language.data or "",
            shared_phone=bool(self.shared_phone.data),
        )

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


class MistakeForm(FlaskForm):
    """Form to record that a participant was enrolled by mistake."""

    mistake_reason = TextAreaField(N_("Reason"))

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


class CardForm(FlaskForm):
    """Form to make a card; a PIN is typed only if the old one is forgotten or none is set."""

    pin = StringField(
        N_("New PIN (only if the old one is forgotten)"), filters=[to_half_width], validators=[Length(max=32)]
    )


class SendForm(FlaskForm):
    """Form to issue a questionnaire now: which one, and how."""

    instrument = RadioField(
        N_("Questionnaire"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Choose a questionnaire."))],
    )
    by = RadioField(
        N_("Method"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[
            SelectChoice("link", N_("By text message, with a link")),
            SelectChoice("code", N_("By text message, with a code for the address on the card")),
            SelectChoice("here", N_("Show a link and a code here for a participant who is present")),
        ],
        validators=[InputRequired(N_("Choose a method."))],
    )


class MissedReasonForm(FlaskForm):
    """Form for the reason of a missing form. ``expected``: its row in the visit schedule."""

    expected = HiddenField()
    reason = SelectField(
        N_("Reason for missing form"),
        choices=[SelectChoice("", N_("Please choose")), *choices(MISSING_REASONS.items())],
        validators=[InputRequired(N_("Choose a reason."))],
        validate_choice=False,
    )
    note = StringField(
        N_("Note"),
        filters=[trim],
        validators=[Length(max=REASON_LENGTH, message=N_("The note is too long: at most 500 characters."))],
    )
