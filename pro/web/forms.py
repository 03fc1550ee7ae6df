"""What staff can type: fields and their own checks. What only the database knows is checked by the services."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    EmailField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from pro.web.labels import CALL_OUTCOMES, MISSING_REASONS
from pro.web.refusals import N_, REFUSALS
from pro.web.typed_moments import local_now

NOTE_LENGTH = 4000
REASON_LENGTH = 500
# What browsers send for a day and a time, and what is typed where they have no field for it. The first is shown.
TYPED_MOMENTS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")
# As a browser without a calendar lets them be typed.
DATE_FORMATS = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"]


def choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """(value, label) pairs as options of a field."""
    return [SelectChoice(value, label) for value, label in pairs]


def posted_row_number(text: str | None) -> int | None:
    """The number of a row as a page posts it; None for anything that no row could have."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _trim(text: str | None) -> str | None:
    return text.strip() if text else text


def _to_half_width(text: str | None) -> str | None:
    """Full-width digits and letters, as a Chinese keyboard types them, count as plain ones."""
    return unicodedata.normalize("NFKC", text).strip() if text else text


class SignInForm(FlaskForm):
    """E-mail and password."""

    email = EmailField(
        N_("E-mail"),
        filters=[_trim],
        validators=[DataRequired(N_("Please type your e-mail address.")), Length(max=254)],
    )
    password = PasswordField(
        N_("Password"), validators=[DataRequired(N_("Please type your password.")), Length(max=1024)]
    )


class NoteForm(FlaskForm):
    """A note on the alerts of one form."""

    text = TextAreaField(
        N_("Note"),
        filters=[_trim],
        validators=[
            DataRequired(N_("The note is empty. Please write what you did or found.")),
            Length(max=NOTE_LENGTH, message=N_("The note is too long. At most 4000 characters.")),
        ],
    )


