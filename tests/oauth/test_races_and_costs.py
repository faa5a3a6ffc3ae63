"""One code gives one set of tokens, whoever hurries; a question is one statement, whatever there is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import insert

from app.core.connection import Connection
from app.core.tenancy import lookups
from app.core.tokens import SystemRandomness, hash_token, new_token
from app.oauth.models import access_tokens
from app.oauth.redemption import TOKEN_KIND, TOKEN_LOOKUP
from tests.oauth.conftest import Person
from tests.support.application import Application, register
from tests.support.cast import Organization, in_organization, json_of

THREADS = 16
_NO_WORK = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")
Count = Callable[[Callable[[], Any]], list[str]]


def together(run: Callable[[int], Any]) -> list[Any]:
    """What `run` answers to each of many threads that begin at the same moment."""
    barrier = Barrier(THREADS)

    def begin(number: int) -> Any:
        barrier.wait()
        return run(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def test_a_code_that_many_redeem_at_once_gives_one_set_of_tokens(
    acme: Organization, tool: Application, ada: Person
) -> None:
    code = tool.code(ada.browser)
    answers = together(lambda _: tool.redeem(code))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (THREADS - 1)
    assert {json_of(answer)["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
    assert acme.audit_actions().count("user.application_authorized") == 1
    # A code that came again has leaked, so nobody keeps anything.
    (given,) = [json_of(answer) for answer in answers if answer.status_code == 200]
    assert tool.introspect(given["access_token"]) == {"active": False}


def test_who_is_taken_away_meanwhile_keeps_no_token(
    acme: Organization, tool: Application, ada: Person
) -> None:
    codes = [tool.code(ada.browser) for _ in range(THREADS - 1)]

    def run(number: int) -> Any:
        if number == THREADS - 1:
            return acme.scim.set_active(ada.id, False)
        return tool.redeem(codes[number])

    answers = together(run)
    assert {answer.status_code for answer in answers} <= {200, 204, 400}
    given = [json_of(answer) for answer in answers[:-1] if answer.status_code == 200]
    assert all(tool.introspect(each["access_token"]) == {"active": False} for each in given)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Count:
    seen: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        if not sql.startswith(_NO_WORK):
            seen.append(sql)
        send(self, sql, values, **kept)

    def count(ask: Callable[[], Any]) -> list[str]:
        seen.clear()
        ask()
        return list(seen)

    monkeypatch.setattr(Connection, "send", note)
    return count


def test_a_question_is_one_statement(tool: Application, ada: Person, statements: Count) -> None:
    token = tool.tokens(ada.browser)["access_token"]
    assert len(statements(lambda: tool.introspect(token))) == 1
    assert len(statements(lambda: tool.user_info(token))) == 1
    # Also where the answer is no.
    assert len(statements(lambda: tool.introspect(f"{token}x"))) == 1


def test_a_question_reads_by_unique_keys_alone(
    acme: Organization, ada: Person, tool: Application, statements: Count
) -> None:
    """Beside 1,000 tokens the statement is the same, and meets each table by its key."""
    token = tool.tokens(ada.browser)["access_token"]
    alone = statements(lambda: tool.introspect(token))
    for _ in range(4):
        issue(acme, ada, register(acme), 250)
    assert statements(lambda: tool.introspect(token)) == alone
    if acme.container.database.dialect == "sqlite":
        with acme.container.database.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            plan = [row[-1] for row in raw.execute(f"EXPLAIN QUERY PLAN {alone[0]}", _Anything()).fetchall()]
        assert len(plan) == 7
        assert [step for step in plan if not step.startswith("SEARCH")] == []


def test_getting_tokens_costs_the_same_for_few_and_many(
    acme: Organization, tool: Application, ada: Person, statements: Count
) -> None:
    first = tool.code(ada.browser)
    few = statements(lambda: tool.redeem(first))
    issue(acme, ada, tool, 50)
    again = tool.code(ada.browser)
    assert len(statements(lambda: tool.redeem(again))) == len(few) <= 12


class _Anything(dict[str, Any]):
    """A value for every parameter: a plan does not depend on any."""

    def __missing__(self, _: str) -> str:
        return ""


def issue(acme: Organization, ada: Person, application: Application, count: int) -> None:
    """More tokens of a person, past the endpoint."""
    with in_organization(acme.app, acme.id) as services:
        uow = services.uow
        made = [(new_token(TOKEN_KIND, SystemRandomness()), uow.ids.new()) for _ in range(count)]
        shared = {
            "application_id": application.id.removeprefix("app_"),
            "user_id": ada.id,
            "epoch": 1,
            "scopes": ["openid"],
            "authenticated_at": uow.now,
            "created_at": uow.now,
            "expires_at": uow.now + timedelta(minutes=10),
        }
        rows = [
            {
                **shared,
                "id": id_,
                "code_id": uow.ids.new(),
                "session_id": uow.ids.new(),
                "token_hash": hash_token(token),
            }
            for token, id_ in made
        ]
        uow.execute_many(insert(access_tokens), rows)
        found = [
            {"kind": TOKEN_LOOKUP, "key_hash": hash_token(token), "object_id": id_} for token, id_ in made
        ]
        uow.execute_many(insert(lookups), found)
        services.commit()
