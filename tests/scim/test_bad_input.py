"""Bad input (promise P9): the right refusal in SCIM's own shape, never a 5xx, and nothing is changed."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.scim.protocol.constants import LIST_RESPONSE
from tests.scim import malformed, malformed_bulks
from tests.scim.answers import error_of, listed, ok, user
from tests.scim.malformed import Malformed
from tests.support.cast import Organization, json_of

Family = Callable[[], Iterator[Malformed]]
FAMILIES: dict[Family, set[int]] = {
    malformed.no_json: {400},
    malformed.wrong_media_types: {415},
    malformed.oversize: {413},
    malformed.wrong_types: {400},
    malformed.wrong_parts: {400},
    malformed.garbage_filters: {400},
    malformed.wrong_paging: {400},
    malformed.wrong_searches: {400},
    malformed.garbage_patches: {400},
    malformed_bulks.unclear_bulks: {400},
    malformed.odd_ids: {404},
    malformed.wrong_routes: {404, 405},
}


@pytest.fixture
def ids(acme: Organization) -> dict[str, str]:
    """A person in a group, both with enough data to be lost."""
    work = {"value": "anna@example.com", "type": "work", "primary": True}
    user_id = acme.scim.create_user("anna@example.com", emails=[work], externalId="kept", title="Lead")
    return {"user": user_id, "group": acme.scim.create_group("Sales", [user_id])}


def send(acme: Organization, request: Malformed, ids: dict[str, str]) -> TestResponse:
    path = request.path.replace("{user}", ids["user"]).replace("{group}", ids["group"])
    if request.method == "GET":
        return acme.scim.get(path, query_string=request.body)
    options: dict[str, Any] = {"headers": request.headers}
    if request.body is not None:
        options["content_type"] = request.content_type
    return acme.scim.request(request.method, path, request.body, **options)


def everything(acme: Organization) -> list[Any]:
    return [listed(acme.scim, "/Users")["Resources"], listed(acme.scim, "/Groups")["Resources"]]


def test_there_are_at_least_five_hundred_malformed_requests() -> None:
    assert sum(1 for family in FAMILIES for _ in family()) >= 500


@pytest.mark.scim("rfc/2", "rfc/4", "entra/scale")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_malformed_requests_are_refused_and_change_nothing(
    acme: Organization, ids: dict[str, str], family: Family
) -> None:
    before = everything(acme)
    for request in family():
        response = send(acme, request, ids)
        assert response.status_code in FAMILIES[family], (
            str(request)[:500],
            response.status_code,
            response.text,
        )
        error_of(response)
    assert everything(acme) == before


def test_random_filters_and_paths_are_answered_or_refused_and_never_fail(
    acme: Organization, ids: dict[str, str]
) -> None:
    rng = random.Random(7643)
    pieces = [
        *("userName", "emails", "groups", "meta.created", "active", "name.givenName", "schemas", "manager"),
        *("[", "]", "(", ")", ".value", "eq", "ne", "co", "pr", "and", "or", "not", "gt", "true", "null"),
        *('"x"', '"\\u00e9"', "1", "-1.5e3", "%", "\x00", "\ud83d", "é", ":", '"2026-01-01T00:00:00Z"'),
    ]
    before = everything(acme)
    for _ in range(150):
        text = " ".join(rng.choices(pieces, k=rng.randint(1, 7))).encode("utf-8", "surrogatepass")
        response = acme.scim.get("/Users", query_string={"filter": text})
        if response.status_code == 200:
            assert json_of(response)["schemas"] == [LIST_RESPONSE]
        else:
            assert error_of(response)["scimType"] == "invalidFilter"
        path = text.decode("utf-8", "replace")
        operation = {"op": "remove", "path": path, "value": [{"value": 5}]}
        patched = acme.scim.patch_operations(f"/Groups/{ids['group']}", operation)
        assert error_of(patched)["scimType"] in ("invalidPath", "invalidValue", "invalidSyntax", "mutability")
    assert everything(acme) == before


@pytest.mark.parametrize("attribute", ["userName", "externalId", "displayName", "emails"])
def test_the_longest_texts_that_do_not_compress_are_stored_or_refused(
    acme: Organization, attribute: str
) -> None:
    rng = random.Random(1024)
    # 3 and 4 bytes a character, more than an index entry holds; folding makes the last kind longer still.
    for low, high in ((0x4E00, 0x9FFF), (0x20000, 0x2A6DF), (0x1F52, 0x1F57)):
        text = "".join(chr(rng.randint(low, high)) for _ in range(1024))
        value: Any = [{"value": text}] if attribute == "emails" else text
        for endpoint, named in (("/Users", "userName"), ("/Groups", "displayName")):
            response = acme.scim.post(endpoint, {named: f"{endpoint}{low}", attribute: value})
            if response.status_code == 201:
                assert ok(response, 201).get(attribute, value) == value
            else:
                error_of(response)


def test_a_group_body_may_be_larger_than_a_user_body(acme: Organization) -> None:
    body = {"displayName": "Large", "unknown": "x" * malformed.USERS_LIMIT}
    ok(acme.scim.post("/Groups", body), 201)


def test_an_error_never_echoes_a_whole_body(acme: Organization) -> None:
    response = acme.scim.post("/Users", {"userName": "a", "active": "x" * 100_000})
    assert len(error_of(response)["detail"]) < 500


def test_hostile_but_right_values_come_back_as_they_were_sent(acme: Organization) -> None:
    texts = [
        "'; DROP TABLE users; --",
        "<script>alert(1)</script>",
        "a\tb\nc",
        "\u202eabc",
        "\U0001f600",
        "\\",
        '"',
    ]
    for number, text in enumerate(texts):
        user_id = acme.scim.create_user(f"hostile{number}@example.com", title=text, nickName=text)
        assert user(acme.scim, user_id)["title"] == text
        query = {"filter": f'title eq "{text}"', "attributes": "id"}
        response = acme.scim.get("/Users", query_string=query)
        assert response.status_code == (400 if text in ("\\", '"', "a\tb\nc") else 200)
