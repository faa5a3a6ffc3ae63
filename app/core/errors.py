"""The one exception tree of Usher.

Services raise these; `app.web.error_rendering` turns them into the shape of the protocol that was
spoken. An error knows its HTTP status, a stable `code`, a public sentence that says what is wrong
and how to mend it, public members that a program can act by, and private context for the log. It must
not know any protocol's body.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

MAX_QUOTED_CHARACTERS = 300


class UsherError(Exception):
    """Base of all expected failures: `detail` is public, `context` goes to the log only."""

    status = 500
    code = "internal_error"
    headers: Mapping[str, str] = {}
    members: Mapping[str, Any] = {}
    # Where the help page tells a person more, in a browser.
    help_topic: str | None = None

    def __init__(self, detail: str, *, code: str | None = None, **context: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.context = context
        if code is not None:
            self.code = code


class BadRequestError(UsherError):
    status = 400
    code = "invalid_request"


class UnauthenticatedError(UsherError):
    status = 401
    code = "unauthenticated"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="usher"'}


class PaymentRequiredError(UsherError):
    status = 402
    code = "payment_required"


class ForbiddenError(UsherError):
    status = 403
    code = "forbidden"


class NotFoundError(UsherError):
    status = 404
    code = "not_found"


class ConflictError(UsherError):
    status = 409
    code = "conflict"


class PreconditionFailedError(UsherError):
    status = 412
    code = "precondition_failed"


class ConcurrentUpdateError(ConflictError):
    """Somebody else changed the same object first; the whole request is worth repeating."""

    code = "concurrent_update"


class PayloadTooLargeError(UsherError):
    status = 413
    code = "payload_too_large"


class UnsupportedMediaTypeError(UsherError):
    status = 415
    code = "unsupported_media_type"


class UnprocessableError(UsherError):
    status = 422
    code = "unprocessable"


class TooManyRequestsError(UsherError):
    """The caller is over its rate; `retry_after_seconds` is a whole number, as Okta demands."""

    status = 429
    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(retry_after_seconds)}


class UnavailableError(UsherError):
    """A passing fault on our side; the caller may repeat the same request."""

    status = 503
    code = "unavailable"
    headers: Mapping[str, str] = {"Retry-After": "1"}


class TracedRefusalError(UsherError):
    """A refusal that a trace explains to an administrator, and a constant public sentence to everybody.

    `expected` and `received` are texts for the trace, cut to `MAX_QUOTED_CHARACTERS`; they hold foreign input
    and personal data and never go to the browser. `hint` is what the administrator can do about it.
    """

    def __init__(
        self, detail: str, reason: StrEnum, step: StrEnum, *, expected: str, received: str, hint: str
    ) -> None:
        super().__init__(detail, code=reason.value)
        self.reason = reason
        self.step = step
        self.expected = expected[:MAX_QUOTED_CHARACTERS]
        self.received = received[:MAX_QUOTED_CHARACTERS]
        self.hint = hint
