"""The invented company is the same each time, and as large as it is asked to be."""

from collections import Counter
from datetime import date, timedelta

from app.demo.company import DAYS, GROUPS, people, usage

TODAY = date(2026, 11, 26)


def test_everybody_has_a_user_name_of_their_own_and_a_group() -> None:
    everybody = people(400)
    assert len({person.user_name for person in everybody}) == 400
    assert {person.group for person in everybody} == set(GROUPS)


def test_the_usual_size_has_the_shares_of_its_groups() -> None:
    sizes = Counter(person.group.name for person in people(150))
    assert sizes == {
        "Engineering": 60,
        "Data": 21,
        "Product": 18,
        "Design": 15,
        "Sales": 21,
        "Finance": 15,
    }


def test_usage_covers_thirty_whole_days_and_none_after() -> None:
    days = {event["occurred_at"][:10] for event in usage(people(150), TODAY)}
    assert (min(days), max(days)) == ("2026-10-27", "2026-11-25")
    assert len(days) == DAYS


def test_a_day_holds_the_same_events_whenever_it_is_asked_for() -> None:
    everybody = people(20)
    first = {event["id"]: event for event in usage(everybody, TODAY)}
    later = {event["id"]: event for event in usage(everybody, TODAY + timedelta(days=1))}
    both = first.keys() & later.keys()
    assert len(both) > 100
    assert [name for name in both if first[name] != later[name]] == []
