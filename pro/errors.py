"""The few failures that a person can meet. Services raise them; ``pages/error_pages`` turns each into a page."""

from __future__ import annotations


class ProError(Exception):
    """A failure with a machine key (``why``) that pages and messages turn into a sentence in the reader's language."""

    def __init__(self, why: str = "", **details: object) -> None:
        super().__init__(why)
        self.why = why
        self.details = details


class NotFound(ProError):
    """Nothing is there, or nothing that this person may know of."""


class NotAllowed(ProError):
    """The person is known but may not do this, or the study's state forbids it."""


class RecordFrozen(ProError):
    """The record is frozen: ``details`` say by whom (``name``), since when (``at``), and if the ``whole`` study is."""


class SignInNeeded(ProError):
    """A staff page was asked for without a living session."""


class CodeExpired(ProError):
    """A link, code or session that was right once: expired, used up, withdrawn."""


class AlreadySubmitted(ProError):
    """The assessment is closed to changes because it was sent."""


class BadData(ProError):
    """Something typed or posted cannot be taken; ``details["fields"]`` may map a field to its own ``why``."""


class ConfigError(Exception):
    """The settings do not allow a start. ``problems`` lists every reason, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
