"""/Bulk (RFC 7644 section 3.7): each operation is answered as its single request would be."""

from typing import Any

import pytest
from scim2_models import BulkResponse, Group

from app.scim.protocol.constants import (
    BULK_REQUEST,
    BULK_RESPONSE,
    ENTERPRISE_USER,
    ERROR,
    PATCH_OP,
)
from tests.scim.answers import found, groups_of, listed, members, ok, refused, user
from tests.support.cast import Organization


def bulk(organization: Organization, *operations: Any, **fields: Any) -> list[dict[str, Any]]:
    """Send a bulk request that is taken; answers its results."""
    body = {"schemas": [BULK_REQUEST], **fields, "Operations": list(operations)}
    answer = ok(organization.scim.post("/Bulk", body))
    assert answer["schemas"] == [BULK_RESPONSE]
    BulkResponse[Group].model_validate(answer)
    results: list[dict[str, Any]] = answer["Operations"]
    for result in results:
        assert isinstance(result["status"], str)
        assert ("response" in result) == (result["status"] >= "400")
        if "response" in result:
            assert result["response"]["schemas"] == [ERROR]
            assert result["response"]["status"] == result["status"]
            assert result["response"]["detail"]
    return results


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


def id_of(result: dict[str, Any]) -> str:
    return str(result["location"].rpartition("/")[2])


