"""Forms for treatment dates and for one reason of several missed forms."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from pro.web.forms import DATE_FORMATS, REASON_LENGTH, DateField, choices, to_half_width, trim
from pro.web.labels import MISSING_REASONS, WITHDRAWAL_SCOPES
from pro.web.refusals import N_, REFUSALS


class TreatmentDateForm(FlaskForm):
    """Form to record, plan, change or remove one treatment date.

    ``seen``: digest of the preview that was shown.
    """

    kind = HiddenField()
    seen = HiddenField()
    take_back = HiddenField()
    number = StringField(N_("Number"), filters=[to_half_width])
    on = DateField(N_("Date"), format=DATE_FORMATS)
    basis = RadioField(
        N_("Has it already taken place?"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[SelectChoice("actual", N_("Already taken place")), SelectChoice("planned", N_("Planned"))],
        validate_choice=False,
    )
    reason = TextAreaField(
        N_("Reason"),
        filters=[trim],
        validators=[Length(max=REASON_LENGTH, message=N_("The reason is too long: at most 500 characters."))],
    )

    # Asked where the date ends participation: as on the page of the consent.
    scope = RadioField(
        N_("What does the participant want to end?"), choices=choices(WITHDRAWAL_SCOPES.items()), validate_choice=False
    )
    told = TextAreaField(N_("What information was given to the participant?"), filters=[trim])

    @property
    def is_removal(self) -> bool:
        """Return True if the date is to be removed."""
        return bool(self.take_back.data)

    def read(self, *, numbered: bool, plannable: bool) -> bool:
        """Return True if every field is valid.

        ``numbered``: the date needs a number. ``plannable``: if False, the date counts as actual, not planned.
        """
        is_valid = self.validate_on_submit()
        if self.is_removal:
            is_valid, self.on.errors, self.on.process_errors = not self.reason.errors, [], []
        if not plannable:
            self.basis.data = "actual"
        if numbered and not (self.number.data or "").isdecimal():
            self.number.errors = [N_("Enter the number, for example 3.")]
        if not self.is_removal and (self.on.process_errors or self.on.data is None):
            self.on.errors = [REFUSALS["date_needed"]]
        if not self.is_removal and self.basis.data not in ("actual", "planned"):
            self.basis.errors = [N_("Choose whether it has taken place or is planned.")]
        return is_valid and not any(field.errors for field in self)

    @property
    def digits(self) -> int:
        """Return the typed number, 0 if it is missing or invalid."""
        typed = self.number.data or ""
        return int(typed) if typed.isdecimal() and len(typed) < 5 else 0


class SeveralReasonsForm(FlaskForm):
    """Form for one reason of several missed forms, which are ticked in the list above it."""

    reason = SelectField(
        N_("Reason for all chosen forms"),
        choices=[SelectChoice("", N_("Please choose")), *choices(MISSING_REASONS.items())],
        validators=[InputRequired(N_("Choose a reason."))],
        validate_choice=False,
    )
    note = StringField(
        N_("Remark (optional)"),
        filters=[trim],
        validators=[Length(max=REASON_LENGTH, message=N_("The note is too long: at most 500 characters."))],
    )
