"""For operations: alive, ready, counted. No credential; bind or protect these in production."""

import json

from flask import Blueprint, Response

from app.core.readiness import Readiness
from app.web import metrics
from app.web.context import service

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    return _json({"status": "ok"}, 200)


@blueprint.get("/readyz")
def readyz() -> Response:
    problems = service(Readiness).problems()
    return _json(
        {"status": "unavailable" if problems else "ok", "problems": problems}, 503 if problems else 200
    )


@blueprint.get("/metrics")
def show_metrics() -> Response:
    return Response(metrics.render(), content_type=metrics.CONTENT_TYPE)


def _json(body: object, status: int) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