def hire(bulk_id: str, **attributes: Any) -> dict[str, Any]:
    data = {"userName": f"{bulk_id}@example.com", **attributes}
    return {"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data}


def gather(bulk_id: str, *references: str, name: str = "Sales") -> dict[str, Any]:
    values = [{"value": reference} for reference in references]
    data = {"displayName": name, "members": values}
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


def change(path: str, *operations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    data = {"schemas": [PATCH_OP], "Operations": list(operations)}
    return {"method": "PATCH", "path": path, "data": data, **fields}


def switch_off(path: str, **fields: Any) -> dict[str, Any]:
    return change(path, {"op": "replace", "value": {"active": False}}, **fields)


def managed_by(reference: str) -> dict[str, Any]:
    return {ENTERPRISE_USER: {"manager": {"value": reference}, "department": "Sales"}}


def manager_of(organization: Organization, user_id: str) -> str:
    return str(user(organization.scim, user_id)[ENTERPRISE_USER]["manager"]["value"])


@pytest.mark.scim("rfc/52")
def test_every_method_is_answered_with_status_location_and_version(acme: Organization) -> None:
    anna, bert = acme.scim.create_user("anna@example.com"), acme.scim.create_user("bert@example.com")
    group_id = acme.scim.create_group("Old", [anna])
    root = f"{acme.container.urls.base_url}/scim/v2"
    results = bulk(
        acme,
        hire("carl"),
        {
            "method": "put",
            "path": f"/Users/{anna}",
            "data": {"userName": "anna@example.com", "title": "Lead"},
        },
        switch_off(f"/Users/{anna}"),
        change(f"/Groups/{group_id}", {"op": "add", "path": "members", "value": [{"value": bert}]}),
        {"method": "PUT", "path": f"Groups/{group_id}", "data": {"displayName": "New"}, "bulkId": "put"},
        {"method": "Delete", "path": f"/Users/{bert}"},
        {"method": "DELETE", "path": f"/Groups/{group_id}"},
    )
    carl = id_of(results[0])
    assert results == [
        {
            "method": "POST",
            "bulkId": "carl",
            "version": 'W/"1"',
            "location": f"{root}/Users/{carl}",
            "status": "201",
        },
        {"method": "PUT", "version": 'W/"2"', "location": f"{root}/Users/{anna}", "status": "200"},
        {"method": "PATCH", "version": 'W/"3"', "location": f"{root}/Users/{anna}", "status": "200"},
        {"method": "PATCH", "version": 'W/"2"', "location": f"{root}/Groups/{group_id}", "status": "204"},
        {
            "method": "PUT",
            "bulkId": "put",
            "version": 'W/"3"',
            "location": f"{root}/Groups/{group_id}",
            "status": "200",
        },
        {"method": "DELETE", "location": f"{root}/Users/{bert}", "status": "204"},
        {"method": "DELETE", "location": f"{root}/Groups/{group_id}", "status": "204"},
    ]
    read = user(acme.scim, anna)
    assert (read["active"], read["title"], read["meta"]["version"]) == (False, "Lead", 'W/"3"')
    assert user(acme.scim, carl)["meta"]["location"] == results[0]["location"]
    assert sorted(found(acme.scim, "/Users", "userName pr")) == sorted([anna, carl])
    assert listed(acme.scim, "/Groups")["totalResults"] == 0


@pytest.mark.scim("rfc/52")
def test_a_refused_operation_is_undone_alone_and_says_what_its_single_request_says(
    acme: Organization,
) -> None:
    anna = acme.scim.create_user("anna@example.com")
    group_id = acme.scim.create_group("Sales", [anna])
    nobody = "01890000-0000-7000-8000-000000000000"
    half_right: list[dict[str, Any]] = [
        {"op": "replace", "path": "displayName", "value": "Lost"},
        {"op": "add", "path": "members", "value": [{"value": nobody}]},
    ]
    wrong = [
        hire("anna"),
        gather("sales"),
        hire("typed", active="perhaps"),
        change(f"/Users/{anna}", {"op": "replace", "path": "nosuch", "value": 1}),
        change(f"/Groups/{group_id}", *half_right),
        {"method": "PUT", "path": f"/Users/{anna}", "data": {"userName": ""}},
        {"method": "DELETE", "path": f"/Users/{nobody}"},
        {"method": "DELETE", "path": "/Groups/not an id"},
    ]
    right = [hire(f"new{number}") for number in range(len(wrong))]
    results = bulk(acme, *(operation for pair in zip(wrong, right, strict=True) for operation in pair))
    assert statuses(results[1::2]) == ["201"] * len(right)
    for operation, result in zip(wrong, results[::2], strict=True):
        single = acme.scim.request(operation["method"], operation["path"], operation.get("data"))
        assert result["response"] == single.get_json()
        assert result["status"] == str(single.status_code)
        assert ("location" in result) == (operation["method"] != "POST")
    assert results[-2]["location"].endswith("/Groups/not%20an%20id")
    assert found(acme.scim, "/Groups", 'displayName eq "Sales"') == [group_id]
    assert members(acme.scim, group_id) == [anna]


@pytest.mark.scim("rfc/52")
def test_after_fail_on_errors_refusals_the_rest_is_neither_done_nor_answered(acme: Organization) -> None:
    anna = acme.scim.create_user("anna@example.com")
    taken = [{**hire("anna"), "bulkId": f"taken{number}"} for number in range(3)]
    for count, expected in ((0, 2), (1, 2), (2, 4), (3, 6), (4, 7)):
        fresh = [hire(f"new{count}{number}") for number in range(4)]
        order = [fresh[0], taken[0], fresh[1], taken[1], fresh[2], taken[2], fresh[3]]
        results = bulk(acme, *order, failOnErrors=count)
        assert statuses(results) == ["201", "409", "201", "409", "201", "409", "201"][:expected]
        made = found(acme.scim, "/Users", f'userName sw "new{count}"')
        assert made == [id_of(result) for result in results if result["status"] == "201"]
    assert found(acme.scim, "/Users", 'userName eq "anna@example.com"') == [anna]


@pytest.mark.scim("rfc/53")
def test_a_reference_may_stand_before_its_resource_in_data_and_in_paths(acme: Organization) -> None:
    results = bulk(
        acme,
        gather("sales", "bulkId:anna", "bulkId:bert"),
        change("/Users/bulkId:anna", {"op": "add", "path": "manager", "value": "bulkId:bert"}),
        hire("anna"),
        switch_off("/Users/bulkId:carl"),
        hire("bert", **managed_by("bulkId:carl")),
        {"method": "DELETE", "path": "/Users/bulkId:dora"},
        hire("carl"),
        hire("dora"),
    )
    assert statuses(results) == ["201", "200", "201", "200", "201", "204", "201", "201"]
    sales, changed, anna, off, bert, gone, carl, dora = map(id_of, results)
    assert (changed, off, gone) == (anna, carl, dora)
    assert members(acme.scim, sales) == sorted([anna, bert])
    assert (manager_of(acme, anna), manager_of(acme, bert)) == (bert, carl)
    assert user(acme.scim, carl)["active"] is False
    refused(acme.scim.get(f"/Users/{dora}"), 404)


@pytest.mark.scim("rfc/53")
def test_two_users_may_be_each_other_s_manager_and_one_its_own(acme: Organization) -> None:
    results = bulk(
        acme,
        hire("anna", title="Lead", active=False, **managed_by("bulkId:bert")),
        hire("bert", title="Head", **managed_by("bulkId:anna")),
        hire("carl", **managed_by("bulkId:carl")),
    )
    assert statuses(results) == ["201", "201", "201"]
    anna, bert, carl = map(id_of, results)
    assert [manager_of(acme, person) for person in (anna, bert, carl)] == [bert, anna, carl]
    for result, title, active in zip(results, ("Lead", "Head", None), (False, True, True), strict=True):
        read = user(acme.scim, id_of(result))
        assert (read.get("title"), read["active"], read["meta"]["version"]) == (
            title,
            active,
            result["version"],
        )


@pytest.mark.scim("rfc/53")
def test_those_who_refer_to_each_other_stand_or_fall_together(acme: Organization) -> None:
    acme.scim.create_user("carl@example.com")
    results = bulk(
        acme,
        hire("anna", **managed_by("bulkId:bert")),
        hire("bert", **managed_by("bulkId:carl")),
        hire("carl", **managed_by("bulkId:anna")),
        gather("sales", "bulkId:anna"),
        hire("dora"),
    )
    assert statuses(results) == ["409", "409", "409", "409", "201"]
    assert [result["response"].get("scimType") for result in results[:3]] == [None, None, "uniqueness"]
    assert "bulkId:'carl'" in results[0]["response"]["detail"]
    assert "bulkId:'anna'" in results[3]["response"]["detail"]
    assert listed(acme.scim, "/Users")["totalResults"] == 2
    assert not [action for action in acme.audit_actions() if action == "user.updated"]


@pytest.mark.scim("rfc/53")
def test_a_reference_to_nothing_or_to_a_refused_resource_is_a_conflict(acme: Organization) -> None:
    acme.scim.create_user("taken@example.com")
    results = bulk(
        acme,
        gather("sales", "bulkId:anna", "bulkId:nobody"),
        hire("taken"),
        hire("anna", **managed_by("bulkId:taken")),
        switch_off("/Users/bulkId:taken"),
        change("/Users/bulkId:", {"op": "remove", "path": "title"}),
        hire("bert"),
    )
    assert statuses(results) == ["409", "409", "409", "409", "409", "201"]
    named = [
        result["response"]["detail"].partition(" ")[0] for result in results[:5] if result is not results[1]
    ]
    assert named == ["bulkId:'anna'", "bulkId:'taken'", "bulkId:'taken'", "bulkId:''"]
    assert all("location" not in result for result in results[:5])


@pytest.mark.scim("rfc/52", "rfc/51")
def test_a_version_is_held_against_the_resource_as_the_operations_before_left_it(
    acme: Organization,
) -> None:
    anna, bert = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group()
    path = f"/Users/{anna}"
    title = {"op": "replace", "path": "title", "value": "Lead"}
    joining = {"op": "add", "path": "members", "value": [{"value": anna}]}
    results = bulk(
        acme,
        change(path, title, version='W/"1"'),
        switch_off(path, version='W/"1"'),
        switch_off(path, version='W/"2"'),
        {"method": "DELETE", "path": path, "version": 'W/"2"'},
        {"method": "PUT", "path": f"/Users/{bert}", "version": 'W/"9"', "data": {"userName": "lost"}},
        change(f"/Groups/{group_id}", joining, version='W/"7"'),
        change(f"/Groups/{group_id}", joining, version="*"),
    )
    assert statuses(results) == ["200", "412", "200", "412", "412", "412", "204"]
    assert "If-Match" in results[1]["response"]["detail"]
    assert results[1]["location"] == results[0]["location"]
    assert groups_of(acme.scim, anna) == [group_id]
    assert user(acme.scim, anna)["meta"]["version"] == 'W/"3"'


@pytest.mark.scim("rfc/52")
def test_a_thousand_operations_are_run_and_one_more_is_too_large(acme: Organization) -> None:
    people = [hire(f"p{number}") for number in range(999)]
    everybody = gather("all", *(f"bulkId:p{number}" for number in range(999)))
    refused_ = acme.scim.post("/Bulk", {"Operations": [everybody, *people, hire("one more")]})
    assert "maxOperations (1000)" in refused(refused_, 413)
    assert listed(acme.scim, "/Users", count=0)["totalResults"] == 0
    results = bulk(acme, everybody, *people)
    assert statuses(results) == ["201"] * 1000
    assert [result["bulkId"] for result in results] == ["all", *(f"p{number}" for number in range(999))]
    assert members(acme.scim, id_of(results[0])) == sorted(id_of(result) for result in results[1:])


@pytest.mark.scim("rfc/52")
def test_the_limits_that_are_announced_are_those_that_hold(acme: Organization) -> None:
    announced = ok(acme.scim.get("/ServiceProviderConfig"))["bulk"]
    assert announced["supported"] is True
    response = acme.scim.post("/Bulk", b" " * (announced["maxPayloadSize"] + 1))
    assert str(announced["maxPayloadSize"]) in refused(response, 413)
