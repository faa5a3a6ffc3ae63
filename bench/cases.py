"""What is measured: the requests of each case, made from a turn, and what each is held against."""

import json
import random
from collections.abc import Sequence
from urllib.parse import quote

from bench.load import Case, Request
from bench.population import NEWCOMERS, People, patch_operation, person

PAGE = 100
# So many people in a row are switched off, then the same are switched on again.
BLOCK = 50
READ, INSERT = "read", "insert"
GET_USER, FILTER, PAGE_OF_100 = "GET user", "filter by userName", "page of 100"
PATCH_SEATLESS, PATCH_SEATED, POST_USER = "PATCH active, no seat", "PATCH active, with seat", "POST user"
GROUP_SIZES = (0, 1_000, 10_000)


def add_member_name(size: int) -> str:
    return f"add member to {size:,}"


def all_names() -> list[str]:
    adds = [add_member_name(size) for size in GROUP_SIZES]
    return [GET_USER, FILTER, PAGE_OF_100, PATCH_SEATLESS, PATCH_SEATED, *adds, POST_USER]


def read_cases(people: People) -> list[Case]:
    ids = people.population
    pages = max(1, len(ids) // PAGE)

    def get(turn: int) -> Request:
        return Request("GET", f"/scim/v2/Users/{ids[_random(turn, len(ids))]}")

    def by_name(turn: int) -> Request:
        name = person("person", _random(turn, len(ids)))["userName"]
        wanted = quote(f'userName eq "{name}"')
        return Request("GET", f"/scim/v2/Users?filter={wanted}")

    def page(turn: int) -> Request:
        start = 1 + PAGE * _random(turn, pages)
        return Request("GET", f"/scim/v2/Users?startIndex={start}&count={PAGE}")

    return [Case(GET_USER, get), Case(FILTER, by_name), Case(PAGE_OF_100, page)]


def write_cases(people: People) -> list[Case]:
    return [
        Case(PATCH_SEATLESS, lambda turn: _toggle(people.seatless, turn)),
        Case(PATCH_SEATED, lambda turn: _toggle(people.seated, turn)),
        Case(POST_USER, lambda turn: _post("/scim/v2/Users", turn)),
    ]


def add_member_case(size: int, group_ids: Sequence[str], people: People) -> Case:
    """Every turn is another pair of group and newcomer; with size 0 every turn is another group."""

    def add(turn: int) -> Request:
        newcomer = people.newcomers[(turn // len(group_ids) + turn) % NEWCOMERS]
        body = patch_operation("add", "members", [{"value": newcomer}])
        return Request("PATCH", f"/scim/v2/Groups/{group_ids[turn % len(group_ids)]}", body)

    turns = len(group_ids) if size == 0 else len(group_ids) * NEWCOMERS
    return Case(add_member_name(size), add, turns=turns)


def yardstick_cases(people: People) -> dict[str, Case]:
    ids = people.population
    return {
        READ: Case(READ, lambda turn: Request("GET", f"/read/{ids[_random(turn, len(ids))]}")),
        INSERT: Case(INSERT, lambda turn: _post("/insert", turn)),
    }


def _random(turn: int, below: int) -> int:
    return random.Random(turn).randrange(below)


def _toggle(ids: Sequence[str], turn: int) -> Request:
    block, place = divmod(turn, 2 * BLOCK)
    user_id = ids[(block * BLOCK + place % BLOCK) % len(ids)]
    return Request("PATCH", f"/scim/v2/Users/{user_id}", patch_operation("replace", "active", place >= BLOCK))


def _post(path: str, turn: int) -> Request:
    return Request("POST", path, json.dumps(person("hire", turn)))
