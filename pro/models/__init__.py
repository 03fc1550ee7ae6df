"""Tables: columns and tiny properties. No queries, no commits."""

from pro.models.access import Access, Attempt
from pro.models.alert import Alert, AlertNote
from pro.models.assessment import Answer, Assessment, Score, Wording
from pro.models.event import Event, Heartbeat, Seal
from pro.models.message import Message
from pro.models.participant import Anchor, Circumstance, Participant
from pro.models.staff import ROLES, Duty, Staff, StaffSession

__all__ = [
    "ROLES",
    "Access",
    "Alert",
    "AlertNote",
    "Anchor",
    "Answer",
    "Assessment",
    "Attempt",
    "Circumstance",
    "Duty",
    "Event",
    "Heartbeat",
    "Message",
    "Participant",
    "Score",
    "Seal",
    "Staff",
    "StaffSession",
    "Wording",
]
