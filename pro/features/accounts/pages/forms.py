"""What is typed about accounts: codes, passwords, invitations, changes of rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, RadioField, SelectField, StringField, TelField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from pro.features.accounts.pages.labels import REFUSALS
from pro.features.accounts.passwords import PASSWORD_AT_MOST
from pro.web import request_context
from pro.web.forms import choices, trim
from pro.web.labels import LANGUAGES, ROLES
from pro.web.refusals import N_

PASSWORD_NEEDED = N_("Please type a password.")


class AccountForm(FlaskForm):
    """A form whose refusals come from a service."""

    def refuse(self, problems: Any) -> None:
        """Put the service's refusals (field: why) beside their fields."""
        for name, why in problems.items() if isinstance(problems, Mapping) else ():
            self[name].errors = [REFUSALS.get(why, why)]


class CodeForm(AccountForm):
    """One code."""

    code = StringField(
        N_("Your code"), filters=[trim], validators=[DataRequired(N_("Please type the code.")), Length(max=64)]
    )


class NewFactorForm(CodeForm):
    """The first code of a phone; the password as well where there was a phone before."""

    password = PasswordField(N_("Your password"), validators=[Length(max=PASSWORD_AT_MOST)])


class ConfirmForm(AccountForm):
    """One's own password again."""

    password = PasswordField(
        N_("Your password"), validators=[DataRequired(PASSWORD_NEEDED), Length(max=PASSWORD_AT_MOST)]
    )


class PasswordForm(AccountForm):
    """A new password for an account that has one."""

    old = PasswordField(
        N_("Your password until now"), validators=[DataRequired(PASSWORD_NEEDED), Length(max=PASSWORD_AT_MOST)]
    )
    new = PasswordField(N_("New password"), validators=[DataRequired(PASSWORD_NEEDED)])
    again = PasswordField(N_("New password again"))

    def validate(self, extra_validators: Any = None) -> bool:
        """True if both say the same."""
        fine = bool(super().validate(extra_validators))
        if fine and self.again.data != self.new.data:
            self.again.errors = [REFUSALS["password_differs"]]
        return fine and not self.again.errors


class FirstPasswordForm(AccountForm):
    """The password of a new account."""

    password = PasswordField(N_("New password"), validators=[DataRequired(PASSWORD_NEEDED)])
    again = PasswordField(N_("New password again"))

    def validate(self, extra_validators: Any = None) -> bool:
        """True if both say the same."""
        fine = bool(super().validate(extra_validators))
        if fine and self.again.data != self.password.data:
            self.again.errors = [REFUSALS["password_differs"]]
        return fine and not self.again.errors


class InviteForm(AccountForm):
    """Somebody new. Field names are those of ``invitations.invite_staff``, which alone judges them."""

    name = StringField(N_("Name"), filters=[trim])
    email = EmailField(N_("E-mail"), filters=[trim])
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
    phone = TelField(N_("Phone for urgent texts"), filters=[trim])


class RoleForm(AccountForm):
    """Another role, and why."""

    role = SelectField(N_("Role"), validate_choice=False)
    reason = TextAreaField(N_("Reason"), filters=[trim])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say = request_context.translator().gettext
        self.role.choices = choices((role, say(words)) for role, words in ROLES.items())


class AccountReasonForm(AccountForm):
    """Why an account is closed, opened again, or its phone forgotten."""

    reason = TextAreaField(N_("Reason"), filters=[trim])


class PhoneForm(AccountForm):
    """Where urgent texts go."""

    phone = TelField(N_("Phone for urgent texts"), filters=[trim])


class SignInForm(FlaskForm):
    """E-mail and password."""

    email = EmailField(
        N_("E-mail"),
        filters=[trim],
        validators=[DataRequired(N_("Please type your e-mail address.")), Length(max=254)],
    )
    password = PasswordField(
        N_("Password"), validators=[DataRequired(N_("Please type your password.")), Length(max=1024)]
    )
