"""The request at hand: its id, its transaction, its services. Routes reach everything through here.

It must not know which services there are; they are asked for by class.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from app.core.context import Actor, Caller
from app.core.unit_of_work import UnitOfWork

T = TypeVar("T")


class Services(Protocol):
    """What `app.wiring` builds for one transaction."""

    uow: UnitOfWork

    def get(self, kind: type[T]) -> T:
        """The one instance of this service in this transaction."""

    def settle(self) -> None:
        """Run what the events so far cause, so that the answer can show it."""

    def commit(self) -> None:
        """Run what the events cause, record them, commit."""


class Begin(Protocol):
    def __call__(self, *, write: bool, caller: Caller) -> AbstractContextManager[Services]:
        """Open a transaction; left without `commit` it is rolled back."""


@dataclass(slots=True)
class RequestState:
    request_id: str
    started: float
    services: Services | None = None
    actor: Actor | None = None
    org_id: str | None = None
    # What the routes of a part carry from the view to the end of the request.
    carried: object | None = None
    # Go into the answer, whatever it is.
    headers: dict[str, str] = field(default_factory=dict)
    # Run in a short transaction of their own after the answer is decided, also after a refusal.
    afterwards: list[Callable[[Services], None]] = field(default_factory=list)


# Asked for a dozen times in a request, and Flask's `g` is found anew each time.
_STATE: ContextVar[RequestState] = ContextVar("usher_request")


def begin_request(state: RequestState) -> None:
    """From here on this thread serves another request."""
    _STATE.set(state)


def state() -> RequestState:
    return _STATE.get()


def service(kind: type[T]) -> T:
    """The service of this class, working in the transaction of this request."""
    services = state().services
    if services is None:
        raise LookupError("No transaction is open: the view was not wrapped.")
    return services.get(kind)


def settle() -> None:
    """Let the events of this request take effect before its answer is read back."""
    services = state().services
    if services is not None:
        services.settle()


def identify(actor: Actor, org_id: str) -> None:
    """From here on the request is this actor's, in the audit log and in the access log."""
    current = state()
    current.actor = actor
    current.org_id = org_id
    if current.services is not None:
        current.services.uow.caller = Caller(actor, current.request_id)
