"""An investigator's signed decision about an ulcer, the response at 50 Gy, or the study. It changes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from pro.app_context import UnitOfWork
from pro.core.study_plan import Plan
from pro.errors import BadData, NotAllowed
from pro.features.accounts import signatures, staff_accounts
from pro.features.accounts.signatures import Confirmed, Refusal
from pro.features.ulcers import ulcer_board, ulcer_cases
from pro.models import Decision, Participant
from pro.models.ulcer import ABOUT, CHOICES

STUDY = "study"
LOCK_KEY = 7_310_010


def about_participant(
    work: UnitOfWork, participant: Participant, about: str, choice: str, reason: str, password: str, seen: str
) -> Decision | Refusal:
    """Sign a decision about one participant. ``about``: ulcer or response; ``seen``: the digest that the page showed.

    BadData("decision", fields=...) for what is missing, Refusal for a wrong password, NotAllowed("stale_page") if
    anything that the page showed has changed, NotAllowed("right_missing") for whoever is no investigator.
    """
    work.lock(participant)
    shown = ulcer_cases.shown_of_case(ulcer_board.case(work, participant))
    fields = {"about": "" if about in ABOUT and about != STUDY else "unknown"}
    plan = work.catalogue.plans[participant.plan]
    return _decide(work, plan, participant.id, fields, (about, choice, reason.strip()), password, seen, shown)


def about_study(work: UnitOfWork, plan: Plan, choice: str, reason: str, password: str, seen: str) -> Decision | Refusal:
    """Sign a decision about the whole study; refusals as in ``about_participant``."""
    if work.house.engine.dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    board = ulcer_board.board(work, plan)
    shown = ulcer_board.shown_of_study(plan, board.cases, board.reading, board.decisions)
    return _decide(work, plan, None, {}, (STUDY, choice, reason.strip()), password, seen, shown)


def _decide(
    work: UnitOfWork,
    plan: Plan,
    participant_id: int | None,
    fields: Mapping[str, str],
    said: tuple[str, str, str],
    password: str,
    seen: str,
    shown: dict[str, Any],
) -> Decision | Refusal:
    about, choice, reason = said
    if not staff_accounts.may(work.actor.role, "decide"):
        raise NotAllowed("right_missing")
    problems = {
        **fields,
        "choice": "" if choice in CHOICES else "decision_choice",
        "reason": "" if reason else "decision_reason",
        "password": "" if password else "password_needed",
    }
    wrong = {name: why for name, why in problems.items() if why}
    if wrong:
        raise BadData("decision", fields=wrong)
    confirmed = signatures.confirm(work, password)
    if isinstance(confirmed, Refusal):
        return confirmed
    if seen != ulcer_cases.digest(shown):
        raise NotAllowed("stale_page")
    return _signed(
        work,
        confirmed,
        Decision(
            plan=plan.id,
            participant_id=participant_id,
            about=about,
            choice=choice,
            reason=reason,
            seen=shown,
            made_at=work.now,
            made_by=confirmed.staff_id,
        ),
    )


def _signed(work: UnitOfWork, confirmed: Confirmed, row: Decision) -> Decision:
    work.session.add(row)
    new = {"about": row.about, "choice": row.choice, "seen": ulcer_cases.digest(row.seen)}
    work.record("decision.made", row, participant_id=row.participant_id, new=new, reason=row.reason)
    signatures.sign(work, confirmed, "decided", row, ulcer_cases.content_of(row), participant_id=row.participant_id)
    return row
