"""One transaction around each view: repeated after a lost race, rolled back on refusal, never half done."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from app.core.retries import ATTEMPTS
from app.core.unit_of_work import UnitOfWork
from app.wiring import Container, build_worker
from tests.support.cast import Organization, json_of


class DriverError(Exception):
    """What a driver raises, as far as the verdict looks at it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


RACES: dict[str, Callable[[], DBAPIError]] = {
    "serialization failure": lambda: OperationalError("COMMIT", {}, DriverError("40001")),
    "deadlock": lambda: OperationalError("COMMIT", {}, DriverError("40P01")),
    "violated constraint": lambda: IntegrityError("INSERT", {}, DriverError("23505")),
}


def fail_commits(
    monkeypatch: pytest.MonkeyPatch, times: int, make_error: Callable[[], Exception]
) -> list[int]:
    """Let the next commits fail; answers a list that grows by one with each try."""
    commit = UnitOfWork.commit
    tries: list[int] = []

    def failing(self: UnitOfWork, *arguments: Any) -> None:
        tries.append(1)
        if len(tries) <= times:
            raise make_error()
        commit(self, *arguments)

    monkeypatch.setattr(UnitOfWork, "commit", failing)
    return tries


@pytest.mark.parametrize("make_error", RACES.values(), ids=RACES.keys())
def test_a_lost_race_is_repeated_from_the_buffered_body(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, make_error: Callable[[], Exception]
) -> None:
    acme.scim.get("/Users?count=1")
    with monkeypatch.context() as broken:
        tries = fail_commits(broken, 2, make_error)
        response = acme.scim.post("/Users", {"userName": "racer@example.com"})
    assert (response.status_code, len(tries)) == (201, 3)
    assert json_of(acme.scim.get("/Users"))["totalResults"] == 1


@pytest.mark.parametrize(
    ("race", "status"), [("serialization failure", 503), ("deadlock", 503), ("violated constraint", 409)]
)
def test_a_race_that_is_always_lost_ends_in_a_clear_refusal(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, race: str, status: int
) -> None:
    acme.scim.get("/Users?count=1")
    with monkeypatch.context() as broken:
        tries = fail_commits(broken, 99, RACES[race])
        response = acme.scim.post("/Users", {"userName": "racer@example.com"})
    assert (response.status_code, len(tries)) == (status, ATTEMPTS)
    assert json_of(response)["status"] == str(status)
    assert json_of(acme.scim.get("/Users"))["totalResults"] == 0


def test_a_connection_that_breaks_in_the_commit_is_not_repeated_blindly(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have committed: only the client can tell, so it is asked to look again."""

    def broken_pipe() -> Exception:
        return OperationalError("COMMIT", {}, DriverError("08006"), connection_invalidated=True)

    acme.scim.get("/Users?count=1")
    with monkeypatch.context() as broken:
        tries = fail_commits(broken, 99, broken_pipe)
        response = acme.scim.post("/Users", {"userName": "lost@example.com"})
    assert (response.status_code, len(tries)) == (503, 1)
    assert response.headers["Retry-After"].isdigit()


def test_a_refused_request_rolls_back_what_it_did_before(acme: Organization) -> None:
    first = acme.scim.create_user()
    group_id = acme.scim.create_group()
    response = acme.scim.patch_operations(
        f"/Groups/{group_id}",
        {"op": "add", "path": "members", "value": [{"value": first}]},
        {"op": "add", "path": "members", "value": [{"value": "00000000-0000-7000-8000-000000000000"}]},
    )
    assert response.status_code == 400
    assert json_of(acme.scim.get(f"/Groups/{group_id}"))["members"] == []


def test_every_answer_carries_a_request_id_and_safe_headers(acme: Organization) -> None:
    given = acme.scim.get("/Users", headers={"X-Request-Id": "from-the-proxy-1"})
    assert given.headers["X-Request-Id"] == "from-the-proxy-1"
    forged = acme.scim.get("/Users", headers={"X-Request-Id": "a b"})
    assert forged.headers["X-Request-Id"] != "a b"
    for response in (given, forged, acme.scim.get("/nowhere")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "media_type", "mend"),
    [
        ("/scim/v2/nowhere", "application/scim+json", "GET /scim/v2/ResourceTypes lists them"),
        ("/scim/Users", "application/scim+json", "The base URL of this service ends in /scim/v2"),
        ("/api/v1/nowhere", "application/problem+json", "GET /api/v1/openapi.json"),
        ("/nowhere", "text/html; charset=utf-8", "Check the address"),
        ("/nowhere/<b>&", "text/html; charset=utf-8", "/nowhere/&lt;b&gt;&amp;"),
        ("/scim/v2/" + "x" * 5000, "application/scim+json", "'/scim/v2/" + "x" * 71 + "'."),
    ],
)
def test_an_unknown_address_is_answered_in_the_shape_of_its_protocol_with_the_mend(
    acme: Organization, path: str, media_type: str, mend: str
) -> None:
    response = acme.app.test_client().get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (404, media_type)
    shown = response.text if response.is_json is False else response.get_json()["detail"]
    assert "There is nothing at" in shown
    assert mend in shown
    assert "URL manually" not in response.text


@pytest.mark.parametrize("path", ["/scim/v2/Users", "/api/v1/roles", "/healthz"])
def test_a_wrong_method_is_answered_with_the_right_ones(acme: Organization, path: str) -> None:
    response = acme.app.test_client().delete(path)
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"].split(", ")
    assert "DELETE is not possible at" in response.text
    assert f"Use {response.headers['Allow']}." in response.text


def test_a_database_that_takes_no_connection_is_a_passing_fault(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worker and trace writer live through it too: both go on after any error of SQLAlchemy's."""
    container: Container = acme.app.extensions["usher"]
    engine = container.database.engine

    def refuse() -> NoReturn:
        raise engine.dialect.loaded_dbapi.OperationalError("connection refused")

    with monkeypatch.context() as broken:
        broken.setattr(engine, "raw_connection", refuse)
        response = acme.scim.post("/Users", {"userName": "early@example.com"})
        with pytest.raises(OperationalError):
            build_worker(container).round()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert acme.scim.post("/Users", {"userName": "early@example.com"}).status_code == 201
