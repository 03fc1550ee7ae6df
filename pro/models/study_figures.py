"""The figures of a whole study, kept so that a page need not count millions of rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime


class StudyFigures(Base):
    """One study's figures as they stood ``at``; ``took``: seconds that counting them cost. The worker renews them.

    ``figures``: what ``study_figures.figures_to_json`` made of them. Nothing here is a fact of its own: it can be
    thrown away.
    """

    __tablename__ = "cohort"

    plan: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    took: Mapped[float] = mapped_column(Float(53))
    figures: Mapped[dict[str, Any]] = mapped_column(Json)
