"""What is a mass removal: enough people, and a large enough share of what there was."""

import pytest

from app.governance.removal_guard import Threshold


def is_mass(lost: int, seats: int, **changes: int | bool) -> bool:
    given = {"enabled": True, "share_percent": 20, "minimum_people": 10, "window_minutes": 10, **changes}
    return seats <= Threshold(**given).enough_seats(lost)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lost", "seats"), [(10, 10), (10, 50), (20, 100), (200, 1_000)])
def test_a_fifth_and_ten_people_are(lost: int, seats: int) -> None:
    assert is_mass(lost, seats)


@pytest.mark.parametrize(("lost", "seats"), [(9, 9), (10, 51), (199, 1_000)])
def test_fewer_people_or_a_smaller_share_are_not(lost: int, seats: int) -> None:
    assert not is_mass(lost, seats)


def test_both_bounds_are_the_organizations() -> None:
    assert is_mass(2, 40, minimum_people=2, share_percent=5)
    assert not is_mass(2, 41, minimum_people=2, share_percent=5)


def test_nothing_is_while_it_is_off() -> None:
    assert not is_mass(10, 10, enabled=False)
