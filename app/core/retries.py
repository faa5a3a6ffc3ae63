"""Which database failures mean «do it again», and which mean «not now»."""

from enum import Enum

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.errors import ConcurrentUpdateError

ATTEMPTS = 5
_SERIALIZATION_FAILURE = "40001"
_DEADLOCK = "40P01"


class Verdict(Enum):
    """`REPEAT` is safe because nothing was committed; `UNAVAILABLE` is for the caller to repeat."""

    REPEAT = "repeat"
    UNAVAILABLE = "unavailable"
    RAISE = "raise"


def judge(error: Exception, *, committing: bool) -> Verdict:
    """A violated constraint is repeated as well: the second look sees the winner and says so properly."""
    if isinstance(error, ConcurrentUpdateError | IntegrityError):
        return Verdict.REPEAT
    if isinstance(error, PoolTimeoutError):
        return Verdict.UNAVAILABLE
    if not isinstance(error, DBAPIError):
        return Verdict.RAISE
    if getattr(error.orig, "sqlstate", None) in (_SERIALIZATION_FAILURE, _DEADLOCK):
        return Verdict.REPEAT
    if error.connection_invalidated:
        # A connection that broke during the commit may have committed; only the caller can tell.
        return Verdict.UNAVAILABLE if committing else Verdict.REPEAT
    return Verdict.UNAVAILABLE if isinstance(error, OperationalError) else Verdict.RAISE
