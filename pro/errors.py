"""Failures that a user can see.

Services raise them; ``pro/pages/error_pages.py`` turns them into pages.
"""

from __future__ import annotations


class ProError(Exception):
    """A failure with a key, ``why``, for which pages show a sentence in the user's language."""

    def __init__(self, why: str = "", **details: object) -> None:
        super().__init__(why)
        self.why = why
        self.details = details


class NotFound(ProError):
    """The object does not exist, or this person may not know that it exists."""


class NotAllowed(ProError):
    """The user may not do this: a right is missing, or the state of the study forbids it."""


class RecordFrozen(ProError):
    """The record is frozen.

    ``details``: ``name`` of the person who froze it, ``at``, and ``whole`` if the whole study is frozen.
    """


class SignInNeeded(ProError):
    """A staff page was requested without a valid session."""


class CodeExpired(ProError):
    """A link, code or session that was valid once and is now expired, used or revoked."""


class AlreadySubmitted(ProError):
    """The form was submitted and can no longer be changed."""


class BadData(ProError):
    """Typed or posted data are invalid. ``details["fields"]`` may map a field to its ``why``."""


class ConfigError(Exception):
    """The settings do not allow a start. ``problems``: every reason, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
