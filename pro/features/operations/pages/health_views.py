"""``/health``: whether the database answers and stores, and the worker's jobs run."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from pro.features.operations import write_probe
from pro.features.operations.write_probe import WriteProbe
from pro.web import request_context

pages = Blueprint("health", __name__)


@pages.get("/health", endpoint="health")
def show_health() -> tuple[Response, int]:
    """Answer 200 without problems, 503 with any. Names problems, never persons."""
    app_context = request_context.app_context()
    troubles = write_probe.find_troubles(request_context.work())
    # Nothing to commit; and a reader's transaction on SQLite would see the database as it was before the write.
    request_context.discard()
    if write_probe.DATABASE not in troubles:
        probe = current_app.extensions.setdefault("write_probe", WriteProbe(app_context.engine))
        found = probe.find_trouble(app_context)
        troubles += [found] if found and found not in troubles else []
    return jsonify(ok=not troubles, troubles=troubles), 503 if troubles else 200
