"""``/health``: is the database there, and do the worker's loops come round?"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from pro.services import pulse
from pro.web import site

pages = Blueprint("health", __name__)


@pages.get("/health")
def health() -> tuple[Response, int]:
    """200 while the worker's heartbeats are fresh, 503 when one is stale or missing. Names loops, nothing else."""
    quiet = pulse.quiet_loops(site.work())
    return jsonify(ok=not quiet, quiet=quiet), 503 if quiet else 200
