"""``/metrics`` for Prometheus, read from the database for this machine or with a token."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from flask import Blueprint, Response, abort, request
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from pro.features.operations import metrics as operations_metrics
from pro.features.operations.metrics import Gauge
from pro.web import request_context

pages = Blueprint("metrics", __name__)
# Prefix of every metric's name.
PREFIX = "epro_"
THIS_MACHINE = {"127.0.0.1", "::1"}


class MetricsSample(Collector):
    """The figures of one call. No state is kept in the process, so all processes agree."""

    def __init__(self, read: Iterable[Gauge]) -> None:
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one metric family for each gauge."""
        for gauge in self._read:
            family = GaugeMetricFamily(PREFIX + gauge.name, gauge.meaning, labels=gauge.labels)
            for labels, value in gauge.rows:
                family.add_metric(labels, value)
            yield family


@pages.get("/metrics", endpoint="metrics")
def show_metrics() -> Response:
    """Show the metrics as text; 404 for a caller who may not read them."""
    if not _may_read():
        abort(404)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricsSample(operations_metrics.read_metrics(request_context.work())))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read() -> bool:
    """Return whether the call comes from this machine or has the token of the settings.

    Behind the proxy, this machine means that the browser runs here.
    """
    if request.remote_addr in THIS_MACHINE:
        return True
    token = request_context.app_context().config.metrics_token
    given = request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
