"""`/seats` and `/seat_pool`: who holds a seat, who waits, and how many there are."""

from collections.abc import Sequence
from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, page_of
from app.api.schemas.common import list_of
from app.api.schemas.seats import (
    NewSeat,
    SeatChanges,
    SeatPoolSchema,
    SeatPoolSize,
    SeatQuery,
    SeatSchema,
    show_pool,
    show_seat,
)
from app.api.tables import CSV
from app.core.connection import Row
from app.governance.seat_contracts import SeatContract
from app.governance.seat_pool import SeatPool
from app.governance.seats import SeatService
from app.web.context import service

seats = Endpoints("Seats")


@seats.endpoint(
    "GET",
    "/seats",
    scope=scopes.GOVERNANCE_READ,
    query=SeatQuery(),
    answer=list_of(SeatSchema),
    other_media_type=CSV,
)
def list_seats(query: Query) -> dict[str, Any]:
    """List everybody who has, awaits or had a seat."""
    state = filters_of(query).get("state")
    people = service(SeatService)
    positions: dict[str, int] = {}

    def fetch(after: str, limit: int) -> Sequence[Row]:
        found = people.page(after=after, limit=limit, state=state)
        positions.update(people.waiting_positions(found))
        return found

    return page_of(
        "seats",
        query,
        fetch,
        key=lambda seat: str(seat.user_id),
        show=lambda seat: show_seat(seat, positions),
    )


@seats.endpoint(
    "POST",
    "/seats",
    scope=scopes.GOVERNANCE_WRITE,
    body=NewSeat(),
    example={
        "user_id": "user_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
        "role_id": "role_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
        "reason": "On loan to the data team until June",
    },
    answer=SeatSchema(),
    status=201,
)
def give_seat(body: dict[str, Any]) -> dict[str, Any]:
    """Give a seat by hand: it is assigned, or waits for a place in the pool."""
    return _show(service(SeatService).give(body["user_id"], body["role_id"], body["reason"]))


@seats.endpoint("GET", "/seats/<user_id>", scope=scopes.GOVERNANCE_READ, answer=SeatSchema())
def get_seat(user_id: str) -> dict[str, Any]:
    """Show a person's seat."""
    return _show(service(SeatService).get(user_id))


@seats.endpoint(
    "PATCH",
    "/seats/<user_id>",
    scope=scopes.GOVERNANCE_WRITE,
    body=SeatChanges(),
    example={"suspended": True, "reason": "On leave"},
    answer=SeatSchema(),
)
def change_seat(user_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Suspend or resume a seat, which keeps its place in the pool; a suspension outlives the seat."""
    return _show(service(SeatService).suspend(user_id, suspended=body["suspended"], reason=body["reason"]))


@seats.endpoint("DELETE", "/seats/<user_id>", scope=scopes.GOVERNANCE_WRITE, answer=SeatSchema())
def take_seat_back(user_id: str) -> dict[str, Any]:
    """Take back a seat given by hand and show what is left; a group may still give it."""
    service(SeatService).take_back(user_id)
    return _show(service(SeatService).get(user_id))


def _show(seat: Row) -> dict[str, Any]:
    return show_seat(seat, service(SeatService).waiting_positions([seat]))


@seats.endpoint("GET", "/seat_pool", scope=scopes.GOVERNANCE_READ, answer=SeatPoolSchema())
def get_seat_pool() -> dict[str, Any]:
    """Show how many seats there are, are taken and are waited for, and by which contracts."""
    pool = service(SeatPool)
    return show_pool(pool.current(), pool.waiting(), pool.contracts())


@seats.endpoint(
    "PUT",
    "/seat_pool",
    scope=scopes.GOVERNANCE_WRITE,
    body=SeatPoolSize(),
    example={"quantity": 150},
    answer=SeatPoolSchema(),
)
def resize_seat_pool(body: dict[str, Any]) -> dict[str, Any]:
    """Set how many seats there are from now on, or by contracts; new places go to who waits."""
    pool = service(SeatPool)
    if "contracts" in body:
        after = pool.agree([SeatContract(**contract) for contract in body["contracts"]])
    else:
        after = pool.resize(body["quantity"])
    return show_pool(after, pool.waiting(), pool.contracts())
