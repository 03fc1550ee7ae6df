"""Alert levels: none, watch, urgent, emergency (docs/domain.md 3.3)."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """How soon staff must act. Ordered: the level of a verdict is the highest of its findings."""

    NONE = 0
    WATCH = 1
    URGENT = 2
    EMERGENCY = 3

    @property
    def word(self) -> str:
        """The level's name in plan files and in the output of ``flask triage``."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Level:
        """Return the level named ``word``; raise KeyError for any other word."""
        return cls[word.upper()]
