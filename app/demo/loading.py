"""Pushes the company into a running Usher over HTTP: SCIM as an identity provider, REST as an administrator.

What is there already stays as it is, so that a second time adds only the days since.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from app.core.batches import batches
from app.core.errors import UnprocessableError
from app.demo.company import GROUPS, ROLES, Person, people, seats, usage
from app.selftest.http import Answer, Service

PAGE = 200
# Pools beside the limits of roles, in US dollars a month.
ORGANIZATION_USD, ENGINEERING_USD = "2000", "1000"

# Called with a step's name, how much of it is done and how much there is.
Progress = Callable[[str, int, int], None]


class Loader:
    def __init__(
        self, scim: Service, scim_token: str, api: Service, api_key: str, progress: Progress
    ) -> None:
        self._scim = scim
        self._scim_token = scim_token
        self._api = api
        self._api_key = api_key
        self._progress = progress

    def load(self, count: int, organization_id: str, today: date) -> None:
        everybody = people(count)
        self._put("/seat_pool", {"quantity": seats(count)})
        ids = self._push_people(everybody)
        groups = self._push_groups(everybody, ids)
        self._map(groups, self._make_roles())
        self._limit(groups, organization_id)
        self._report(everybody, today)

    def _push_people(self, everybody: Sequence[Person]) -> dict[str, str]:
        """Bare ids by user name."""
        known = {user["userName"]: str(user["id"]) for user in self._scim_list("/Users")}
        for person in self._counted("People", everybody):
            if person.user_name not in known:
                known[person.user_name] = str(self._scim_send("POST", "/Users", person.scim)["id"])
        return known

    def _push_groups(self, everybody: Sequence[Person], ids: dict[str, str]) -> dict[str, str]:
        """Bare ids by group name. Members go in as Okta sends them, by a PATCH after the group is made."""
        known = {group["displayName"]: str(group["id"]) for group in self._scim_list("/Groups")}
        for group in self._counted("Groups", GROUPS):
            if group.name not in known:
                body = {
                    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                    "displayName": group.name,
                }
                known[group.name] = str(self._scim_send("POST", "/Groups", body)["id"])
            members = [{"value": ids[one.user_name]} for one in everybody if one.group is group]
            patch = {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "add", "path": "members", "value": members}],
            }
            self._scim_send("PATCH", f"/Groups/{known[group.name]}", patch)
        return known

    def _make_roles(self) -> dict[str, str]:
        known = {role["name"]: str(role["id"]) for role in self._get("/roles?limit=1000")["data"]}
        for role in self._counted("Roles", ROLES):
            if role["name"] not in known:
                known[role["name"]] = str(self._post("/roles", role)["id"])
        return known

    def _map(self, groups: dict[str, str], roles: dict[str, str]) -> None:
        mapped = {mapping["group_id"] for mapping in self._get("/group_mappings")["data"]}
        for group in self._counted("Mappings", GROUPS):
            group_id = f"group_{groups[group.name]}"
            if group_id not in mapped:
                self._post("/group_mappings", {"group_id": group_id, "role_id": roles[group.role]})

    def _limit(self, groups: dict[str, str], organization_id: str) -> None:
        engineering = {"type": "group", "id": f"group_{groups['Engineering']}"}
        everybody = {"type": "organization", "id": organization_id}
        limits = (
            {"scope": everybody, "amount_usd": ORGANIZATION_USD},
            {"scope": engineering, "amount_usd": ENGINEERING_USD, "pool": True, "mode": "soft"},
        )
        for limit in self._counted("Limits", limits):
            self._post("/spend_limits", {"window": "monthly", **limit})

    def _report(self, everybody: Sequence[Person], today: date) -> None:
        """Only of those who have a seat: who waits for one has nothing to use."""
        seated = set(self._seated())
        events = list(usage([person for person in everybody if person.user_name in seated], today))
        for batch in self._counted("Usage", list(batches(events))):
            answer = self._post("/usage_events", {"events": list(batch)})
            strange = [one for one in answer["data"] if one["result"] not in ("created", "duplicate")]
            if strange:
                raise UnprocessableError(f"An event of the demonstration was not booked: {strange[0]}")

    def _seated(self) -> Iterator[str]:
        cursor: str | None = None
        while True:
            query = {"seat_state": "assigned", "limit": PAGE} | ({"cursor": cursor} if cursor else {})
            page = self._get(f"/users?{urlencode(query)}")
            yield from (user["user_name"] for user in page["data"])
            if not page["has_more"]:
                return
            cursor = page["next_cursor"]

    def _scim_list(self, path: str) -> Iterator[dict[str, Any]]:
        start = 1
        while True:
            query = {"startIndex": start, "count": PAGE, "excludedAttributes": "members"}
            page = self._scim_send("GET", f"{path}?{urlencode(query)}", None)
            yield from page.get("Resources", ())
            start += PAGE
            if start > page["totalResults"]:
                return

    def _counted(self, step: str, items: Iterable[Any]) -> Iterator[Any]:
        known = list(items)
        self._progress(step, 0, len(known))
        for number, item in enumerate(known, start=1):
            yield item
            self._progress(step, number, len(known))

    def _scim_send(self, method: str, path: str, body: Any) -> Any:
        authorization = f"Bearer {self._scim_token}"
        return _body(
            self._scim.request(
                method, path, body, authorization=authorization, content_type="application/scim+json"
            ),
            f"{method} {path}",
        )

    def _get(self, path: str) -> Any:
        return self._api_send("GET", path, None)

    def _post(self, path: str, body: Any) -> Any:
        return self._api_send("POST", path, body)

    def _put(self, path: str, body: Any) -> Any:
        return self._api_send("PUT", path, body)

    def _api_send(self, method: str, path: str, body: Any) -> Any:
        authorization = f"Bearer {self._api_key}"
        return _body(
            self._api.request(
                method, path, body, authorization=authorization, content_type="application/json"
            ),
            f"{method} {path}",
        )


def _body(answer: Answer, request: str) -> Any:
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP
        raise UnprocessableError(f"{request} was answered with {answer.status}: {answer.body}")
    return answer.body
