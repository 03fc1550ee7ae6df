"""What staff type about corrections, freezes and consent: fields; the services say what is wrong with them."""

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

from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.participants.pages.labels import CONSENT_WAYS, HEARD, SCOPES
from pro.web import request_context
from pro.web.forms import DATE_FORMATS, TYPED_MOMENTS, choices
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
