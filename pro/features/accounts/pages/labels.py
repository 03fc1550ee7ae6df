"""Labels of accounts: access rights, changes, invitations, refusals and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import labels as web_labels
from pro.web import notices
from pro.web.notices import NN_
from pro.web.refusals import N_

REFUSALS: Mapping[str, str] = {
    "taken": N_("There is an account with this e-mail already."),
    "invited": N_("This person is invited already. Send the invitation again from the list, or take it back."),
    "email_invalid": N_("This is not an e-mail address. Please check it."),
    "empty": N_("Please type the name that colleagues shall see."),
    "too_long": N_("This text is too long. Please shorten it."),
    "unknown": N_("Please choose one of those shown."),
    "phone_not_mobile": N_("This is a landline: it gets no text message. Please type a mobile number."),
    "phone_invalid": N_(
        "This is not a complete phone number. Type a mainland number, or begin with + and the country code."
    ),
    "password_short": N_("Please use at least 12 characters; several words together are easy to remember."),
    "password_long": N_("This password is too long. Please use at most 1000 characters."),
    "password_email": N_("The password must not be the e-mail address."),
    "password_same": N_("This is the password that you have now. Please choose another one."),
    "password_differs": N_("The two are not the same. Please type the new password twice."),
    "password_wrong": N_("This is not your password."),
    "password_locked": N_("There were too many wrong tries. Please wait 15 minutes."),
    "code_wrong": N_("This code is not right. Look at the app again; it changes every 30 seconds."),
    "code_used": N_("This code was used already. Wait until the app shows the next one."),
    "code_locked": N_("There were too many wrong tries. Please wait 15 minutes."),
    "reason_short": N_("Please say why, in a few words. It is kept with the change."),
    "same_role": N_("This person has this role already."),
}

# In the order of the page: rights to see, to act, to manage.
RIGHTS: Mapping[str, str] = {
    "see_board": N_("See the list of what has to be done"),
    "see_alert": N_("Read alerts"),
    "see_participants": N_("See participants by study number"),
    "see_identity": N_("See participants’ phone numbers"),
    "see_answers": N_("Read answers and scores"),
    "see_dates": N_("See the dates of a treatment and the expected forms"),
    "see_inbox": N_("Read texts that came in"),
    "see_roster": N_("See the duty roster"),
    "see_drill": N_("See the page of a test alert"),
    "acknowledge": N_("Acknowledge alerts"),
    "note": N_("Write notes on alerts"),
    "confirm_drill": N_("Confirm a test alert"),
    "log_call": N_("Log phone calls"),
    "enter_answers": N_("Type in phone interviews and paper forms"),
    "check_answers": N_("Compare a typed paper form with the sheet"),
    "set_dates": N_("Record and plan the dates of a treatment"),
    "set_reason": N_("Give the reason for a missed form"),
    "reply_text": N_("Answer texts"),
    "assign_text": N_("File texts from unknown numbers"),
    "enrol": N_("Enrol participants"),
    "send_form": N_("Send forms to participants"),
    "make_card": N_("Make and revoke cards"),
    "edit_roster": N_("Change the duty roster"),
    "see_events": N_("See adverse events"),
    "see_ulcers": N_("See ulcers and the stopping rule"),
    "see_audit": N_("Read the audit trail"),
    "see_cohort": N_("See the figures of the whole study"),
    "simulate": N_("Try changed rules on stored answers"),
    "export_audit": N_("Export the audit trail"),
    "take_over": N_("Take an alert over from a colleague"),
    "assess": N_("Assess by CTCAE and sign"),
    "close_alert": N_("Close alerts"),
    "mark_stable": N_("Mark symptoms as known and stable"),
    "report_event": N_("Record that a serious event was reported"),
    "correct_details": N_("Correct phone, participant number and language"),
    "record_endoscopy": N_("Ask for endoscopies and record results"),
    "decide": N_("Sign decisions about treatment and study"),
    "ask_correction": N_("Ask for a correction of answers"),
    "decide_correction": N_("Approve or refuse corrections"),
    "freeze": N_("Freeze records, and lift that"),
    "record_consent": N_("Record consents and withdrawals"),
    "manage_staff": N_("Manage accounts: invite, change roles, close"),
    "own_account": N_("Manage the own password, second factor and sessions; see this table"),
}

CHANGES: Mapping[str, str] = {
    "staff.added": N_("Account made"),
    "staff.invited": N_("Invited"),
    "staff.invitation_revoked": N_("Invitation taken back"),
    "staff.invitation_used": N_("Invitation accepted"),
    "staff.role_changed": N_("Role changed"),
    "staff.closed": N_("Account closed"),
    "staff.reopened": N_("Account opened again"),
    "staff.phone_changed": N_("Phone for urgent texts changed"),
    "staff.factor_set": N_("Second factor set up"),
    "staff.factor_reset": N_("Second factor reset"),
    "staff.recovery_codes_made": N_("New recovery codes"),
    "staff.recovery_code_used": N_("Recovery code used"),
    "staff.password_changed": N_("Password changed"),
}

INVITATIONS: Mapping[str, str] = {
    "open": N_("Waits for an answer"),
    "expired": N_("Too old"),
    "used": N_("Accepted"),
    "revoked": N_("Taken back"),
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
notices.add(
    "not_saved_yet", N_("You are signed in again. What you typed is still in its field below; it is not saved yet.")
)
notices.add("not_sent_yet", N_("You are signed in again. Your text is still in its field below; it is not sent yet."))
notices.add(
    "not_kept", N_("Somebody else typed here before. What they typed is not shown to you; they have to type it again.")
)
notices.add(
    "recovery_used",
    NN_(
        "You used a recovery code; %(num)s is left. Make new ones under your name, or set up a new phone.",
        "You used a recovery code; %(num)s are left. Make new ones under your name, or set up a new phone.",
    ),
)
notices.add("password_changed", N_("The password is changed. Other sessions of yours were ended."), good=True)
notices.add("session_ended", N_("The session is ended."), good=True)
notices.add("sessions_ended", N_("The sessions are ended."), good=True)
notices.add("invited", N_("The invitation is on its way by mail. Its link works for 72 hours."), good=True)
notices.add("invitation_revoked", N_("The invitation is taken back. Its link works no more."), good=True)
notices.add("invitation_over", N_("Nothing was changed: this person has an account already."))
notices.add(
    "role_changed",
    N_("The role is changed. Their sessions were ended; they go on with the new rights after signing in."),
    good=True,
)
notices.add("phone_set", N_("The phone number is saved."), good=True)
notices.add(
    "account_closed",
    N_(
        "The account is closed and its sessions are ended. Please look at the duty roster: duty of this person "
        "counts no more."
    ),
    good=True,
)
notices.add("account_reopened", N_("The account is open again."), good=True)
notices.add(
    "factor_reset",
    N_("The second factor is reset and the sessions are ended. They set up a new phone at the next sign-in."),
    good=True,
)
notices.add("unchanged", N_("Nothing was changed: this was done already."))
notices.add("own_account", N_("Nothing was changed: nobody changes their own rights. Ask another administrator."))
notices.add(
    "last_administrator", N_("Nothing was changed: this is the last administrator. Make somebody else one first.")
)