class CallForm(FlaskForm):
    """A phone call that was made. Field names are those of ``missed_forms.log_call``."""

    outcome = RadioField(
        N_("What came of the call"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=choices(CALL_OUTCOMES.items()),
        validators=[InputRequired(REFUSALS["call_outcome"])],
    )
    at = DateTimeLocalField(
        N_("When you called"), format=list(TYPED_MOMENTS), validators=[InputRequired(REFUSALS["call_at"])]
    )
    text = TextAreaField(
        N_("What was said"),
        filters=[_trim],
        validators=[Length(max=NOTE_LENGTH, message=N_("The note is too long. At most 4000 characters."))],
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """True if everything typed can be passed on."""
        fine = bool(super().validate(extra_validators))
        if self.at.process_errors:
            self.at.errors = [REFUSALS["call_at"]]
        return fine

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
        filters=[_to_half_width],
        validators=[
            DataRequired(REFUSALS["study_number_missing"]),
            Length(max=32, message=REFUSALS["study_number_shape"]),
        ],
    )
    phone = StringField(
        N_("Mobile phone"), filters=[_to_half_width], validators=[Length(max=32, message=REFUSALS["phone_invalid"])]
    )
    language = RadioField(
        N_("Language of forms and messages"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Please choose the language."))],
    )
    pin = StringField(
        N_("PIN"),
        filters=[_to_half_width],
        validators=[DataRequired(REFUSALS["pin_digits"]), Regexp(r"^[0-9]{4,6}$", message=REFUSALS["pin_digits"])],
    )
    consented_on = DateField(
        N_("Date of consent"), format=DATE_FORMATS, validators=[InputRequired(REFUSALS["date_needed"])]
    )
    consent_version = StringField(N_("Version of the consent form"), filters=[_to_half_width])
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
        N_("New PIN, only if the old one is forgotten"), filters=[_to_half_width], validators=[Length(max=32)]
    )


class DataEntryForm(FlaskForm):
    """What is said about a form that staff type in; its answers are read by ``data_entry_views``."""

    mode = RadioField(
        N_("How it was answered"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[SelectChoice("phone", N_("In a phone interview")), SelectChoice("paper", N_("On paper"))],
        validators=[InputRequired(N_("Please choose how it was answered."))],
    )
    answered_by = RadioField(
        N_("Who answered"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[
            SelectChoice("self", N_("The participant")),
            SelectChoice("helped", N_("The participant, with somebody’s help")),
            SelectChoice("proxy", N_("Somebody else for the participant")),
        ],
        validators=[InputRequired(N_("Please choose who answered."))],
    )
    day = DateField(N_("Day of the answers"), format=DATE_FORMATS, validators=[InputRequired(REFUSALS["date_needed"])])
    time = TimeField(N_("Time of the answers"), validators=[InputRequired(REFUSALS["time_needed"])])
    language = RadioField(
        N_("Language in which it was answered"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Please choose the language."))],
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """True if everything typed can be passed on."""
        fine = bool(super().validate(extra_validators))
        if self.day.process_errors:
            self.day.errors = [REFUSALS["date_needed"]]
        if self.time.process_errors:
            self.time.errors = [REFUSALS["time_needed"]]
        return fine


class VerificationForm(FlaskForm):
    """What the second reader of a paper form says at the end."""

    compared = BooleanField(
        N_("I have compared every answer with the sheet."),
        validators=[DataRequired(N_("Please confirm that you have compared every answer with the sheet."))],
    )
    reason = StringField(
        N_("Reason for the corrections"),
        filters=[_trim],
        validators=[Length(max=1000, message=N_("The reason is too long. At most 1000 characters."))],
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


class TreatmentDateForm(FlaskForm):
    """One date of a treatment: recorded, planned, changed, or taken back. ``seen`` names the preview that was shown."""

    kind = HiddenField()
    seen = HiddenField()
    take_back = HiddenField()
    number = StringField(N_("Number"), filters=[_to_half_width])
    on = DateField(N_("Date"), format=DATE_FORMATS)
    basis = RadioField(
        N_("Has it happened?"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[SelectChoice("actual", N_("It has happened")), SelectChoice("planned", N_("It is planned"))],
        validate_choice=False,
    )
    reason = TextAreaField(
        N_("Reason"),
        filters=[_trim],
        validators=[Length(max=REASON_LENGTH, message=N_("The reason is too long. At most 500 characters."))],
    )

    @property
    def is_removal(self) -> bool:
        """True if the date is to be taken back."""
        return bool(self.take_back.data)

    def read(self, *, numbered: bool, plannable: bool) -> bool:
        """True if everything typed can be passed on. A kind that cannot be planned has happened."""
        fine = self.validate_on_submit()
        if self.is_removal:
            fine, self.on.errors, self.on.process_errors = not self.reason.errors, [], []
        if not plannable:
            self.basis.data = "actual"
        if numbered and not (self.number.data or "").isdecimal():
            self.number.errors = [N_("Please type the number, such as 3.")]
        if not self.is_removal and (self.on.process_errors or self.on.data is None):
            self.on.errors = [REFUSALS["date_needed"]]
        if not self.is_removal and self.basis.data not in ("actual", "planned"):
            self.basis.errors = [N_("Please say whether it has happened or is planned.")]
        return fine and not any(field.errors for field in self)

    @property
    def digits(self) -> int:
        """The number that was typed, 0 for none."""
        typed = self.number.data or ""
        return int(typed) if typed.isdecimal() and len(typed) < 5 else 0


class MissedReasonForm(FlaskForm):
    """Why an expected form never came. ``expected``: which line of the ledger."""

    expected = HiddenField()
    reason = SelectField(
        N_("Why it is missing"),
        choices=[SelectChoice("", N_("Please choose")), *choices(MISSING_REASONS.items())],
        validators=[InputRequired(N_("Please choose a reason."))],
        validate_choice=False,
    )
    note = StringField(
        N_("Note"),
        filters=[_trim],
        validators=[Length(max=REASON_LENGTH, message=N_("The note is too long. At most 500 characters."))],
    )


def blank_call_form(text: str = "") -> CallForm:
    """The form for a call that was just made; ``text``: what was typed before a sign-in."""
    return CallForm(formdata=None, at=local_now(), text=text)
