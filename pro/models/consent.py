"""What a participant agreed to, version by version, and when they took it back."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime

# How it was signed.
CONSENT_METHODS = ("paper", "witness", "electronic")
# What a withdrawal means: no more questions, or no further use of the data either.
NO_USE = "data"
SCOPES = ("questions", NO_USE)


class Consent(Base):
    """One version of the consent form, signed. A new version is a new row; only a withdrawal is added to a row.
    One that was taken back leaves the marked row and adds another that stands.

    ``health_data_at``: when the separate consent for health data was recorded; earlier than ``recorded_at`` only in a
    row that stands again. ``scope``: one of SCOPES, "" where only
    the date of leaving was recorded; ``told``: what the participant was told about it.
    """

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    version: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    signed_on: Mapped[date] = mapped_column(Date)
    way: Mapped[str] = mapped_column(String(16))
    health_data_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    scope: Mapped[str] = mapped_column(String(16), default="")
    told: Mapped[str] = mapped_column(Text, default="")
