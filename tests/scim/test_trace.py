"""Each SCIM request leaves a trace beside itself, which never slows, fails or betrays it."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import OperationalError

from app.core.connection import Connection
from app.core.unit_of_work import UnitOfWork
from app.scim import trace as trace_module
from app.scim.trace import MAX_BODY_BYTES, RequestTrace, TraceQueue
from app.scim.trace_store import PURGE_BATCH, TraceStore
from app.scim.trace_writer import row_of
from tests.scim.answers import refused
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock

NOBODY = "00000000-0000-7000-8000-000000000000"


def traces(organization: Organization, limit: int = 1_000, **filters: Any) -> list[dict[str, Any]]:
    """What is stored of the organization, newest first, with bodies."""
    organization.container.traces.flush()
    with in_organization(organization.app, organization.id, write=False) as services:
        store = services.get(TraceStore)
        page = store.page(before=None, limit=limit, filters=filters)
        return [store.get(row.id)._asdict() for row in page]


def last(organization: Organization) -> dict[str, Any]:
    return traces(organization, limit=1)[0]


def lost() -> float:
    return REGISTRY.get_sample_value("usher_scim_traces_lost_total") or 0.0


def test_a_create_is_traced_with_all_that_is_known_of_it(acme: Organization) -> None:
    body = {"userName": "ada@example.com", "name": {"givenName": "Ada"}, "password": "correct horse"}
    response = acme.scim.post("/Users?attributes=userName", body, headers={"User-Agent": "Okta SCIM Client"})
    traced = last(acme)
    assert (traced["method"], traced["path"]) == ("POST", "/scim/v2/Users?attributes=userName")
    assert (traced["status"], traced["scim_type"], traced["detail"]) == (201, None, None)
    assert traced["request_id"] == response.headers["X-Request-Id"]
    assert traced["user_agent"] == "Okta SCIM Client"
    assert traced["user_id"] == json_of(response)["id"]
    assert traced["group_id"] is None
    assert traced["changed"] == ["active", "name", "schemas", "userName"]
    assert traced["tolerances"] == ["filler_password", "schemas_missing"]
    assert 0 < traced["duration_microseconds"] < 60_000_000
    tokens = json_of(acme.api.get("/scim_tokens"))["data"]
    assert f"scimtok_{traced['credential_id']}" in [token["id"] for token in tokens]
    assert json.loads(traced["request_body"]) == {
        "userName": "a***@example.com",
        "name": {"givenName": "A***"},
        "password": "***",
    }
    assert traced["response_body"] is None


def test_a_trace_holds_no_name_address_or_password_anywhere(acme: Organization) -> None:
    person: dict[str, Any] = {
        "displayName": "Ada Lovelace",
        "password": "correct horse",
        "emails": [{"value": "ada@private.example.org"}],
    }
    user_id = acme.scim.create_user("ada@example.com", **person)
    acme.scim.post("/Users", {"userName": "ada@example.com"})
    acme.scim.put(f"/Users/{user_id}", {"userName": "ada@example.com", "active": "Lovelace"})
    acme.scim.patch_operations(
        f"/Users/{user_id}", {"op": "replace", "path": "displayName", "value": ["Lovelace"]}
    )
    acme.scim.post("/Users", '{"userName": "ada@example.com", "displayName": "Lovelace"')
    acme.scim.add_members(acme.scim.create_group(members=[user_id]), "Lovelace")
    text = json.dumps(traces(acme), default=str)
    assert [
        word for word in ("ada@", "Lovelace", "correct", "horse", acme.scim.token or "") if word in text
    ] == []


def test_a_plain_read_is_traced_without_bodies(acme: Organization) -> None:
    user_id = acme.scim.create_user()
    acme.scim.get(f"/Users/{user_id}")
    traced = last(acme)
    assert (traced["status"], traced["user_id"], traced["changed"]) == (200, user_id, [])
    assert (traced["request_body"], traced["response_body"]) == (None, None)
    acme.scim.get('/Users?filter=userName%20eq%20"ada@example.com"')
    assert last(acme)["path"].startswith("/scim/v2/Users?filter=userName%20eq%20")


@pytest.mark.parametrize(
    ("path", "status", "scim_type"),
    [(f"/Users/{NOBODY}", 404, None), ("/Users?filter=nothing+xx", 400, "invalidFilter")],
)
def test_a_refused_read_keeps_the_refusal(
    acme: Organization, path: str, status: int, scim_type: str | None
) -> None:
    detail = refused(acme.scim.get(path), status, scim_type)
    traced = last(acme)
    assert (traced["status"], traced["scim_type"], traced["detail"]) == (status, scim_type, detail)
    assert json.loads(traced["response_body"])["detail"] == detail


def test_what_a_change_changed_is_named_and_nothing_for_no_change_or_a_refusal(acme: Organization) -> None:
    anna = acme.scim.create_user(displayName="Anna")
    group_id = acme.scim.create_group()

    def changed() -> list[str]:
        names: list[str] = last(acme)["changed"]
        return names

    for _, expected in enumerate((["active"], [])):
        acme.scim.set_active(anna, False)
        assert changed() == expected
    acme.scim.put(f"/Users/{anna}", {"userName": "anna@example.com", "displayName": "Anna", "active": True})
    assert changed() == ["active", "userName"]
    for expected in (["members"], []):
        acme.scim.add_members(group_id, anna)
        assert changed() == expected
        assert last(acme)["group_id"] == group_id
    acme.scim.put(f"/Groups/{group_id}", {"displayName": "Renamed"})
    assert changed() == ["displayName", "members"]
    rename = {"op": "replace", "path": "displayName", "value": "Again"}
    acme.scim.patch_operations(
        f"/Groups/{group_id}", rename, {"op": "add", "path": "members", "value": [{"value": NOBODY}]}
    )
    assert (last(acme)["status"], changed()) == (400, [])
    acme.scim.patch_operations(f"/Groups/{group_id}", rename)
    assert changed() == ["displayName"]


def test_a_request_repeated_after_a_lost_race_leaves_one_trace(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.scim.get("/Users")
    commit = UnitOfWork.commit
    tries: list[int] = []

    def failing(self: UnitOfWork, *arguments: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("COMMIT", {}, _Deadlock())
        commit(self, *arguments)

    with monkeypatch.context() as broken:
        broken.setattr(UnitOfWork, "commit", failing)
        created = acme.scim.create_user()
    assert [(trace["status"], trace["user_id"]) for trace in traces(acme)] == [(201, created), (200, None)]


class _Deadlock(Exception):  # noqa: N818 - what a driver raises
    sqlstate = "40P01"


def test_a_request_of_no_organization_is_not_traced(acme: Organization) -> None:
    acme.scim.get("/Users")
    before = len(traces(acme))
    assert acme.scim.get("/Users", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert acme.scim.get("/nowhere").status_code == 404
    assert acme.scim.delete("/Users").status_code == 405
    assert len(traces(acme)) == before
    assert len(acme.container.traces.queue.take(10)) == 0


def test_a_secret_in_the_address_or_the_agent_is_struck_out(acme: Organization) -> None:
    secret = str(acme.scim.token)
    acme.scim.get(
        f"/Users?access_token=abc123&count={secret}&startIndex=1", headers={"User-Agent": f"x/{secret}"}
    )
    traced = last(acme)
    assert traced["path"] == "/scim/v2/Users?access_token=***&count=usher_scim_***&startIndex=1"
    assert traced["user_agent"] == "x/usher_scim_***"


@pytest.mark.parametrize(
    "path", ["/Users/%00%ff%C3%A4%ED%A0%80", "/Users?filter=%00", "/Users?filter=id eq ä\x7f"]
)
def test_any_address_can_be_stored(acme: Organization, path: str) -> None:
    assert acme.scim.get(path).status_code in (400, 404)
    before = lost()
    assert last(acme)["path"].isascii()
    assert lost() == before


def test_a_body_too_long_to_keep_leaves_its_length(acme: Organization) -> None:
    body = json.dumps({"userName": "long@example.com", "nickName": "x" * MAX_BODY_BYTES})
    acme.scim.post("/Users", body)
    assert last(acme)["request_body"] == f"({len(body)} bytes, too long to be kept)"


def test_a_failing_database_fails_no_request_and_its_losses_are_counted(
    acme: Organization, globex: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.container.traces.flush()
    assert acme.scim.get("/Users").status_code == 200
    assert acme.scim.get("/Users").status_code == 200
    assert globex.scim.get("/Users").status_code == 200
    before = lost()
    add = TraceStore.add

    def failing(self: TraceStore, rows: Any) -> None:
        if self._uow.org_id == acme.id:
            raise OperationalError("INSERT", {}, Exception("the disk is full"))
        add(self, rows)

    with monkeypatch.context() as broken:
        broken.setattr(TraceStore, "add", failing)
        acme.container.traces.flush()
    assert lost() - before == 2
    assert traces(acme) == []
    assert len(traces(globex)) == 1
    assert acme.scim.get("/Users").status_code == 200
    assert len(traces(acme)) == 1


def test_a_full_queue_loses_what_comes_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "MAX_WAITING", 3)
    counted: list[int] = []
    queue = TraceQueue(counted.append)
    waiting = [RequestTrace(queue, datetime.now(UTC)) for _ in range(5)]
    for trace in waiting:
        queue.put(trace)
    assert counted == [1, 1]
    assert queue.take(2) == waiting[:2]
    queue.put(waiting[4])
    assert queue.take(9) == [waiting[2], waiting[4]]


def test_bodies_that_wait_are_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "MAX_WAITING_BYTES", 10)
    counted: list[int] = []
    queue = TraceQueue(counted.append)
    for _ in range(3):
        queue.put(_with_bodies(queue))
    assert counted == [1]
    queue.take(1)
    queue.put(_with_bodies(queue))
    assert counted == [1]


def _with_bodies(queue: TraceQueue) -> RequestTrace:
    trace = RequestTrace(queue, datetime.now(UTC))
    trace.keep(b"12345", b"x" * (MAX_BODY_BYTES + 1))
    return trace


def test_parallel_requests_all_leave_their_trace_once(acme: Organization) -> None:
    def work(number: int) -> int:
        if number % 10 == 0:
            acme.container.traces.flush()
        return acme.scim.get(f"/Users?count={number}").status_code

    before = lost()
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(work, range(60))) == {200}
    assert sorted(trace["path"] for trace in traces(acme)) == sorted(
        f"/scim/v2/Users?count={number}" for number in range(60)
    )
    assert lost() == before


def test_no_request_waits_for_a_statement_about_traces(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        if "scim_requests" in sql:
            seen.append(sql)
        send(self, sql, values, **kept)

    monkeypatch.setattr(Connection, "send", note)
    acme.scim.create_user()
    acme.scim.create_user()
    assert seen == []
    acme.container.traces.flush()
    assert len(seen) == 1


def test_traces_are_forgotten_after_their_time(acme: Organization, clock: FakeClock) -> None:
    acme.scim.create_user()
    acme.container.traces.flush()
    clock.advance(days=29)
    acme.scim.create_user()
    acme.container.traces.flush()
    acme.work()
    assert len(traces(acme)) == 2
    clock.advance(days=2)
    acme.work()
    assert len(traces(acme)) == 1


def test_old_traces_are_forgotten_in_bounded_batches(acme: Organization, clock: FakeClock) -> None:
    row = row_of(
        RequestTrace(
            acme.container.traces.queue,
            clock.now(),
            org_id=acme.id,
            credential_id=NOBODY,
            method="GET",
            path="/",
        )
    )
    with in_organization(acme.app, acme.id) as services:
        services.get(TraceStore).add([row] * (PURGE_BATCH + 1))
        services.commit()
    clock.advance(days=31)
    more = []
    for _ in range(2):
        with in_organization(acme.app, acme.id) as services:
            more.append(services.get(TraceStore).purge())
            services.commit()
    assert more == [True, False]
    assert traces(acme) == []


def test_each_organization_has_its_own_traces(acme: Organization, globex: Organization) -> None:
    acme.scim.create_user()
    globex.scim.get("/Users")
    assert [trace["method"] for trace in traces(acme)] == ["POST"]
    assert [trace["method"] for trace in traces(globex)] == ["GET"]
