"""Thousands of random filters: SQL, the evaluator in memory and scim2-models agree, nothing crosses over.

`make chaos` tries 100,000 new ones, half of them on each database; `make test` the same 2,000 each time.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from scim2_models import EnterpriseUser, Group, ScimFilter, User

from app.core.unit_of_work import UnitOfWork
from app.scim.protocol.constants import SEAT
from app.scim.protocol.errors import InvalidFilterError
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_match import matches
from app.scim.protocol.folding import search_document
from app.scim.protocol.list_query import ListQuery
from app.scim.protocol.registry import Registry
from app.scim.selection import Selection
from app.scim.shelves import GROUPS, USERS
from tests.scim.answers import listed, refused
from tests.scim.filter_fuzz import FilterMaker, Generated, held_values, person, text_of
from tests.support.cast import Organization, create_organization, in_organization
from tests.support.fakes import FakeClock
from tests.support.tolerances import auto

REGISTRY = Registry.load()
TYPES = {"/Users": REGISTRY.user, "/Groups": REGISTRY.group}
SHELVES = {"/Users": USERS, "/Groups": GROUPS}
MODELS: Mapping[str, Any] = {"/Users": User[EnterpriseUser], "/Groups": Group}
ORACLES: Mapping[str, Any] = {"/Users": ScimFilter[User[EnterpriseUser]], "/Groups": ScimFilter[Group]}
PEOPLE, GROUPS_OF_THEM = 30, 4
# Of so many filters one goes over HTTP as well.
SAMPLE = 50


@dataclass(frozen=True, repr=False)
class Company:
    """One organization as everybody in it is seen by HTTP, by the evaluator and by scim2-models."""

    organization: Organization
    resources: Mapping[str, Sequence[Mapping[str, Any]]]
    documents: Mapping[str, Mapping[str, Mapping[str, Any]]]
    models: Mapping[str, Mapping[str, Any]]

    def check(self, uow: UnitOfWork, generated: Generated) -> None:
        """One filter by all evaluators; a broken one may be refused instead, with nothing found."""
        endpoint, text = generated.endpoint, generated.text
        resource_type, documents = TYPES[endpoint], self.documents[endpoint]
        try:
            query = ListQuery.parse({"filter": text})
            selection = Selection.of(SHELVES[endpoint], resource_type, query, auto())
        except InvalidFilterError:
            assert generated.is_broken
            return
        found = uow.execute(selection.ids, {"base_url": self.base_url}).scalars()
        if query.filter_text is None:
            assert not text.strip()
            return
        node = parse_filter(resource_type, text, auto())
        assert found == [id_ for id_, document in documents.items() if matches(node, document)]
        if generated.for_oracle:
            oracle = ORACLES[endpoint](text)
            assert found == [id_ for id_, model in self.models[endpoint].items() if oracle.match(model)]

    def check_over_http(self, generated: Generated) -> None:
        scim, endpoint, text = self.organization.scim, generated.endpoint, generated.text
        if "\ud800" in text:
            # No URL can carry half of a surrogate pair.
            return
        try:
            node = parse_filter(TYPES[endpoint], text, auto())
        except InvalidFilterError:
            refused(scim.get(endpoint, query_string={"filter": text}), 400, "invalidFilter")
            return
        answered = listed(scim, endpoint, filter=text, count=1000, attributes="id")["Resources"]
        accepted = [id_ for id_, document in self.documents[endpoint].items() if matches(node, document)]
        assert [resource["id"] for resource in answered] == accepted

    @property
    def base_url(self) -> str:
        return self.organization.container.urls.scim_base_url


def model(path: str, resource: Mapping[str, Any]) -> Any:
    """The resource for scim2-models, which knows no extension of Usher's own."""
    return MODELS[path].model_validate({name: value for name, value in resource.items() if name != SEAT})


def hire(app: Flask, rng: random.Random, clock: FakeClock) -> Company:
    organization = create_organization(app)
    scim, people = organization.scim, []
    for number in range(PEOPLE):
        clock.advance(minutes=number % 3)
        people.append(scim.create_user(**person(rng, number)))
    for number in range(GROUPS_OF_THEM):
        scim.create_group(f"{text_of(rng)}{number}", rng.sample(people, k=rng.choice((0, 1, 5, 12))))
    resources = {path: listed(scim, path, count=1000)["Resources"] for path in TYPES}
    return Company(
        organization,
        resources,
        {
            path: {item["id"]: search_document(TYPES[path], item) for item in resources[path]}
            for path in TYPES
        },
        {path: {item["id"]: model(path, item) for item in resources[path]} for path in TYPES},
    )


@pytest.fixture(scope="module")
def companies(app: Flask, shared_clock: FakeClock) -> tuple[Company, Company]:
    """Two organizations of 30 people and 4 groups each, in one database."""
    rng = random.Random(7)
    shared_clock.fixed = shared_clock.now() - timedelta(days=2)
    made = hire(app, rng, shared_clock), hire(app, rng, shared_clock)
    shared_clock.reset()
    return made


@pytest.mark.scim("rfc/14", "rfc/15", "rfc/41")
def test_every_filter_finds_the_same_by_three_evaluators_and_nobody_of_another_organization(
    app: Flask, companies: tuple[Company, Company], chaos: bool
) -> None:
    seed = random.randrange(2**32) if chaos else 11
    everything = [item for company in companies for part in company.resources.values() for item in part]
    maker = FilterMaker(random.Random(seed), held_values(everything))
    for company in companies:
        with in_organization(app, company.organization.id, write=False) as services:
            for number in range(25_000 if chaos else 500):
                generated = maker.make()
                try:
                    company.check(services.uow, generated)
                    if number % SAMPLE == 0:
                        company.check_over_http(generated)
                except Exception as error:
                    error.add_note(f"seed {seed}, filter {number}: {generated}")
                    raise
