"""No member is lost: parallel adds and removes on one group end in exactly what was asked for."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cast import Organization, json_of

PARALLEL = 200


@pytest.fixture
def rounds(chaos: bool) -> int:
    return 200 if chaos else 5


def test_200_parallel_adds_and_removes_lose_no_member(acme: Organization, rounds: int) -> None:
    people = [acme.scim.create_user() for _ in range(PARALLEL)]
    leaving, joining = people[: PARALLEL // 2], people[PARALLEL // 2 :]
    for _ in range(rounds):
        group_id = acme.scim.create_group(members=leaving)

        def change(person: str, group_id: str = group_id) -> int:
            move = acme.scim.add_members if person in joining else acme.scim.remove_members
            return move(group_id, person).status_code

        with ThreadPoolExecutor(16) as threads:
            assert set(threads.map(change, people)) == {204}
        group = json_of(acme.scim.get(f"/Groups/{group_id}"))
        assert {member["value"] for member in group["members"]} == set(joining)
        # One version for the creation and one for each change: none overwrote another.
        assert group["meta"]["version"] == f'W/"{PARALLEL + 1}"'
