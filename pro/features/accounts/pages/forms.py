"""Forms about accounts: codes, passwords, invitations, changes of access rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, RadioField, SelectField, StringField, TelField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from pro.features.accounts.pages.labels import REFUSALS
from pro.features.accounts.passwords import PASSWORD_AT_MOST
from pro.features.accounts.staff_accounts import EMAIL, EMAIL_AT_MOST
from pro.web import request_context
from pro.web.forms import choices, trim
from pro.web.labels import LANGUAGES, ROLES
from pro.web.refusals import N_

PASSWORD_NEEDED = N_("Enter a password.")


class AccountForm(FlaskForm):
    """Base of forms whose refusals come from a service."""

    def refuse(self, problems: Any) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items() if isinstance(problems, Mapping) else ():
            self[name].errors = [REFUSALS.get(why, why)]


class CodeForm(AccountForm):
    """Form for a verification code or a recovery code."""

    code = StringField(
        N_("Verification code"), filters=[trim], validators=[DataRequired(N_("Enter the code.")), Length(max=64)]
    )


class NewFactorForm(CodeForm):
    """Form to set up a second factor; the password is needed to replace an earlier one."""

    password = PasswordField(N_("Your password"), validators=[Length(max=PASSWORD_AT_MOST)])


class ConfirmForm(AccountForm):
    """Form to confirm an action with the own password."""

    password = PasswordField(
        N_("Your password"), validators=[DataRequired(PASSWORD_NEEDED), Length(max=PASSWORD_AT_MOST)]
    )


class PasswordForm(AccountForm):
    """Form to change the password of an account."""

    old = PasswordField(
        N_("Current password"), validators=[DataRequired(PASSWORD_NEEDED), Length(max=PASSWORD_AT_MOST)]
    )
    new = PasswordField(N_("New password"), validators=[DataRequired(PASSWORD_NEEDED)])
    again = PasswordField(N_("New password again"))

    def validate(self, extra_validators: Any = None) -> bool:
        """Return True if every field is valid and both passwords are equal."""
        is_valid = bool(super().validate(extra_validators))
        if is_valid and self.again.data != self.new.data:
            self.again.errors = [REFUSALS["password_differs"]]
        return is_valid and not self.again.errors


class FirstPasswordForm(AccountForm):
    """Form for the password of a new account."""

    password = PasswordField(N_("New password"), validators=[DataRequired(PASSWORD_NEEDED)])
    again = PasswordField(N_("New password again"))

    def validate(self, extra_validators: Any = None) -> bool:
        """Return True if every field is valid and both passwords are equal."""
        is_valid = bool(super().validate(extra_validators))
        if is_valid and self.again.data != self.password.data:
            self.again.errors = [REFUSALS["password_differs"]]
        return is_valid and not self.again.errors


class InviteForm(AccountForm):
    """Form to invite staff. ``invitations.invite_staff`` names and checks its fields."""

    name = StringField(N_("Name"), filters=[trim])
    email = EmailField(N_("Email"), filters=[trim])
    role = RadioField(
        N_("Role"),
        choices=choices(ROLES.items()),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(REFUSALS["unknown"])],
    )
    language = RadioField(
        N_("Language"),
        choices=choices(LANGUAGES.items()),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(REFUSALS["unknown"])],
    )
    phone = TelField(N_("Mobile number for alerts"), filters=[trim])


class RoleForm(AccountForm):
    """Form to change a role, with a reason."""

    role = SelectField(N_("Role"), validate_choice=False)
    reason = TextAreaField(N_("Reason"), filters=[trim])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say = request_context.translator().gettext
        self.role.choices = choices((role, say(words)) for role, words in ROLES.items())


class AccountReasonForm(AccountForm):
    """Form for the reason to deactivate, reactivate or reset the second factor of an account."""

    reason = TextAreaField(N_("Reason"), filters=[trim])


class PhoneForm(AccountForm):
    """Form for the phone number that gets urgent text messages."""

    phone = TelField(N_("Mobile number for alerts"), filters=[trim])


class ForgottenForm(AccountForm):
    """Form to ask for a link that sets a new password."""

    email = EmailField(
        N_("Email"),
        filters=[trim],
        validators=[
            DataRequired(N_("Enter your email address.")),
            Length(max=EMAIL_AT_MOST, message=REFUSALS["email_invalid"]),
            Regexp(rf"{EMAIL.pattern}\Z", EMAIL.flags, REFUSALS["email_invalid"]),
        ],
    )


class SignInForm(FlaskForm):
    """Form to sign in."""

    email = EmailField(
        N_("Email"),
        filters=[trim],
        validators=[DataRequired(N_("Enter your email address.")), Length(max=254)],
    )
    password = PasswordField(N_("Password"), validators=[DataRequired(N_("Enter your password.")), Length(max=1024)])
