"""Forms of staff for endoscopies and signed decisions; the services check the values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, RadioField, TextAreaField

from pro.errors import BadData
from pro.features.accounts.signatures import CredentialRefusal
from pro.features.ulcers.pages.labels import ABOUT, CHOICES, NOT_GRADED, RESULTS, STUDY_CHOICES
from pro.web import request_context
from pro.web.forms import DATE_FORMATS, NOTE_LENGTH, DateField, choices
from pro.web.labels import moment_shown
from pro.web.refusals import N_, REFUSALS

# Beside REFUSALS, which other pages share.
ULCER_REFUSALS: Mapping[str, str] = {
    "endoscopy_in_future": N_("This date is in the future. Enter the date on which the endoscopy was done."),
    "endoscopy_long_ago": N_("This is more than a year ago. Check the year."),
    "endoscopy_before_asked": N_("This is before the request date. Record it as an endoscopy not requested here."),
    "endoscopy_result": N_("Enter the result of the endoscopy."),
    "grade_without_ulcer": N_("Only an ulcer or necrosis is graded. Check the finding, or leave the grade empty."),
    "grade_not_of_ulcer_term": N_("This term has no such grade. Choose one of the grades shown."),
    "reason_needed": N_("Enter the reason for cancelling."),
    "decision_choice": N_("Choose your decision."),
    "decision_reason": N_("Enter the reason for this decision."),
    "password_needed": N_("Enter your password to sign the decision."),
    "too_long": N_("The text is too long: at most 4000 characters."),
}


class UlcerForm(FlaskForm):
    """A form whose fields have the names that the services use in their refusals."""

    def refuse(self, bad: BadData) -> None:
        """Put the refusals of ``bad`` beside their fields."""
        fields = bad.details["fields"]
        for name, why in fields.items() if isinstance(fields, Mapping) else ():
            self[name].errors = [ULCER_REFUSALS.get(why) or REFUSALS[why]]

    def is_short_enough(self, name: str) -> bool:
        """Return whether the text of ``name`` is short enough to store; else mark the field."""
        if len(self[name].data or "") > NOTE_LENGTH:
            self[name].errors = [ULCER_REFUSALS["too_long"]]
        return not self[name].errors


class EndoscopyForm(UlcerForm):
    """The result of an endoscopy.

    ``endoscopy``: the number of the requested one; empty for an endoscopy without a request.
    """

    endoscopy = HiddenField()
    done_on = DateField(N_("Date of the endoscopy"), format=DATE_FORMATS)
    result = RadioField(N_("Result"), validate_choice=False, choices=choices(RESULTS.items()))
    grade = RadioField(N_("CTCAE grade (assigned by the clinician)"), validate_choice=False, default="")
    finding = TextAreaField(N_("Endoscopic findings"))

    def offer_grades(self, grades: Iterable[int]) -> None:
        """Offer ``grades``, those that the ulcer terms of the study have, and none yet."""
        grade_words = request_context.translator().gettext
        named = ((str(grade), grade_words("Grade %(grade)s", grade=grade)) for grade in grades)
        self.grade.choices = choices([("", NOT_GRADED), *named])

    @property
    def number(self) -> int | None:
        """Return the number of the requested endoscopy, None without a request.

        Raises BadData if the hidden field holds no number.
        """
        return parse_row_number(self.endoscopy.data)

    def typed_result(self) -> dict[str, Any]:
        """Return the typed values as arguments of ``endoscopies.record_result``."""
        return {
            "done_on": self.done_on.data,
            "result": self.result.data or "",
            "grade": self.grade.data or "",
            "finding": self.finding.data or "",
        }


class StudyDecisionForm(UlcerForm):
    """A signed decision about the study. ``seen``: the digest of what the page showed."""

    seen = HiddenField()
    choice = RadioField(N_("Decision"), validate_choice=False, choices=choices(STUDY_CHOICES.items()))
    reason = TextAreaField(N_("Reason"))
    password = PasswordField(N_("Your password (as signature)"))

    def show_refusal(self, refusal: CredentialRefusal) -> None:
        """Put the reason why the password was refused beside its field."""
        translator = request_context.translator()
        if refusal.until is None:
            text = translator.gettext("The password is not correct. Enter it again.")
        else:
            at = moment_shown(refusal.until, request_context.work().now)
            text = translator.gettext("Too many wrong passwords. You can sign again after %(at)s.", at=at)
        self.password.errors = [text.replace("%", "%%")]


class UlcerDecisionForm(StudyDecisionForm):
    """A signed decision about one participant: the ulcer, or the response at 50 Gy."""

    about = RadioField(N_("Subject of the decision"), validate_choice=False, choices=choices(ABOUT.items()))
    choice = RadioField(N_("Decision"), validate_choice=False, choices=choices(CHOICES.items()))


def parse_row_number(text: str | None) -> int | None:
    """Return the number in a hidden field, None if it is empty. Raises BadData otherwise."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadData("unknown_endoscopy")
    return int(text)
