"""`Idempotency-Key`: what is sent twice is done once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.api.idempotency import KEPT, IdempotencyStore
from app.api.models import idempotency_keys
from app.core.tenancy import ORG_ID

Problem = Callable[..., dict[str, Any]]
KEY = {"Idempotency-Key": "8f14e45f"}


def tokens_named(office: Any, name: str) -> int:
    return sum(token["name"] == name for token in office.get("/scim_tokens").json["data"])


def test_the_same_request_gets_the_same_answer_and_is_done_once(acme: Any) -> None:
    first = acme.post("/scim_tokens", {"name": "okta"}, headers=KEY)
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    second = acme.post("/scim_tokens", {"name": "okta"}, headers=KEY)
    assert (second.status_code, second.json) == (201, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.content_type == "application/json"
    assert tokens_named(acme, "okta") == 1


def test_without_the_header_each_request_counts(acme: Any) -> None:
    for _ in range(2):
        assert acme.post("/scim_tokens", {"name": "okta"}).status_code == 201
    assert tokens_named(acme, "okta") == 2


def test_the_key_of_another_request_is_refused(acme: Any, problem: Problem) -> None:
    acme.post("/scim_tokens", {"name": "okta"}, headers=KEY)
    problem(acme.post("/scim_tokens", {"name": "entra"}, headers=KEY), 409, "idempotency_mismatch")
    problem(acme.post("/roles", {"name": "okta"}, headers=KEY), 409, "idempotency_mismatch")


def test_keys_belong_to_who_sends_them(acme: Any, globex: Any) -> None:
    for office, scopes in ((acme, ("admin",)), (acme, ("admin", "audit:read")), (globex, ("admin",))):
        response = office.post("/scim_tokens", {"name": "okta"}, headers=KEY, scopes=scopes)
        assert response.status_code == 201
        assert "Idempotency-Replayed" not in response.headers


def test_a_refusal_is_not_remembered(acme: Any, problem: Problem) -> None:
    role = acme.role()["id"]
    user = acme.user("ada")
    acme.post(f"/users/{user}/deactivate")
    seat = {"user_id": user, "role_id": role}
    problem(acme.post("/seats", seat, headers=KEY), 409, "user_inactive")
    acme.post(f"/users/{user}/reactivate")
    response = acme.post("/seats", seat, headers=KEY)
    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response.headers


def test_the_scope_is_judged_before_the_key_is_looked_up(acme: Any, problem: Problem) -> None:
    acme.post("/scim_tokens", {"name": "okta"}, headers=KEY)
    response = acme.post("/scim_tokens", {"name": "okta"}, headers=KEY, scopes=["audit:read"])
    problem(response, 403, "scope_missing")


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_1_to_255_characters(acme: Any, problem: Problem, key: str) -> None:
    response = acme.post("/roles", {"name": "r"}, headers={"Idempotency-Key": key})
    problem(response, 400, "invalid_idempotency_key")
    assert acme.post("/roles", {"name": "r"}, headers={"Idempotency-Key": "k" * 255}).status_code == 201


def test_parallel_requests_with_one_key_make_one_thing(acme: Any) -> None:
    acme.key("admin")

    def send(_: int) -> Any:
        return acme.client.application.test_client().post(
            "/api/v1/scim_tokens",
            json={"name": "okta"},
            headers={**KEY, "x-api-key": acme.key("admin")},
        )

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert tokens_named(acme, "okta") == 1


def test_the_database_holds_no_secret_of_a_remembered_answer(acme: Any) -> None:
    token = acme.post("/scim_tokens", {"name": "okta"}, headers=KEY).json["token"]
    with acme.services() as services:
        row = services.uow.execute(select(idempotency_keys).where(idempotency_keys.c.org_id == ORG_ID)).one()
    assert row.status == 201
    assert token not in str(row)
    assert "okta" not in row.body


def test_keys_are_forgotten_after_a_day(acme: Any) -> None:
    acme.post("/scim_tokens", {"name": "okta"}, headers=KEY)
    with acme.services() as services:
        store = services.get(IdempotencyStore)
        assert not store.has_old()
        store.purge()
        aged = services.uow.now - KEPT - timedelta(seconds=1)
        services.uow.execute(
            update(idempotency_keys).where(idempotency_keys.c.org_id == ORG_ID).values(created_at=aged)
        )
        assert store.has_old()
        store.purge()
        assert not store.has_old()
    assert "Idempotency-Replayed" not in acme.post("/scim_tokens", {"name": "okta"}, headers=KEY).headers
