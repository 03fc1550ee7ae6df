"""One sentence after a post, said once on the next page."""

from __future__ import annotations

from typing import Any

from flask import flash

# What went as it was meant to: said in green.
SUCCESS_NOTICES = frozenset(
    {
        "absence_put",
        "account_closed",
        "account_reopened",
        "acknowledged",
        "call_again",
        "call_logged",
        "card_revoked",
        "checked",
        "closed",
        "consent_signed",
        "consent_withdrawn",
        "corrected",
        "correction_approved",
        "correction_asked",
        "correction_refused",
        "date_set",
        "date_taken_back",
        "decision_signed",
        "drill_confirmed",
        "duty_put",
        "endoscopy_asked",
        "endoscopy_done",
        "endoscopy_taken_back",
        "enrolled",
        "entered",
        "entered_paper",
        "event_ended",
        "event_reported",
        "frozen_now",
        "handed_over",
        "judged",
        "factor_reset",
        "invitation_revoked",
        "invited",
        "noted",
        "password_changed",
        "phone_set",
        "queued",
        "reason_set",
        "stable_back",
        "stable_marked",
        "role_changed",
        "session_ended",
        "sessions_ended",
        "suspicion_cleared",
        "taken_over",
        "text_assigned",
        "text_queued",
        "text_set_aside",
        "message_arrived",
        "message_settled",
        "texts_read",
        "treated",
        "unfrozen_now",
    }
)


def notify(key: str, **values: Any) -> None:
    """Say ``key``, a sentence of ``staff/layout.html``, once on the next page."""
    flash({"key": key, **values})  # type: ignore[arg-type]
