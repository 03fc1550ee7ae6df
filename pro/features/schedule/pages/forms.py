"""What staff type about dates of the treatment, and why a form is missing."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import DateField, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from pro.web.forms import DATE_FORMATS, REASON_LENGTH, choices, to_half_width, trim
from pro.web.labels import MISSING_REASONS
from pro.web.refusals import N_, REFUSALS


class TreatmentDateForm(FlaskForm):
    """One date of a treatment: recorded, planned, changed, or taken back. ``seen`` names the preview that was shown."""

    kind = HiddenField()
    seen = HiddenField()
    take_back = HiddenField()
    number = StringField(N_("Number"), filters=[to_half_width])
    on = DateField(N_("Date"), format=DATE_FORMATS)
    basis = RadioField(
        N_("Has it happened?"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=[SelectChoice("actual", N_("It has happened")), SelectChoice("planned", N_("It is planned"))],
        validate_choice=False,
    )
    reason = TextAreaField(
        N_("Reason"),
        filters=[trim],
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
        filters=[trim],
        validators=[Length(max=REASON_LENGTH, message=N_("The note is too long. At most 500 characters."))],
    )
