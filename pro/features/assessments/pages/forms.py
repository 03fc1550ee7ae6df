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
    time = TimeField(N_("Time of the answers"), validators=[InputRequired(labels.REFUSALS["time_needed"])])
    language = RadioField(
        N_("Language in which it was answered"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(N_("Please choose the language."))],
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
        N_("I have compared every answer with the sheet."),
        validators=[DataRequired(N_("Please confirm that you have compared every answer with the sheet."))],
    )
    reason = StringField(
        N_("Reason for the corrections"),
        filters=[trim],
        validators=[Length(max=1000, message=N_("The reason is too long. At most 1000 characters."))],
    )
