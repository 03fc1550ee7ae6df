"""Forms of staff for data entry and verification."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, StringField, TimeField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from pro.features.assessments.pages import labels
from pro.web.forms import DATE_FORMATS, DateField, trim
from pro.web.refusals import N_, REFUSALS


class DataEntryForm(FlaskForm):
    """Circumstances of a form that staff enter; ``data_entry_views`` reads its answers."""

    mode = RadioField(
        N_("Mode of completion"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[SelectChoice("phone", N_("Phone interview")), SelectChoice("paper", N_("On paper"))],
        validators=[InputRequired(N_("Choose how the form was completed."))],
    )
    answered_by = RadioField(
        N_("Answered by"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[
            SelectChoice("self", N_("The participant")),
            SelectChoice("helped", N_("The participant, with help")),
            SelectChoice("proxy", N_("Someone else on the participant’s behalf")),
        ],
        validators=[InputRequired(N_("Choose who answered."))],
    )
    day = DateField(N_("Date of the answers"), format=DATE_FORMATS, validators=[InputRequired(REFUSALS["date_needed"])])
    time = TimeField(N_("Time of the answers"), validators=[InputRequired(labels.REFUSALS["time_needed"])])
    language = RadioField(
        N_("Language of the answers"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Choose the language."))],
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """Return True if every field can be passed on to the service."""
        fine = bool(super().validate(extra_validators))
        if self.day.process_errors:
            self.day.errors = [REFUSALS["date_needed"]]
        if self.time.process_errors:
            self.time.errors = [labels.REFUSALS["time_needed"]]
        return fine


class VerificationForm(FlaskForm):
    """Confirmation at the end of the second check of a paper form."""

    compared = BooleanField(
        N_("I have verified every answer against the original."),
        validators=[DataRequired(N_("Confirm that you have verified every answer against the original."))],
    )
    reason = StringField(
        N_("Reason for the corrections"),
        filters=[trim],
        validators=[Length(max=1000, message=N_("The reason is too long: at most 1000 characters."))],
    )
