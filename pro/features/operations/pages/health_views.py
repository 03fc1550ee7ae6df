"""``/health``: is the database there, and do the worker's loops come round?"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from pro.features.operations import worker_health
from pro.web import request_context

pages = Blueprint("health", __name__)


@pages.get("/health", endpoint="health")
def show_health() -> tuple[Response, int]:
    """200 while all is well, 503 else. Names what is wrong, never whom it is about."""
    troubles = worker_health.find_troubles(request_context.work())
    return jsonify(ok=not troubles, troubles=troubles), 503 if troubles else 200
