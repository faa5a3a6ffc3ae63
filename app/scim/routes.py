"""What all SCIM routes share: the blueprint, the credential, reading and answering in SCIM's own form."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, request

from app.core import strict_json
from app.core.context import Actor
from app.core.errors import UnauthenticatedError, UnsupportedMediaTypeError, UsherError
from app.core.rate_limit import ScimRate
from app.directory.credentials import CredentialService
from app.scim.protocol import messages
from app.scim.protocol.constants import MEDIA_TYPE
from app.scim.protocol.etag import matches, weak
from app.scim.rendering import Answer
from app.web.context import Services, identify, service, state

READABLE = frozenset({MEDIA_TYPE, "application/json"})
# RFC 7644 section 3.12: the detail error keywords for refusals that are not SCIM's alone.
_SCIM_TYPES = {
    "invalid_json": "invalidSyntax",
    "unknown_member": "invalidValue",
    "invalid_nesting": "invalidValue",
    "user_name_taken": "uniqueness",
    "display_name_taken": "uniqueness",
}

View = Callable[..., Response]

blueprint = Blueprint("scim", __name__, url_prefix="/scim/v2")


def route(rule: str, method: str) -> Callable[[View], View]:
    """Register a view that only a live SCIM token reaches."""

    def register(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: str) -> Response:
            _authenticate()
            return view(**arguments)

        blueprint.add_url_rule(rule, view.__name__, guarded, methods=[method])
        return view

    return register


def _authenticate() -> None:
    recognized = service(CredentialService).recognize("scim_token", _bearer())
    identify(Actor("scim_token", recognized.id), recognized.org_id)
    service(ScimRate).check(recognized.org_id)
    if recognized.stale_last_used:

        def mark_used(services: Services) -> None:
            services.uow.enter(recognized.org_id)
            services.get(CredentialService).mark_used(recognized.id)

        state().afterwards.append(mark_used)


def _bearer() -> str:
    """The token of `Authorization: Bearer t`, or of `Authorization: t` as Okta's header mode sends it."""
    header = request.headers.get("Authorization", "").strip()
    scheme, _, token = header.partition(" ")
    if not header:
        raise UnauthenticatedError("Send a SCIM token in the header Authorization: Bearer <token>.")
    return token.strip() if scheme.lower() == "bearer" and token else header


def read_body() -> Any:
    """The JSON body; 415 for another media type (RFC 7644 section 3.1)."""
    if request.mimetype not in READABLE:
        raise UnsupportedMediaTypeError(
            f"The body is {request.mimetype[:80]!r}; send {MEDIA_TYPE} or application/json."
        )
    return strict_json.loads(request.get_data())


def if_match() -> str | None:
    return request.headers.get("If-Match")


def list_query() -> messages.ListQuery:
    return messages.ListQuery.parse(request.args)


def send(answer: Answer, status: int = 200) -> Response:
    """A resource with its ETag; 304 when the client has this version (RFC 7644 section 3.14)."""
    known = request.headers.get("If-None-Match")
    if request.method == "GET" and known is not None and matches(known, answer.version):
        response = Response(status=304)
    else:
        response = send_json(answer.body, status)
        response.headers["Location" if status == 201 else "Content-Location"] = answer.location  # noqa: PLR2004
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
    scim_type = getattr(error, "scim_type", None) or _SCIM_TYPES.get(error.code)
    body = messages.error(error.status, error.detail, scim_type)
    return send_json(json.dumps(body), error.status)
