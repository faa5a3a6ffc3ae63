"""Which limit holds: the precedence, one rule at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from app.governance.caps import Cap, Limit, resolve_caps

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


def limit(scope: str, amount: int | None, *, id_: str = "x", **fields: object) -> Limit:
    values = {"window": "daily", "mode": "hard", "pool": False, "expires_at": None, **fields}
    return Limit(scope_type=scope, scope_id=id_, amount_nanousd=amount, **values)  # type: ignore[arg-type]  # test values


def personal(*limits: Limit) -> list[tuple[int, str]]:
    caps = resolve_caps(limits, "ada", NOW)
    assert all((cap.scope_type, cap.scope_id) == ("user", "ada") for cap in caps)
    return [(cap.amount_nanousd, cap.source) for cap in caps]


USER, ROLE = limit("user", 9, id_="ada"), limit("role", 7)
GROUP, ORGANIZATION = limit("group", 5), limit("organization", 3)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([ORGANIZATION, GROUP, ROLE, USER], [(9, "user")]),
        ([ORGANIZATION, GROUP, ROLE], [(7, "role")]),
        ([ORGANIZATION, GROUP], [(5, "group")]),
        ([ORGANIZATION], [(3, "organization")]),
        ([], []),
    ],
)
def test_the_nearest_limit_holds_even_if_a_farther_one_is_lower(
    limits: list[Limit], expected: list[tuple[int, str]]
) -> None:
    assert personal(*limits) == expected


def test_of_several_groups_the_lowest_holds() -> None:
    assert personal(limit("group", 8, id_="a"), limit("group", 5, id_="b")) == [(5, "group")]


def test_of_equal_groups_the_hard_one_holds() -> None:
    caps = resolve_caps([limit("group", 5, id_="a", mode="soft"), limit("group", 5, id_="b")], "ada", NOW)
    assert [cap.mode for cap in caps] == ["hard"]


def test_no_cap_for_a_person_overrules_every_other_personal_limit() -> None:
    assert personal(limit("user", None, id_="ada"), ROLE, GROUP, ORGANIZATION) == []


def test_each_window_is_decided_by_itself() -> None:
    caps = resolve_caps(
        [limit("user", None, id_="ada"), ROLE, limit("role", 1, window="monthly")], "ada", NOW
    )
    assert [(cap.window, cap.amount_nanousd) for cap in caps] == [("monthly", 1)]


def test_a_temporary_limit_holds_until_it_expires_and_then_the_standing_one() -> None:
    assert personal(USER, limit("user", 50, id_="ada", expires_at=LATER)) == [(50, "user")]
    assert personal(limit("user", 50, id_="ada", expires_at=LATER), USER) == [(50, "user")]
    assert personal(USER, limit("user", 50, id_="ada", expires_at=EARLIER)) == [(9, "user")]
    assert personal(ROLE, limit("user", 50, id_="ada", expires_at=NOW)) == [(7, "role")]


def test_pools_bind_besides_the_personal_cap_groups_by_id_and_the_organization_last() -> None:
    pools = [
        limit("organization", 100, id_="0", pool=True),
        limit("group", 20, id_="b", pool=True),
        limit("group", 10, id_="a", pool=True),
    ]
    assert resolve_caps([*pools, ROLE], "ada", NOW) == [
        Cap("user", "ada", "daily", 7, "hard", "role"),
        Cap("group", "a", "daily", 10, "hard", "group"),
        Cap("group", "b", "daily", 20, "hard", "group"),
        Cap("organization", "0", "daily", 100, "hard", "organization"),
    ]


def test_a_pool_is_nobodys_personal_cap() -> None:
    caps = resolve_caps([limit("group", 1, pool=True), ORGANIZATION], "ada", NOW)
    assert [(cap.is_pool, cap.amount_nanousd) for cap in caps] == [(False, 3), (True, 1)]
