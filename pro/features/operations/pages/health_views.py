"""``/health``: whether the database answers and the worker's jobs run."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from pro.features.operations import worker_health
from pro.web import request_context

pages = Blueprint("health", __name__)


@pages.get("/health", endpoint="health")
def show_health() -> tuple[Response, int]:
    """Answer 200 without problems, 503 with any. Names problems, never persons."""
    troubles = worker_health.find_troubles(request_context.work())
    return jsonify(ok=not troubles, troubles=troubles), 503 if troubles else 200
