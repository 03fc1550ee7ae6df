"""What staff type about participants, cards, corrections, freezes and consent; services say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    DateTimeLocalField,
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
from pro.web import request_context
from pro.web.forms import DATE_FORMATS, TYPED_MOMENTS, choices, to_half_width
from pro.web.labels import moment_shown
from pro.web.refusals import N_, REFUSALS


class SignedForm(FlaskForm):
    """Something that is signed: the password again. It is never sent back to a page."""

    password = PasswordField(N_("Your password, as your signature"))

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Put the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]

    def proof(self) -> PasswordProof | None:
        """The proof that the right password was typed; None with a sentence beside the field. Asked last."""
        found = signatures.confirm_password(request_context.work(), self.password.data or "")
        if isinstance(found, PasswordProof):
            return found
        say = request_context.translator().gettext
        if found.until is not None:
            sentence = N_("Too many wrong passwords. You can sign again from %(until)s.")
            self.password.errors = [say(sentence, until=moment_shown(found.until, request_context.work().now))]
        else:
            self.password.errors = [N_("This is not your password. Nothing was changed.")]
        return None


class CorrectionForm(SignedForm):
    """A request to change one answer; the new value is a field of the questionnaire itself."""

    heard_how = RadioField(
        N_("How did the participant confirm it?"), choices=choices(HEARD.items()), validate_choice=False
    )
    heard_at = DateTimeLocalField(N_("When was that?"), format=list(TYPED_MOMENTS))
    heard_by = SelectField(N_("Who heard it?"), validate_choice=False)
    reason = TextAreaField(N_("Why must it be changed?"))

    def local(self) -> datetime | None:
        """The moment as it was typed, local; None for none."""
        return self.heard_at.data

    def missing_fields(self) -> dict[str, str]:
        """What must be said and was not, {field: why}: all of it at once, before the password is tried."""
        why = {"heard_how": "unknown", "heard_at": "day_and_time_needed", "reason": "why_needed"}
        return {name: said for name, said in why.items() if not str(self[name].data or "").strip()}


class CorrectionDecisionForm(SignedForm):
    """Approve or refuse a request."""

    note = TextAreaField(N_("Note; needed where you refuse"))


class FreezeForm(SignedForm):
    """Freeze, or lift a freeze."""

    reason = TextAreaField(N_("Reason"))


class ConsentForm(FlaskForm):
    """A version of the consent form that was signed."""

    consent_version = StringField(N_("Version of the consent form"))
    consented_on = DateField(N_("Date of consent"), format=DATE_FORMATS)
    language = RadioField(N_("Language of the consent form"), validate_choice=False)
    way = RadioField(N_("How was it signed?"), choices=choices(CONSENT_WAYS.items()), validate_choice=False)
    health_data = BooleanField(N_("The separate consent for health data is signed too"))

    def wish(self) -> dict[str, Any]:
        """What was typed, as the arguments of ``consent_records.record_consent``."""
        return {
            "version": self.consent_version.data or "",
            "signed_on": self.consented_on.data,
            "language": self.language.data or "",
            "way": self.way.data or "",
            "health_data": bool(self.health_data.data),
        }

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Put the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


class WithdrawForm(FlaskForm):
    """The participant takes the consent back."""

    scope = RadioField(
        N_("What does the participant want to end?"), choices=choices(SCOPES.items()), validate_choice=False
    )
    told = TextAreaField(N_("What was the participant told?"))

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Put the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


class EnrolForm(FlaskForm):
    """A new participant. Field names are those of ``enrolment.enrol``, so that its refusals find their field."""

    plan = RadioField(
        N_("Study"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Please choose the study."))],
    )
    study_number = StringField(
        N_("Study number"),
        filters=[to_half_width],
        validators=[
            DataRequired(labels.REFUSALS["study_number_missing"]),
            Length(max=32, message=labels.REFUSALS["study_number_shape"]),
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
        validators=[InputRequired(N_("Please choose the language."))],
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
    health_data = BooleanField(N_("The separate consent for health data is signed too"))

    def validate(self, extra_validators: Any = None) -> bool:
        """True if everything typed can be passed on."""
        fine = bool(super().validate(extra_validators))
        if self.consented_on.process_errors:
            self.consented_on.errors = [REFUSALS["date_needed"]]
        return fine

    def enrolment_arguments(self) -> dict[str, Any]:
        """What was typed, as the arguments of ``enrolment.enrol``."""
        names = ("plan", "study_number", "phone", "language", "pin")
        typed = {name: self[name].data or "" for name in (*names, "consent_version")}
        return {**typed, "consented_on": self.consented_on.data, "health_data": bool(self.health_data.data)}

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Put the service's refusals (field: why) beside their fields, where the form did not refuse already."""
        for name, why in problems.items():
            if not self[name].errors:
                self[name].errors = [REFUSALS.get(why, why)]


class CardForm(FlaskForm):
    """A new card; a new PIN only where the old one is forgotten or was never set."""

    pin = StringField(
        N_("New PIN, only if the old one is forgotten"), filters=[to_half_width], validators=[Length(max=32)]
    )


class SendForm(FlaskForm):
    """A form to send now, and the way."""

    instrument = RadioField(
        N_("Questionnaire"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Please choose a questionnaire."))],
    )
    by = RadioField(
        N_("How"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[
            SelectChoice("link", N_("By SMS, with a link")),
            SelectChoice("code", N_("By SMS, with a code for the web address on the card")),
            SelectChoice("here", N_("Show a link and a code here, for a participant who is with me")),
        ],
        validators=[InputRequired(N_("Please choose how."))],
    )
