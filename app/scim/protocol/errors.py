"""The refusals of the SCIM protocol: which `scimType` belongs to which fault (RFC 7644 section 3.12).

Knows nothing of HTTP bodies; `messages.error` shapes them. Okta and Entra show `detail` to the
administrator, so every message says what was wrong, where it stood and what would be right.
"""

import reprlib

from app.core.errors import BadRequestError, UsherError


class ScimError(BadRequestError):
    """Base of all 400 answers with a `scimType`."""

    scim_type = "invalidValue"
    code = "invalid_value"


class InvalidFilterError(ScimError):
    scim_type = "invalidFilter"
    code = "invalid_filter"


class InvalidPathError(ScimError):
    scim_type = "invalidPath"
    code = "invalid_path"


class InvalidValueError(ScimError):
    scim_type = "invalidValue"
    code = "invalid_value"


class InvalidSyntaxError(ScimError):
    scim_type = "invalidSyntax"
    code = "invalid_syntax"


class NoTargetError(ScimError):
    scim_type = "noTarget"
    code = "no_target"


class MutabilityError(ScimError):
    scim_type = "mutability"
    code = "mutability"


class InvalidCursorError(ScimError):
    """RFC 9865 section 2.1, as the next two."""

    scim_type = "invalidCursor"
    code = "invalid_cursor"


class ExpiredCursorError(ScimError):
    scim_type = "expiredCursor"
    code = "expired_cursor"


class InvalidCountError(ScimError):
    scim_type = "invalidCount"
    code = "invalid_count"


class TooManyError(ScimError):
    scim_type = "tooMany"
    code = "too_many"


class UnsupportedError(UsherError):
    """RFC 7644 section 3.12: 501 for what this service provider does not do."""

    status = 501
    code = "unsupported"


def excerpt(value: object, length: int = 80) -> str:
    """Quote foreign input in a message, cut so that an answer never echoes a whole body."""
    text = repr(value[: length + 1]) if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= length else f"{text[:length]}…"
