"""`/prices`: the price book, in which rows are added and never changed."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, page_of
from app.api.schemas.common import list_of
from app.api.schemas.price_imports import NewPriceImport, PriceImported, show_import
from app.api.schemas.prices import NewPrice, PriceQuery, PriceSchema, show_price
from app.spend.price_import import PriceImport
from app.spend.prices import PriceBook
from app.web.context import service

prices = Endpoints("Prices")


@prices.endpoint(
    "GET", "/prices", scope=scopes.ANALYTICS_READ, query=PriceQuery(), answer=list_of(PriceSchema)
)
def list_prices(query: Query) -> dict[str, Any]:
    """List every price, past, present and to come."""
    return page_of(
        "prices",
        query,
        lambda after, limit: service(PriceBook).page(after=after, limit=limit, filters=filters_of(query)),
        key=lambda row: str(row.id),
        show=show_price,
    )


@prices.endpoint(
    "POST",
    "/prices",
    scope=scopes.ADMIN,
    body=NewPrice(),
    example={
        "model": "claude-opus-5-5",
        "input_per_million_usd": "5",
        "output_per_million_usd": "25",
        "cache_read_per_million_usd": "0.50",
        "cache_write_5m_per_million_usd": "6.25",
        "cache_write_1h_per_million_usd": "10",
    },
    answer=PriceSchema(),
    status=201,
)
def add_price(body: dict[str, Any]) -> dict[str, Any]:
    """Add a price from now or later on; what was spent before it keeps its own."""
    return show_price(service(PriceBook).add(body))


@prices.endpoint(
    "POST",
    "/prices/import",
    scope=scopes.ADMIN,
    body=NewPriceImport(),
    example={
        "prices": [
            {
                "model": "gpt-5",
                "input_per_million_usd": "1.25",
                "output_per_million_usd": "10",
                "cache_read_per_million_usd": "0.125",
                "cache_write_5m_per_million_usd": "1.25",
                "cache_write_1h_per_million_usd": "1.25",
            },
        ],
        "dry_run": True,
    },
    answer=PriceImported(),
    refusals={"409": "a price begins at that moment already"},
)
def import_prices(body: dict[str, Any]) -> dict[str, Any]:
    """Add what of these prices differs from the book, all or nothing; with `dry_run` only show it."""
    importing, is_dry = service(PriceImport), body["dry_run"]
    changes = importing.preview(body["prices"]) if is_dry else importing.apply(body["prices"])
    return show_import(changes, dry_run=is_dry)


@prices.endpoint("GET", "/prices/<price_id>", scope=scopes.ANALYTICS_READ, answer=PriceSchema())
def get_price(price_id: str) -> dict[str, Any]:
    """Show a price."""
    return show_price(service(PriceBook).get(price_id))
