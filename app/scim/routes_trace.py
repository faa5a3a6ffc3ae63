"""The trace of the request at hand: opened before its view, completed once its answer is made.

A request that reached no organization (401, an unknown address, a body over the limit) has no trace:
there is nobody to show it to. It stands in the log.
"""

import time

from flask import Response, g, request

from app.scim.trace import RequestTrace, TraceQueue, bounded
from app.web.context import service, state
from app.web.transaction import SAFE_METHODS

_REFUSED = 400


def open_trace() -> None:
    """A fresh trace, because a repeated transaction begins anew."""
    g.scim_trace = service(RequestTrace)
    g.scim_traces = service(TraceQueue)


def note_refusal(scim_type: str | None, detail: str) -> None:
    trace: RequestTrace | None = g.get("scim_trace")
    if trace is not None:
        trace.scim_type = scim_type
        trace.detail = detail


def close_trace(response: Response) -> Response:
    """Keep references to what is known of this request, and leave the rest to the writer."""
    trace: RequestTrace | None = g.get("scim_trace")
    current = state()
    if trace is None or current.actor is None or current.org_id is None:
        return response
    arguments = request.view_args or {}
    is_refused = response.status_code >= _REFUSED
    trace.org_id = current.org_id
    trace.credential_id = current.actor.id
    trace.request_id = current.request_id
    trace.method = request.method
    trace.path = request.path
    trace.query = request.query_string
    trace.user_agent = request.environ.get("HTTP_USER_AGENT")
    trace.status = response.status_code
    trace.user_id = arguments.get("user_id", trace.user_id)
    trace.group_id = arguments.get("group_id", trace.group_id)
    if is_refused:
        # Nothing of what was begun is left.
        trace.changed = set()
    # The body of a plain read is the resource itself: to keep it would cost every reader.
    if is_refused or request.method not in SAFE_METHODS:
        trace.request_body = bounded(request.get_data())
        trace.response_body = bounded(response.get_data())
    trace.duration_seconds = time.perf_counter() - current.started
    queue: TraceQueue = g.scim_traces
    queue.put(trace)
    return response
