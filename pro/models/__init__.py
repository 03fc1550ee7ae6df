"""Tables: columns and tiny properties. No queries, no commits."""

from pro.models.access import AccessAttempt, FormAccess
from pro.models.alert import Alert, AlertNote
from pro.models.assessment import Answer, Assessment, LicensedWording, Score
from pro.models.care import ATTRIBUTIONS, DISPOSITIONS, NO_EVENT, AdverseEvent, AlertClosure, Grading, Handover
from pro.models.cohort import StudyFigures
from pro.models.consent import CONSENT_METHODS, NO_USE, SCOPES, Consent
from pro.models.correction import REQUEST_CHANNELS, DataCorrection, Freeze
from pro.models.event import AuditEntry, Heartbeat, Seal
from pro.models.expected import MISSING_REASONS, ExpectedForm
from pro.models.inbound import IncomingMessage, ParticipantCard
from pro.models.message import Message
from pro.models.participant import Anchor, ClinicalFact, Participant
from pro.models.signature import Signature
from pro.models.staff import (
    ROLES,
    Absence,
    RecoveryCode,
    Shift,
    StaffInvitation,
    StaffMember,
    StaffSession,
    WeeklyTestAlert,
)
from pro.models.task import CALL_OUTCOMES, TASK_KINDS, CallTask, PhoneCall
from pro.models.ulcer import Endoscopy, SignedDecision

__all__ = [
    "ATTRIBUTIONS",
    "CALL_OUTCOMES",
    "DISPOSITIONS",
    "REQUEST_CHANNELS",
    "MISSING_REASONS",
    "NO_EVENT",
    "NO_USE",
    "ROLES",
    "SCOPES",
    "TASK_KINDS",
    "CONSENT_METHODS",
    "Absence",
    "FormAccess",
    "AdverseEvent",
    "Alert",
    "AlertNote",
    "Anchor",
    "Answer",
    "Assessment",
    "AccessAttempt",
    "PhoneCall",
    "ParticipantCard",
    "ClinicalFact",
    "AlertClosure",
    "Consent",
    "DataCorrection",
    "SignedDecision",
    "StudyFigures",
    "WeeklyTestAlert",
    "Shift",
    "Endoscopy",
    "AuditEntry",
    "ExpectedForm",
    "Grading",
    "Handover",
    "Freeze",
    "Heartbeat",
    "IncomingMessage",
    "Message",
    "Participant",
    "RecoveryCode",
    "Score",
    "Seal",
    "Signature",
    "StaffMember",
    "StaffInvitation",
    "StaffSession",
    "CallTask",
    "LicensedWording",
]
