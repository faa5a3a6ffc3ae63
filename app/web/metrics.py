"""Counters for operations. Never an organization or a person as a label."""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

REQUESTS = Counter("usher_requests_total", "Answered requests.", ["surface", "method", "status"])
SECONDS = Histogram("usher_request_seconds", "Time to answer.", ["surface", "method"])
DEAD_MESSAGES = Counter("usher_outbox_dead_total", "Outbox messages set aside after their last try.")
FAILED_JOBS = Counter("usher_worker_jobs_failed_total", "Steps of the worker that failed.", ["job"])
DRIFTS = Counter("usher_drift_found_total", "Weekly comparisons that found what they should not.")
LOST_TRACES = Counter("usher_scim_traces_lost_total", "SCIM requests whose trace was not stored.")
RETRIES = Counter("usher_transaction_retries_total", "Transactions repeated after losing a race.")

CONTENT_TYPE = CONTENT_TYPE_LATEST


def render() -> bytes:
    """All processes together when several serve (`usher serve --workers`), else this one."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # untyped upstream
        return generate_latest(registry)
    return generate_latest(REGISTRY)
