"""References by bulkId (RFC 7644 section 3.7.2): where they stand, which ids they mean, what comes first.

Pure; must not know messages or operations.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PREFIX = "bulkId:"
# Stands where a reference has no id yet; null would be a value.
_DROPPED = object()


def reference_of(value: Any) -> str | None:
    if isinstance(value, str) and value.startswith(PREFIX):
        return value[len(PREFIX) :]
    return None


def references_in(value: Any) -> Iterator[str]:
    """Depth is bounded by the JSON reader."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from references_in(item)
    else:
        reference = reference_of(value)
        if reference is not None:
            yield reference


def resolve_id(id_: str, ids: Mapping[str, str]) -> str:
    """The id that a path means; every reference has been checked before."""
    reference = reference_of(id_)
    return id_ if reference is None else ids[reference]


def resolve(data: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """Put ids in the place of references; what holds one without an id (a member, a manager) is left out."""
    resolved = {key: _resolved(item, ids) for key, item in data.items()}
    return {key: item for key, item in resolved.items() if item is not _DROPPED}


def _resolved(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        elements = [_resolved(element, ids) for element in value]
        return [element for element in elements if element is not _DROPPED]
    if isinstance(value, dict):
        parts = {key: _resolved(item, ids) for key, item in value.items()}
        return _DROPPED if any(part is _DROPPED for part in parts.values()) else parts
    reference = reference_of(value)
    return value if reference is None else ids.get(reference, _DROPPED)


def in_dependency_order(edges: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    """Strongly connected components, each after those it points to (Tarjan's algorithm).

    Written without recursion, because a chain of references may be as long as the request.
    """
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    waiting: list[int] = []
    for root in range(len(edges)):
        path = [root] if root not in index else []
        while path:
            node = path[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                waiting.append(node)
            following = next((target for target in edges[node] if target not in index), None)
            if following is not None:
                path.append(following)
                continue
            path.pop()
            low[node] = min([low[node], *(low[target] for target in edges[node])])
            if low[node] == index[node]:
                start = waiting.index(node)
                component = waiting[start:]
                del waiting[start:]
                # Closed: no later node belongs to it, whatever points here.
                low.update(dict.fromkeys(component, len(edges)))
                yield tuple(sorted(component))
