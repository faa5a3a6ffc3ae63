"""What all SCIM routes share: the blueprint, the credential, reading and answering in SCIM's own form."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, request

from app.core import strict_json
from app.core.clock import rfc3339
from app.core.context import Actor
from app.core.errors import (
    ForbiddenError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
    UsherError,
)
from app.core.rate_limit import ScimRate
from app.directory.credentials import WRITE
from app.directory.recognition import Recognition
from app.scim.protocol import messages
from app.scim.protocol.constants import MEDIA_TYPE
from app.scim.protocol.etag import matches, weak
from app.scim.protocol.list_query import ListQuery
from app.scim.protocol.tolerance_profiles import enabled
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_requests import bare_token
from app.scim.rendering import Answer
from app.scim.routes_trace import close_trace, note_refusal, open_trace
from app.web.context import Services, identify, service, state
from app.web.error_rendering import Protocol
from app.web.transaction import is_writing

READABLE = frozenset({MEDIA_TYPE, "application/json"})

EXPIRES = "X-Usher-Token-Expires"

View = Callable[..., Response]

blueprint = Blueprint("scim", __name__, url_prefix="/scim/v2")
blueprint.after_request(close_trace)


class ReadOnlyTokenError(ForbiddenError):
    code = "read_only_token"


def route(rule: str, *methods: str, with_slash: bool = False) -> Callable[[View], View]:
    """Register a view that only a live SCIM token reaches; `with_slash` serves it with or without one.

    A token that may only read reaches every GET, and of the others what is marked as reading.
    """

    def register(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: str) -> Response:
            open_trace()
            _authenticate(may_write=is_writing(view))
            return view(**arguments)

        blueprint.add_url_rule(rule, view.__name__, guarded, methods=methods, strict_slashes=not with_slash)
        return view

    return register


def _authenticate(*, may_write: bool) -> None:
    scheme, token = _presented()
    recognized = service(Recognition).recognize("scim_token", token)
    identify(Actor("scim_token", recognized.id), recognized.org_id)
    tolerances = service(Tolerances)
    tolerances.enabled = enabled(recognized.tolerances or ())
    if bare_token(scheme) and not tolerances.allow(bare_token):
        raise UnauthenticatedError("This connection is strict: send Authorization: Bearer <token>.")
    if recognized.ends_soon_at is not None:
        state().headers[EXPIRES] = rfc3339(recognized.ends_soon_at)
    service(ScimRate).check(recognized.org_id)
    if may_write and WRITE not in recognized.scopes:
        raise ReadOnlyTokenError("This token may only read; use one with write access to change anything.")
    if recognized.stale_last_used:

        def mark_used(services: Services) -> None:
            services.uow.enter(recognized.org_id)
            services.get(Recognition).mark_used(recognized.id)

        state().afterwards.append(mark_used)


def _presented() -> tuple[str, str]:
    """Scheme and token of `Authorization: Bearer t`; a bare token has no scheme."""
    header = request.headers.get("Authorization", "").strip()
    scheme, _, token = header.partition(" ")
    if not header:
        raise UnauthenticatedError("Send a SCIM token in the header Authorization: Bearer <token>.")
    return (scheme, token.strip()) if scheme.lower() == "bearer" and token else ("", header)


def read_body() -> Any:
    """The JSON body; 415 for another media type (RFC 7644 section 3.1)."""
    if request.mimetype not in READABLE:
        raise UnsupportedMediaTypeError(
            f"The body is {request.mimetype[:80]!r}; send {MEDIA_TYPE} or application/json."
        )
    return strict_json.loads(request.get_data())


def if_match() -> str | None:
    return request.headers.get("If-Match")


def list_query() -> ListQuery:
    return ListQuery.parse(request.args)


def send(answer: Answer, status: int = 200) -> Response:
    """A resource with its ETag; 304 when the client has this version (RFC 7644 section 3.14)."""
    known = request.headers.get("If-None-Match")
    is_read = request.method in ("GET", "HEAD")
    if is_read and known is not None and matches(known, answer.version, service(Tolerances)):
        response = Response(status=304)
    else:
        response = send_json(answer.body, status)
        if status == 201:  # noqa: PLR2004 - created (RFC 7644 section 3.3); elsewhere meta.location says it
            response.headers["Location"] = answer.location
    response.headers["ETag"] = weak(answer.version)
    return response


def no_content(version: int | None = None) -> Response:
    """204, with the ETag of what was changed."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    if version is not None:
        response.headers["ETag"] = weak(version)
    return response


def send_json(body: str, status: int = 200) -> Response:
    """In SCIM's media type, or as plain JSON for clients that ask for nothing else (OneLogin)."""
    accepted = request.headers.get("Accept", MEDIA_TYPE)
    media_type = MEDIA_TYPE
    if MEDIA_TYPE not in accepted and "*/*" not in accepted and "application/json" in accepted:
        media_type = "application/json"
    return Response(body, status=status, content_type=media_type)


def render_scim_error(error: UsherError, _request_id: str) -> Response:
    body = messages.refusal(error)
    note_refusal(body.get("scimType"), error.detail)
    return send_json(json.dumps(body), error.status)


PROTOCOL = Protocol(
    render_scim_error,
    "The base URL of this service ends in /scim/v2, and below it are /Users and /Groups; "
    "GET /scim/v2/ResourceTypes lists them.",
)
