"""``/health``: whether the database answers and stores, and the worker's jobs run."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from pro.features.operations import worker_health, write_probe
from pro.features.operations.write_probe import WriteProbe
from pro.web import request_context

pages = Blueprint("health", __name__)


@pages.get("/health", endpoint="health")
def show_health() -> tuple[Response, int]:
    """Answer 200 without problems, 503 with any. Names problems, never persons."""
    app_context = request_context.app_context()
    try:
        troubles = worker_health.find_troubles(request_context.work())
    except SQLAlchemyError as error:
        request_context.discard()
        troubles = [write_probe.trouble_of(error)]
    else:
        # Before the write: the transaction of a reader on SQLite would see the database as it was.
        request_context.release()
        probe = current_app.extensions.setdefault("write_probe", WriteProbe(app_context.engine))
        troubles += filter(None, [probe.find_trouble(app_context)])
    return jsonify(ok=not troubles, troubles=troubles), 503 if troubles else 200
