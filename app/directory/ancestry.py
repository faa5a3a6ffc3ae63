"""Who is inside whom: walks over the edges of nested groups, bounded by what is loaded.

Pure: edges come as `parents`, from each group to the groups that hold it. It must not know a database.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping

Parents = Mapping[str, Collection[str]]


def path_up(parents: Parents, start: str, goals: Collection[str]) -> list[str] | None:
    """The shortest way from `start` out to one of `goals`, both included; `None` when there is none."""
    came_from: dict[str, str | None] = {start: None}
    waiting = deque([start])
    while waiting:
        group = waiting.popleft()
        if group in goals:
            return _way_back(came_from, group)
        for parent in sorted(parents.get(group, ())):
            if parent not in came_from:
                came_from[parent] = group
                waiting.append(parent)
    return None


def ancestors(parents: Parents, groups: Iterable[str]) -> dict[str, dict[str, int]]:
    """For each group all groups around it, with the most steps out to each; `parents` has no loop."""
    known: dict[str, dict[str, int]] = {}

    def around(group: str) -> dict[str, int]:
        if group not in known:
            steps: dict[str, int] = {}
            for parent in parents.get(group, ()):
                for ancestor, more in ((parent, 0), *around(parent).items()):
                    steps[ancestor] = max(steps.get(ancestor, 0), more + 1)
            known[group] = steps
        return known[group]

    return {group: around(group) for group in groups}


def _way_back(came_from: Mapping[str, str | None], goal: str) -> list[str]:
    way: list[str] = []
    step: str | None = goal
    while step is not None:
        way.append(step)
        step = came_from[step]
    return way[::-1]
