"""The trace of the request at hand: opened before its view, completed once its answer is made.

A request that reached no organization (401, an unknown address, a body over the limit) has no trace:
there is nobody to show it to. It stands in the log.
"""

import time

from flask import Request, Response, request

from app.scim.protocol.tolerances import Tolerances
from app.scim.trace import RequestTrace
from app.web.context import RequestState, state
from app.web.transaction import SAFE_METHODS

_REFUSED = 400


def open_trace() -> None:
    """A fresh trace, because a repeated transaction begins anew."""
    current = state()
    if current.services is not None:
        trace = current.services.get(RequestTrace)
        trace.tolerances = current.services.get(Tolerances).fired
        current.carried = trace


def note_refusal(scim_type: str | None, detail: str) -> None:
    trace = state().carried
    if isinstance(trace, RequestTrace):
        trace.scim_type = scim_type
        trace.detail = detail


def close_trace(response: Response) -> Response:
    """Keep references to what is known of this request, and leave the rest to the writer."""
    current = state()
    trace = current.carried
    if isinstance(trace, RequestTrace) and current.actor is not None and current.org_id is not None:
        trace.org_id = current.org_id
        trace.credential_id = current.actor.id
        _complete(trace, current, response)
        trace.queue.put(trace)
    return response


def _complete(trace: RequestTrace, current: RequestState, response: Response) -> None:
    # Each look at Flask's `request` costs more than all that is done here; its environment is plain.
    environ = request.environ
    asked: Request = environ["werkzeug.request"]
    trace.request_id = current.request_id
    trace.method = asked.method
    trace.path = environ["PATH_INFO"]
    trace.query = environ["QUERY_STRING"]
    trace.user_agent = environ.get("HTTP_USER_AGENT")
    trace.status = response.status_code
    if asked.view_args:
        trace.user_id = asked.view_args.get("user_id", trace.user_id)
        trace.group_id = asked.view_args.get("group_id", trace.group_id)
    is_refused = trace.status >= _REFUSED
    if is_refused:
        # Nothing of what was begun is left.
        trace.changed = set()
    # What a success answers is the resource itself, as the request made it.
    if is_refused or asked.method not in SAFE_METHODS:
        tells_more = is_refused or trace.path.endswith("/Bulk")
        trace.keep(asked.get_data(), response.get_data() if tells_more else b"")
    trace.duration_seconds = time.perf_counter() - current.started
