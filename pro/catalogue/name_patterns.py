"""Patterns of names, hours and phone numbers in plan files."""

from __future__ import annotations

NAME = r"^[a-z][a-z0-9_]*$"
RULE = r"^[A-Z][A-Za-z0-9]{1,7}$"
HOUR = r"^(?:[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$"
# E.164, or a short number such as 120.
NUMBER = r"^(?:\+[1-9][0-9]{6,14}|[0-9]{3,6})$"
