"""Tables: columns and small properties. No queries, no commits."""

from pro.models.alert import (
    ATTRIBUTIONS,
    DISPOSITIONS,
    NO_EVENT,
    AdverseEvent,
    Alert,
    AlertClosure,
    AlertNote,
    Grading,
    Handover,
)
from pro.models.assessment import Answer, Assessment, LicensedWording, Score
from pro.models.audit_entry import AuditEntry, Heartbeat, Seal, Signature
from pro.models.call_task import CALL_OUTCOMES, TASK_KINDS, CallTask, PhoneCall
from pro.models.expected_form import MISSING_REASONS, ExpectedForm
from pro.models.form_access import AccessAttempt, FormAccess, ParticipantCard
from pro.models.incoming_message import IncomingMessage
from pro.models.message import Message
from pro.models.participant import Anchor, ClinicalFact, Participant
from pro.models.participant_record import (
    CONSENT_METHODS,
    ENROLLED_BY_MISTAKE,
    NO_USE,
    REQUEST_CHANNELS,
    SCOPES,
    Consent,
    DataCorrection,
    Freeze,
)
from pro.models.query import QUERY_STATES, Query, QueryStep
from pro.models.staff_member import (
    ROLES,
    Absence,
    PasswordReset,
    RecoveryCode,
    Shift,
    StaffInvitation,
    StaffMember,
    StaffSession,
    WeeklyTestAlert,
)
from pro.models.study_figures import StudyFigures
from pro.models.ulcer import Endoscopy, SignedDecision

__all__ = [
    "ATTRIBUTIONS",
    "Absence",
    "AccessAttempt",
    "AdverseEvent",
    "Alert",
    "AlertClosure",
    "AlertNote",
    "Anchor",
    "Answer",
    "Assessment",
    "AuditEntry",
    "CALL_OUTCOMES",
    "CONSENT_METHODS",
    "CallTask",
    "ClinicalFact",
    "Consent",
    "DISPOSITIONS",
    "DataCorrection",
    "Endoscopy",
    "ExpectedForm",
    "FormAccess",
    "Freeze",
    "Grading",
    "Handover",
    "Heartbeat",
    "IncomingMessage",
    "LicensedWording",
    "MISSING_REASONS",
    "Message",
    "NO_EVENT",
    "ENROLLED_BY_MISTAKE",
    "NO_USE",
    "Participant",
    "ParticipantCard",
    "PasswordReset",
    "PhoneCall",
    "QUERY_STATES",
    "Query",
    "QueryStep",
    "REQUEST_CHANNELS",
    "ROLES",
    "RecoveryCode",
    "SCOPES",
    "Score",
    "Seal",
    "Shift",
    "Signature",
    "SignedDecision",
    "StaffInvitation",
    "StaffMember",
    "StaffSession",
    "StudyFigures",
    "TASK_KINDS",
    "WeeklyTestAlert",
]
