"""Tables: columns and tiny properties. No queries, no commits."""

from pro.models.access import Access, Attempt
from pro.models.alert import Alert, AlertNote
from pro.models.assessment import Answer, Assessment, Score, Wording
from pro.models.cohort import Cohort
from pro.models.event import Event, Heartbeat, Seal
from pro.models.expected import MISSING_REASONS, Expected
from pro.models.inbound import Card, Inbound
from pro.models.message import Message
from pro.models.participant import Anchor, Circumstance, Participant
from pro.models.signature import Signature
from pro.models.staff import ROLES, Absence, Drill, Duty, Staff, StaffSession
from pro.models.task import CALL_OUTCOMES, TASK_KINDS, Call, Task

__all__ = [
    "CALL_OUTCOMES",
    "MISSING_REASONS",
    "ROLES",
    "TASK_KINDS",
    "Absence",
    "Access",
    "Alert",
    "AlertNote",
    "Anchor",
    "Answer",
    "Assessment",
    "Attempt",
    "Call",
    "Card",
    "Circumstance",
    "Cohort",
    "Drill",
    "Duty",
    "Event",
    "Expected",
    "Heartbeat",
    "Inbound",
    "Message",
    "Participant",
    "Score",
    "Seal",
    "Signature",
    "Staff",
    "StaffSession",
    "Task",
    "Wording",
]
