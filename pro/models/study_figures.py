"""Stored statistics of a study, so that a page does not count millions of rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime


class StudyFigures(Base):
    """Statistics of one study at the time ``at``; the worker renews them.

    ``computing_seconds``: duration of the count. ``figures``: the result of ``study_figures.figures_to_json``. All
    values are derived, so rows may be deleted.
    """

    __tablename__ = "study_figures"

    plan: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    computing_seconds: Mapped[float] = mapped_column(Float(53))
    figures: Mapped[dict[str, Any]] = mapped_column(Json)
