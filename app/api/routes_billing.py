"""`/billing`: what a month costs, seats and usage, and what contracts have left."""

from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.billing import (
    BillLineQuery,
    BillLineSchema,
    BillQuery,
    BillSchema,
    ContractQuery,
    ContractSchema,
    NewContract,
    show_bill,
    show_contract,
    show_line,
)
from app.api.schemas.common import deleted, list_of
from app.api.tables import CSV
from app.core.ids import FIRST_ID
from app.spend.billing import Billing
from app.spend.billing_contracts import Contracts
from app.web.context import service

billing = Endpoints("Billing")


@billing.endpoint(
    "GET",
    "/billing",
    scope=scopes.ANALYTICS_READ,
    query=BillQuery(),
    answer=list_of(BillSchema),
    other_media_type=CSV,
)
def list_bills(query: Query) -> dict[str, Any]:
    """List the months, the latest first: seats by days plus usage. A closed month never changes."""
    found = service(Billing).all()
    return page_of(
        "billing",
        query,
        lambda after, limit: [bill for bill in found if after == FIRST_ID or bill.month < int(after)][:limit],
        key=lambda bill: str(bill.month),
        show=show_bill,
    )


@billing.endpoint(
    "GET",
    "/billing/lines",
    scope=scopes.ANALYTICS_READ,
    query=BillLineQuery(),
    answer=list_of(BillLineSchema),
    other_media_type=CSV,
)
def list_bill_lines(query: Query) -> dict[str, Any]:
    """List a month's bill by person, the dearest first; the lines sum to the bill."""
    month: int = query["month"] or service(Billing).present()
    found = list(enumerate(service(Billing).lines(month)))
    return page_of(
        "billing/lines",
        query,
        lambda after, limit: found[0 if after == FIRST_ID else int(after) + 1 :][:limit],
        key=lambda row: str(row[0]),
        show=lambda row: show_line(month, *row[1]),
    )


@billing.endpoint(
    "GET",
    "/billing/contracts",
    scope=scopes.ANALYTICS_READ,
    query=ContractQuery(),
    answer=list_of(ContractSchema),
    other_media_type=CSV,
)
def list_contracts(query: Query) -> dict[str, Any]:
    """List what was bought beforehand: what is used, until when it lasts, and who draws most."""
    return page_of(
        "billing/contracts",
        query,
        lambda after, limit: service(Contracts).page(after=after, limit=limit),
        key=lambda drawn: str(drawn.contract.id),
        show=show_contract,
    )


@billing.endpoint(
    "POST",
    "/billing/contracts",
    scope=scopes.ADMIN,
    body=NewContract(),
    example={"name": "Year 2027", "starts_on": "2027-01-01", "ends_on": "2027-12-31", "cap_usd": "120000"},
    answer=ContractSchema(),
    status=201,
)
def create_contract(body: dict[str, Any]) -> dict[str, Any]:
    """Note what was bought: so much money, so many tokens, or both, between two days."""
    return show_contract(service(Contracts).create(body))


@billing.endpoint(
    "GET", "/billing/contracts/<contract_id>", scope=scopes.ANALYTICS_READ, answer=ContractSchema()
)
def get_contract(contract_id: str) -> dict[str, Any]:
    """Show a contract and how it stands."""
    return show_contract(service(Contracts).get(contract_id))


@billing.endpoint(
    "DELETE",
    "/billing/contracts/<contract_id>",
    scope=scopes.ADMIN,
    answer=deleted("contract", edge_ids.CONTRACT),
)
def delete_contract(contract_id: str) -> dict[str, str]:
    """Forget a contract; what was used stays as it is."""
    service(Contracts).delete(contract_id)
    return {"id": contract_id}
