"""The life of a SCIM token: warned of its end, rotated without a failed request, bound to reading."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.clock import rfc3339
from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, USER
from tests.scim.answers import members, ok, refused, user
from tests.support.cast import Organization, ScimClient, json_of
from tests.support.fakes import FakeClock

EXPIRES = "X-Usher-Token-Expires"
PARALLEL = 200
NOTICES = ("credential.expiring", "credential.expired")


def make_token(acme: Organization, **fields: Any) -> dict[str, Any]:
    response = acme.api.post("/scim_tokens", {"name": "Okta", **fields})
    assert response.status_code == 201, response.text
    token: dict[str, Any] = json_of(response)
    return token


def client(acme: Organization, token: dict[str, Any]) -> ScimClient:
    return ScimClient(acme.app, token["token"], "/scim/v2", "application/scim+json")


def rotate(acme: Organization, token: dict[str, Any]) -> dict[str, Any]:
    response = acme.api.post(f"/scim_tokens/{token['id']}/rotate")
    assert response.status_code == 200, response.text
    rotated: dict[str, Any] = json_of(response)
    return rotated


def notices(acme: Organization) -> list[tuple[str, int | None]]:
    """The notices of expiry in the audit log, with their days."""
    entries = json_of(acme.api.get("/audit/events?limit=1000"))["data"]
    return [(entry["action"], entry["data"].get("days")) for entry in entries if entry["action"] in NOTICES]


class TestWarning:
    def test_a_token_without_an_end_warns_of_nothing(self, acme: Organization) -> None:
        assert EXPIRES not in acme.scim.get("/Users").headers

    def test_every_answer_warns_within_thirty_days(self, acme: Organization, clock: FakeClock) -> None:
        token = make_token(acme, expires_in_days=40)
        scim = client(acme, token)
        assert EXPIRES not in scim.get("/Users").headers
        clock.advance(days=10, seconds=1)
        answers = [
            scim.get("/Users"),
            scim.post("/Users", {"schemas": [USER], "userName": "anna@example.com"}),
            scim.get("/Users/nobody"),
            scim.get("/Users?filter=nosuch+pr"),
            scim.post("/Users", b"{"),
        ]
        assert [answer.status_code for answer in answers] == [200, 201, 404, 400, 400]
        assert {answer.headers[EXPIRES] for answer in answers} == {token["expires_at"]}
        # Other connections of the organization are not meant.
        assert EXPIRES not in acme.scim.get("/Users").headers

    def test_an_expired_token_is_refused_with_the_mend(self, acme: Organization, clock: FakeClock) -> None:
        scim = client(acme, make_token(acme, expires_in_days=1))
        clock.advance(days=1, seconds=1)
        assert "create a new one" in refused(scim.get("/Users"), 401)

    def test_who_still_uses_the_old_secret_is_warned(self, acme: Organization) -> None:
        token = make_token(acme)
        rotated = rotate(acme, token)
        assert client(acme, token).get("/Users").headers[EXPIRES] == rotated["previous_expires_at"]
        assert EXPIRES not in client(acme, rotated).get("/Users").headers


class TestNotices:
    def test_each_threshold_is_noticed_once(self, acme: Organization, clock: FakeClock) -> None:
        clock.stop()
        token = make_token(acme, expires_in_days=40)
        seen = []
        for days in (5, 10, 24, 33, 34, 39, 40, 41):
            ends_at = datetime.fromisoformat(token["expires_at"])
            clock.fixed = ends_at - timedelta(days=40 - days)
            acme.work()
            acme.work()
            seen.append(notices(acme))
        expected = [
            ("credential.expiring", 30),
            ("credential.expiring", 7),
            ("credential.expiring", 1),
            ("credential.expired", None),
        ]
        assert [len(rows) for rows in seen] == [0, 1, 1, 2, 2, 3, 4, 4]
        assert seen[-1] == expected
        entry = json_of(acme.api.get("/audit/events?limit=1000"))["data"][-1]
        assert entry["data"] == {"kind": "scim_token", "name": "Okta", "expires_at": token["expires_at"]}

    def test_two_workers_give_one_notice(self, acme: Organization, clock: FakeClock) -> None:
        make_token(acme, expires_in_days=3)
        start = threading.Barrier(2)

        def work(_number: int) -> None:
            start.wait()
            acme.work()

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(work, range(2)))
        # Of thresholds that are passed at once, the nearest speaks for all.
        assert notices(acme) == [("credential.expiring", 7)]

    def test_revoked_and_endless_tokens_are_not_noticed(self, acme: Organization) -> None:
        token = make_token(acme, expires_in_days=3)
        assert acme.api.delete(f"/scim_tokens/{token['id']}").status_code == 200
        acme.work()
        assert notices(acme) == []

    def test_a_rotated_token_is_noticed_of_its_new_end(self, acme: Organization, clock: FakeClock) -> None:
        token = make_token(acme, expires_in_days=20)
        acme.work()
        rotate(acme, token)
        clock.advance(days=19, hours=1)
        acme.work()
        assert notices(acme) == [("credential.expiring", 30), ("credential.expiring", 1)]

    def test_notices_stay_in_the_organization(self, acme: Organization, globex: Organization) -> None:
        make_token(acme, expires_in_days=1)
        acme.work()
        assert notices(globex) == []


class TestRotation:
    def test_the_new_secret_lives_as_long_as_the_old_one_was_to(
        self, acme: Organization, clock: FakeClock
    ) -> None:
        clock.stop()
        token = make_token(acme, expires_in_days=90)
        for _ in range(2):
            clock.advance(days=60)
            token = {**rotate(acme, token), "before": token}
            assert token["expires_at"] == rfc3339(clock.now() + timedelta(days=90))

    def test_the_old_secret_never_outlives_its_own_end(self, acme: Organization, clock: FakeClock) -> None:
        clock.stop()
        token = make_token(acme, expires_in_days=10)
        clock.advance(days=9)
        rotated = rotate(acme, token)
        assert rotated["previous_expires_at"] == token["expires_at"]
        clock.advance(days=1, seconds=1)
        refused(client(acme, token).get("/Users"), 401)
        ok(client(acme, rotated).get("/Users"))

    def test_two_secrets_are_live_and_a_third_ends_the_first(self, acme: Organization) -> None:
        first = make_token(acme)
        second = rotate(acme, first)
        assert client(acme, first).get("/Users").status_code == 200
        third = rotate(acme, second)
        assert [client(acme, token).get("/Users").status_code for token in (first, second, third)] == [
            401,
            200,
            200,
        ]

    def test_no_request_fails_during_a_rotation(self, acme: Organization) -> None:
        token = make_token(acme, expires_in_days=90)
        present = client(acme, token)
        group_id = present.create_group("Everybody")
        half_way = threading.Event()

        def send(number: int) -> TestResponse:
            if number == PARALLEL // 2:
                half_way.set()
            if number % 2:
                return present.get("/Users?count=1")
            body = {"schemas": [USER], "userName": f"person{number}@example.com"}
            made = present.post("/Users", body)
            return made if made.status_code != 201 else present.add_members(group_id, json_of(made)["id"])

        def change() -> dict[str, Any]:
            half_way.wait()
            rotated = rotate(acme, token)
            # The administrator hands the new secret to the identity provider while it is at work.
            present.token = rotated["token"]
            return rotated

        with ThreadPoolExecutor(17) as threads:
            rotation = threads.submit(change)
            statuses = [answer.status_code for answer in threads.map(send, range(PARALLEL))]
        assert set(statuses) <= {200, 204}
        assert rotation.result()["token"] == present.token != token["token"]
        assert len(members(acme.scim, group_id)) == PARALLEL // 2


class TestLastUse:
    def test_the_last_use_is_shown(self, acme: Organization, clock: FakeClock) -> None:
        clock.stop()
        token = make_token(acme)

        def shown() -> str | None:
            listed = json_of(acme.api.get("/scim_tokens?limit=100"))["data"]
            used: str | None = next(row["last_used_at"] for row in listed if row["id"] == token["id"])
            return used

        assert shown() is None
        client(acme, token).get("/Users/nobody")
        first = rfc3339(clock.now())
        assert shown() == first
        clock.advance(seconds=59)
        client(acme, token).get("/Users")
        assert shown() == first
        clock.advance(seconds=2)
        client(acme, token).get("/Users")
        assert shown() == rfc3339(clock.now())


class TestReadOnly:
    @pytest.fixture
    def reader(self, acme: Organization) -> ScimClient:
        return client(acme, make_token(acme, access="read"))

    def test_it_reads_everything(self, acme: Organization, reader: ScimClient) -> None:
        anna = acme.scim.create_user()
        group_id = acme.scim.create_group(members=[anna])
        for path in (
            f"/Users/{anna}",
            f"/Groups/{group_id}",
            "/Users?filter=userName+pr",
            "/Groups",
            "/Schemas",
            f"/Schemas/{ENTERPRISE_USER}",
            "/ResourceTypes",
            "/ServiceProviderConfig",
        ):
            ok(reader.get(path))

    @pytest.mark.scim("rfc/48")
    def test_it_changes_nothing(self, acme: Organization, reader: ScimClient) -> None:
        anna = acme.scim.create_user("anna@example.com")
        group_id = acme.scim.create_group("Team")
        before = user(acme.scim, anna)
        attempts = [
            reader.post("/Users", {"schemas": [USER], "userName": "new@example.com"}),
            reader.put(f"/Users/{anna}", {"schemas": [USER], "userName": "other@example.com"}),
            reader.set_active(anna, active=False),
            reader.delete(f"/Users/{anna}"),
            reader.post("/Groups", {"schemas": [GROUP], "displayName": "New"}),
            reader.put(f"/Groups/{group_id}", {"schemas": [GROUP], "displayName": "Other"}),
            reader.add_members(group_id, anna),
            reader.delete(f"/Groups/{group_id}"),
            # Nothing is looked up, and no body is judged, for one who may not.
            reader.delete("/Users/nobody"),
            reader.post("/Users", b"{"),
        ]
        for attempt in attempts:
            assert "only read" in refused(attempt, 403)
        assert user(acme.scim, anna) == before
        assert members(acme.scim, group_id) == []

    def test_a_rotation_gives_it_no_more(self, acme: Organization) -> None:
        rotated = rotate(acme, make_token(acme, access="read"))
        assert rotated["access"] == "read"
        refused(client(acme, rotated).post("/Users", {"schemas": [USER], "userName": "n"}), 403)
