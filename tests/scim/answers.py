"""What the SCIM tests ask of every answer: the refusal's shape, the ids that a filter finds."""

from typing import Any

from werkzeug.test import TestResponse

from app.directory.queries import DirectoryQueries
from app.scim.protocol.constants import ERROR, LIST_RESPONSE, MEDIA_TYPE
from tests.support.cast import HttpClient, Organization, in_organization, json_of


def error_of(response: TestResponse) -> dict[str, Any]:
    """The Error body (RFC 7644 section 3.12) of any refusal."""
    assert 400 <= response.status_code < 500, (response.status_code, response.text)
    assert response.content_type == MEDIA_TYPE
    body: dict[str, Any] = json_of(response)
    assert body["schemas"] == [ERROR]
    assert body["status"] == str(response.status_code)
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert set(body) <= {"schemas", "status", "detail", "scimType"}
    return body


def refused(response: TestResponse, status: int, scim_type: str | None = None) -> str:
    """Check a refusal and answer its detail."""
    body = error_of(response)
    assert (response.status_code, body.get("scimType")) == (status, scim_type), body
    return str(body["detail"])


def ok(response: TestResponse, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.content_type == MEDIA_TYPE
    body: dict[str, Any] = json_of(response)
    return body


def listed(client: HttpClient, endpoint: str, **query: Any) -> dict[str, Any]:
    """A ListResponse whose numbers agree with each other."""
    body = ok(client.get(endpoint, query_string=query))
    assert body["schemas"] == [LIST_RESPONSE]
    assert body["itemsPerPage"] == len(body["Resources"]) <= body["totalResults"]
    assert all(type(body[name]) is int for name in ("totalResults", "startIndex", "itemsPerPage"))
    return body


def found(client: HttpClient, endpoint: str, filter_text: str) -> list[str]:
    """The ids that a filter finds, in the order of the list."""
    return [resource["id"] for resource in listed(client, endpoint, filter=filter_text)["Resources"]]


def user(client: HttpClient, user_id: str) -> dict[str, Any]:
    return ok(client.get(f"/Users/{user_id}"))


def group(client: HttpClient, group_id: str) -> dict[str, Any]:
    return ok(client.get(f"/Groups/{group_id}"))


def members(client: HttpClient, group_id: str) -> list[str]:
    """The ids of a group's members, sorted."""
    return sorted(entry["value"] for entry in group(client, group_id).get("members", []))


def groups_of(client: HttpClient, user_id: str) -> list[str]:
    return sorted(entry["value"] for entry in user(client, user_id).get("groups", []))


def member_count(organization: Organization, group_id: str) -> int:
    """The stored counter, which must equal the membership rows."""
    with in_organization(organization.app, organization.id, write=False) as services:
        count: int = services.get(DirectoryQueries).group(group_id).member_count
    assert count == len(members(organization.scim, group_id))
    return count
