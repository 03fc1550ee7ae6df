"""Tables: columns and tiny properties. No queries, no commits."""

from pro.models.access import Access, Attempt
from pro.models.alert import Alert, AlertNote
from pro.models.assessment import Answer, Assessment, Score, Wording
from pro.models.care import ATTRIBUTIONS, DISPOSITIONS, NO_EVENT, AdverseEvent, Closing, Grading, Handover
from pro.models.cohort import Cohort
from pro.models.consent import NO_USE, SCOPES, WAYS, Consent
from pro.models.correction import HEARD, Correction, Freeze
from pro.models.event import Event, Heartbeat, Seal
from pro.models.expected import MISSING_REASONS, Expected
from pro.models.inbound import Card, Inbound
from pro.models.message import Message
from pro.models.participant import Anchor, Circumstance, Participant
from pro.models.signature import Signature
from pro.models.staff import ROLES, Absence, Drill, Duty, RecoveryCode, Staff, StaffInvitation, StaffSession
from pro.models.task import CALL_OUTCOMES, TASK_KINDS, Call, Task
from pro.models.ulcer import Decision, Endoscopy

__all__ = [
    "ATTRIBUTIONS",
    "CALL_OUTCOMES",
    "DISPOSITIONS",
    "HEARD",
    "MISSING_REASONS",
    "NO_EVENT",
    "NO_USE",
    "ROLES",
    "SCOPES",
    "TASK_KINDS",
    "WAYS",
    "Absence",
    "Access",
    "AdverseEvent",
    "Alert",
    "AlertNote",
    "Anchor",
    "Answer",
    "Assessment",
    "Attempt",
    "Call",
    "Card",
    "Circumstance",
    "Closing",
    "Consent",
    "Correction",
    "Decision",
    "Cohort",
    "Drill",
    "Duty",
    "Endoscopy",
    "Event",
    "Expected",
    "Grading",
    "Handover",
    "Freeze",
    "Heartbeat",
    "Inbound",
    "Message",
    "Participant",
    "RecoveryCode",
    "Score",
    "Seal",
    "Signature",
    "Staff",
    "StaffInvitation",
    "StaffSession",
    "Task",
    "Wording",
]
