"""Labels of accounts: access rights, changes, invitations, refusals and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import labels as web_labels
from pro.web import notices
from pro.web.notices import NN_
from pro.web.refusals import N_

REFUSALS: Mapping[str, str] = {
    "taken": N_("An account with this email already exists."),
    "invited": N_("This person has already been invited. Send the invitation again from the list, or cancel it."),
    "email_invalid": N_("This is not a valid email address. Check it."),
    "empty": N_("Enter the name shown to colleagues."),
    "too_long": N_("The text is too long. Shorten it."),
    "unknown": N_("Choose one of the options shown."),
    "phone_not_mobile": N_("This is a landline number: it cannot receive text messages. Enter a mobile number."),
    "phone_invalid": N_(
        "The phone number is incomplete. Enter a mainland China number, or start with + and the country code."
    ),
    "password_short": N_("Use at least 12 characters; several words together are easy to remember."),
    "password_long": N_("The password is too long: at most 1000 characters."),
    "password_email": N_("The password must not be the email address."),
    "password_same": N_("This is your current password. Choose another one."),
    "password_differs": N_("The passwords do not match. Enter the new password twice."),
    "password_wrong": N_("The password is not correct."),
    "password_locked": N_("Too many failed attempts. Wait 15 minutes."),
    "code_wrong": N_("The code is not correct. Check the app again; it changes every 30 seconds."),
    "code_used": N_("This code was already used. Wait for the next one."),
    "code_locked": N_("Too many failed attempts. Wait 15 minutes."),
    "reason_short": N_("Enter a short reason. It is stored with the change."),
    "same_role": N_("This person already has this role."),
}

# In the order of the page: rights to see, to act, to manage.
RIGHTS: Mapping[str, str] = {
    "see_to_do_list": N_("View the to-do list"),
    "see_alert": N_("View alerts"),
    "see_participants": N_("View participants by participant number"),
    "see_identity": N_("View participants’ phone numbers"),
    "see_answers": N_("View answers and scores"),
    "see_dates": N_("View treatment dates and expected forms"),
    "see_inbox": N_("View incoming text messages"),
    "see_roster": N_("View the duty roster"),
    "see_test_alert": N_("View the page of a test alert"),
    "acknowledge": N_("Acknowledge alerts"),
    "note": N_("Write notes on alerts"),
    "confirm_test_alert": N_("Confirm test alerts"),
    "log_call": N_("Log phone calls"),
    "enter_answers": N_("Enter phone interviews and paper forms"),
    "verify_answers": N_("Verify typed paper forms against the original"),
    "set_dates": N_("Record and plan treatment dates"),
    "set_reason": N_("Record the reason for a missed form"),
    "reply_text": N_("Reply to text messages"),
    "assign_text": N_("Assign text messages from unknown numbers to participants"),
    "enrol": N_("Enrol participants"),
    "send_form": N_("Send questionnaires to participants"),
    "make_card": N_("Create and revoke cards"),
    "edit_roster": N_("Change the duty roster"),
    "see_adverse_events": N_("View adverse events"),
    "see_ulcers": N_("View ulcers and the stopping rule"),
    "see_audit": N_("View the audit trail"),
    "see_study_overview": N_("View study-level figures"),
    "simulate": N_("Test changed rules on stored answers"),
    "export_audit": N_("Export the audit trail"),
    "take_over": N_("Take over alerts from colleagues"),
    "assess": N_("Assess by CTCAE and sign"),
    "close_alert": N_("Close alerts"),
    "mark_stable": N_("Mark symptoms as known and stable"),
    "report_event": N_("Record that a serious adverse event was reported"),
    "correct_details": N_("Correct phone, participant number and language"),
    "record_endoscopy": N_("Request endoscopies and record results"),
    "decide": N_("Sign decisions on treatment and study"),
    "ask_correction": N_("Request data corrections"),
    "decide_correction": N_("Approve or reject data corrections"),
    "ask_query": N_("Ask queries about answers and forms, and close them"),
    "answer_query": N_("Answer queries"),
    "freeze": N_("Freeze and unfreeze records"),
    "record_consent": N_("Record consents and withdrawals"),
    "manage_staff": N_("Manage accounts: invite, change roles, deactivate"),
    "own_account": N_("Manage own password, second factor and sessions; view this table"),
}

CHANGES: Mapping[str, str] = {
    "staff.added": N_("Account created"),
    "staff.invited": N_("Invitation sent"),
    "staff.invitation_revoked": N_("Invitation cancelled"),
    "staff.invitation_used": N_("Invitation accepted"),
    "staff.role_changed": N_("Role changed"),
    "staff.closed": N_("Account deactivated"),
    "staff.reopened": N_("Account reopened"),
    "staff.phone_changed": N_("Mobile number for alerts changed"),
    "staff.factor_set": N_("Second factor set up"),
    "staff.factor_reset": N_("Second factor reset"),
    "staff.recovery_codes_made": N_("New recovery codes"),
    "staff.recovery_code_used": N_("Recovery code used"),
    "staff.password_changed": N_("Password changed"),
    "staff.reset_sent": N_("Link for a new password sent by email"),
    "staff.password_reset": N_("New password set by an emailed link"),
}

INVITATIONS: Mapping[str, str] = {
    "open": N_("Invitation pending"),
    "expired": N_("Expired"),
    "used": N_("Accepted"),
    "revoked": N_("Cancelled"),
}

DEVICES: Mapping[str, str] = {"phone": N_("Phone"), "tablet": N_("Tablet"), "computer": N_("Computer")}

web_labels.add_tables(
    {
        "right": RIGHTS,
        "change": CHANGES,
        "invitation": INVITATIONS,
        "device": DEVICES,
    }
)

# Notices after an action.
notices.add("not_saved_yet", N_("You are signed in again. Your text is in its field below; it is not saved yet."))
notices.add("not_sent_yet", N_("You are signed in again. Your message is in its field below; it has not been sent."))
notices.add(
    "not_kept", N_("Another person typed here before. Their text is not shown to you; they must type it again.")
)
notices.add(
    "recovery_used",
    NN_(
        "You used a recovery code; %(num)s left. Generate new ones under your name, or set up a new phone.",
        "You used a recovery code; %(num)s left. Generate new ones under your name, or set up a new phone.",
    ),
)
notices.add("password_changed", N_("Your password has been changed. Your other sessions have ended."), good=True)
notices.add(
    "password_reset", N_("Your new password is set. All your other sessions have ended, on every device."), good=True
)
notices.add("session_ended", N_("Session ended."), good=True)
notices.add("sessions_ended", N_("Sessions ended."), good=True)
notices.add("invited", N_("The invitation email is being sent. Its link works for 72 hours."), good=True)
notices.add("invitation_revoked", N_("The invitation has been cancelled. Its link no longer works."), good=True)
notices.add("invitation_over", N_("Nothing was changed: this person already has an account."))
notices.add(
    "role_changed",
    N_("Role changed. The person’s sessions have ended; the new rights apply after the next sign-in."),
    good=True,
)
notices.add("phone_set", N_("Phone number saved."), good=True)
notices.add(
    "account_closed",
    N_(
        "The account is deactivated and its sessions have ended. Check the duty roster: this person’s "
        "shifts no longer count."
    ),
    good=True,
)
notices.add("account_reopened", N_("The account is active again."), good=True)
notices.add(
    "factor_reset",
    N_(
        "The second factor has been reset and the sessions have ended. The person sets up a new phone at "
        "the next sign-in."
    ),
    good=True,
)
notices.add("unchanged", N_("Nothing was changed: this was already done."))
notices.add(
    "own_account", N_("Nothing was changed: you cannot change your own access rights. Ask another administrator.")
)
notices.add(
    "last_administrator",
    N_("Nothing was changed: this is the last administrator. Give another person this role first."),
)
