"""What a script consists of: requests in order, each with what must come back.

Texts may hold `{names}`; the player fills in what it knows by then, such as the id that an earlier
step kept. Knows nothing of how requests travel.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Names = Mapping[str, str]

SCIM_JSON = "application/scim+json"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

# An address that no mail reaches (RFC 2606), under a name that nobody takes for a person's.
DOMAIN = "usher-selftest.invalid"
UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the body must show; `wanted` says it to people."""

    wanted: str
    holds: Callable[[Any, Names], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the vendor.

    `keeps` names the id of the answer for later steps. `echoes` puts the last answer's body under
    `body`, as Okta does when it reads a user and sends all of it back. `authorization` stands in place
    of the token's own header; `{token}` in it is the token.
    """

    title: str
    method: str
    path: str
    body: Any = None
    status: tuple[int, ...] = (200,)
    checks: tuple[Check, ...] = ()
    keeps: str | None = None
    echoes: bool = False
    authorization: str = "Bearer {token}"
    content_type: str = SCIM_JSON


@dataclass(frozen=True, slots=True)
class Result:
    """How a step went: `expected` and `received` are sentences, `received` null when all was right."""

    title: str
    method: str
    path: str
    status: int
    milliseconds: float
    expected: str
    received: str | None = field(default=None)

    @property
    def ok(self) -> bool:
        return self.received is None


def filled(value: Any, names: Names) -> Any:
    """The value with each `{name}` in its texts replaced; braces around anything else stay."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if isinstance(value, dict):
        return {filled(key, names): filled(item, names) for key, item in value.items()}
    return value


def patch(*operations: Mapping[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def shows(value: Any, *path: str | int) -> Check:
    """The body has this value there, as text without regard to names that a step fills in."""
    where = ".".join(str(part) for part in path)
    return Check(
        f"{where} = {json.dumps(value)}", lambda body, names: _at(body, path) == filled(value, names)
    )


def lacks(*path: str | int) -> Check:
    return Check(f"no {'.'.join(str(part) for part in path)}", lambda body, _: _at(body, path) is None)


def finds(*kept: str) -> Check:
    """A ListResponse of exactly the resources that steps kept under these names."""

    def holds(body: Any, names: Names) -> bool:
        ids = [entry["id"] for entry in body["Resources"]]
        numbers = (body["totalResults"], body["itemsPerPage"], body["startIndex"])
        return (
            body["schemas"] == [LIST_RESPONSE]
            and sorted(ids) == sorted(names.get(name, "") for name in kept)
            and all(type(number) is int for number in numbers)
        )

    return Check(f"a list of {', '.join(kept) or 'nobody'}", holds)


def lists(*names: str) -> Check:
    """A ListResponse that holds at least the resources with these values of `id`, in this order."""

    def holds(body: Any, _: Names) -> bool:
        ids = [entry["id"] for entry in body["Resources"]]
        return body["schemas"] == [LIST_RESPONSE] and [id_ for id_ in ids if id_ in names] == list(names)

    return Check(f"a list with {', '.join(names) or 'anything'}", holds)


def members(*kept: str) -> Check:
    def holds(body: Any, names: Names) -> bool:
        shown = [entry["value"] for entry in body.get("members", [])]
        return sorted(shown) == sorted(names.get(name, "") for name in kept)

    return Check(f"members {', '.join(kept) or 'none'}", holds)


def is_error(scim_type: str | None = None) -> Check:
    """The Error body of RFC 7644 section 3.12, with a sentence for the administrator."""

    def holds(body: Any, _: Names) -> bool:
        shape = body["schemas"] == [ERROR] and isinstance(body["status"], str) and bool(body["detail"])
        return shape and body.get("scimType") == scim_type

    return Check(f"an Error body{f' of type {scim_type}' if scim_type else ''}", holds)


def _at(body: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if isinstance(body, dict) and isinstance(part, str):
            body = body.get(part)
        elif isinstance(body, list) and isinstance(part, int) and part < len(body):
            body = body[part]
        else:
            return None
    return body
