"""Walks over nested groups, without a database."""

from app.directory.ancestry import ancestors, path_up

# d is in b and c, both in a; e stands alone.
PARENTS = {"d": ["b", "c"], "b": ["a"], "c": ["a", "b"]}


def test_the_shortest_way_out_is_found_and_starts_where_one_stands() -> None:
    assert path_up(PARENTS, "d", {"a"}) == ["d", "b", "a"]
    assert path_up(PARENTS, "d", {"d"}) == ["d"]
    assert path_up(PARENTS, "e", {"a"}) is None


def test_a_walk_in_a_loop_ends() -> None:
    ring = {"a": ["b"], "b": ["c"], "c": ["a"]}
    assert path_up(ring, "a", {"x"}) is None
    assert path_up(ring, "b", {"a"}) == ["b", "c", "a"]


def test_every_group_around_counts_its_most_steps() -> None:
    assert ancestors(PARENTS, ["d", "a"]) == {"d": {"b": 2, "c": 1, "a": 3}, "a": {}}
