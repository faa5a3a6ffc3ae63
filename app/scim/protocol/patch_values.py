"""What one PATCH operation makes of one attribute (RFC 7644 sections 3.5.2.1 to 3.5.2.3).

Pure: old value in, new value out, `None` for absent; inputs are never changed. Must not know the
resource around the attribute.
"""

from dataclasses import dataclass
from typing import Any

from app.core.text import fold
from app.scim.protocol.errors import InvalidValueError, NoTargetError, excerpt
from app.scim.protocol.filter_match import matches_element
from app.scim.protocol.folding import is_absent
from app.scim.protocol.nodes import And, Compare, Node
from app.scim.protocol.registry import Attribute
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_requests import create_on_no_match, remove_by_value_list
from app.scim.protocol.tolerated_values import object_in_a_list
from app.scim.protocol.values import (
    absent,
    check_count,
    check_single_primary,
    clean,
    clean_element,
    manager,
)

# What is left of a value when its content is gone: labels without anything to label.
_LABELS = frozenset({"type", "primary"})

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One operation on one attribute; `where` names the target in errors."""

    op: str
    raw: Any
    where: str
    tolerances: Tolerances
    value_filter: Node | None = None
    sub_attribute: Attribute | None = None


def updated(attribute: Attribute, current: Any, change: Change) -> Any:
    if not attribute.multi_valued:
        return _single(attribute, current, change)
    entries: list[Entry] = list(current or ())
    if change.value_filter is None and change.sub_attribute is None:
        result = _whole_list(attribute, entries, change)
    else:
        result = _selected(attribute, entries, change)
    check_count(result, change.where)
    return result or None


def _single(attribute: Attribute, current: Any, change: Change) -> Any:
    if change.sub_attribute is not None:
        return _with_part(current or {}, change.sub_attribute, change) or None
    if change.op == "remove":
        return None
    if attribute.is_complex:
        return _merged(attribute, current or {}, change)
    value = clean(attribute, change.raw, change.where, change.tolerances)
    return current if value is None and change.op == "add" else value


def _merged(attribute: Attribute, current: Entry, change: Change) -> Entry | None:
    """RFC 7644 section 3.5.2.3: sub-attributes that are not named stay; an empty one is cleared."""
    raw = manager(change.raw, change.tolerances) if attribute.name == "manager" else change.raw
    if absent(raw, change.where, change.tolerances):
        return current or None if change.op == "add" else None
    value = clean(attribute, raw, change.where, change.tolerances) or {}
    if change.op == "add":
        cleared: set[str] = set()
    else:
        named = ((attribute.sub(key), item) for key, item in raw.items())
        cleared = {sub.name for sub, item in named if sub is not None and is_absent(item)}
    if "value" in cleared:
        # A reference without its value means nothing.
        return None
    return {**{key: item for key, item in current.items() if key not in cleared}, **value} or None


def _with_part(entry: Entry, part: Attribute, change: Change) -> Entry:
    value = None if change.op == "remove" else clean(part, change.raw, change.where, change.tolerances)
    if value is None and change.op == "add":
        return entry
    rest = {key: item for key, item in entry.items() if key != part.name}
    if value is None:
        return rest
    return {**rest, part.name: value}


def _whole_list(attribute: Attribute, entries: list[Entry], change: Change) -> list[Entry]:
    if change.op == "remove" and change.raw is None:
        return []
    if change.op == "remove" and not change.tolerances.accept(remove_by_value_list, change.raw):
        # Taking the value for absent would empty the list.
        raise InvalidValueError(
            f'remove takes no value. Select what goes by the path: {attribute.name}[value eq "…"].'
        )
    # RFC 7644 section 3.5.2.1: what is added may be one value or a list of them.
    is_one = change.op == "add" and isinstance(change.raw, dict)
    raw = [change.raw] if is_one else change.raw
    given: list[Entry] = clean(attribute, raw, change.where, change.tolerances) or []
    if change.op == "remove":
        return [entry for entry in entries if not any(_is_same(attribute, entry, item) for item in given)]
    if change.op == "replace":
        return given
    return _appended(attribute, entries, given)


def _appended(attribute: Attribute, entries: list[Entry], given: list[Entry]) -> list[Entry]:
    """RFC 7644 section 3.5.2.1: values are added to the list, one that exists is no change."""
    result = list(entries)
    touched: set[int] = set()
    for item in given:
        same = (place for place, entry in enumerate(result) if _is_same(attribute, entry, item))
        place = next(same, len(result))
        if place == len(result):
            result.append(item)
        else:
            result[place] = {**result[place], **item}
        touched.add(place)
    return _one_primary(result, touched)


def _selected(attribute: Attribute, entries: list[Entry], change: Change) -> list[Entry]:
    node = change.value_filter
    picked = {
        place
        for place, entry in enumerate(entries)
        if node is None or matches_element(attribute, node, entry)
    }
    if change.op == "remove":
        # A filter that picks nothing leaves nothing to remove: the wish is already fulfilled.
        return _removed(entries, picked, change.sub_attribute)
    if absent(change.raw, change.where, change.tolerances):
        return entries if change.op == "add" else _removed(entries, picked, change.sub_attribute)
    result = list(entries)
    if not picked:
        picked = {len(result)}
        result.append(_seed(attribute, node, change))
    for place in picked:
        result[place] = _changed_entry(attribute, result[place], change)
    check_single_primary([result[place] for place in picked], change.where)
    return _one_primary(result, picked)


def _changed_entry(attribute: Attribute, entry: Entry, change: Change) -> Entry:
    if change.sub_attribute is not None:
        return _with_part(entry, change.sub_attribute, change)
    raw = change.tolerances.mend(object_in_a_list, change.raw)
    value = clean_element(attribute, raw, change.where, change.tolerances)
    if not isinstance(value, dict):
        raise InvalidValueError(f"{change.where} takes one object, not {excerpt(change.raw)}.")
    if change.op == "add" or change.value_filter is None:
        return {**entry, **value}
    # RFC 7644 section 3.5.2.3: the value is replaced; what selected it (its type) stays true of it.
    return {**_terms(change.value_filter), **value}


def _removed(entries: list[Entry], picked: set[int], part: Attribute | None) -> list[Entry]:
    result = []
    for place, entry in enumerate(entries):
        if place not in picked:
            result.append(entry)
        elif part is not None:
            rest = {key: item for key, item in entry.items() if key != part.name}
            if not rest.keys() <= _LABELS:
                result.append(rest)
    return result


def _seed(attribute: Attribute, node: Node | None, change: Change) -> Entry:
    """The value that a path which picks none begins with (RFC 7644 section 3.5.2.3: noTarget)."""
    if node is None:
        return {}
    entry = _terms(node)
    if not matches_element(attribute, node, entry):
        raise NoTargetError(
            f"No value of {attribute.name} matches {change.where}, "
            "and only eq terms joined by and can create one."
        )
    if not change.tolerances.accept(create_on_no_match, entry):
        raise NoTargetError(f"No value of {attribute.name} matches {change.where}; add the value whole.")
    return entry


def _terms(node: Node) -> Entry:
    """The sub-attributes that the filter's `eq` terms fix, in the client's own spelling."""
    if isinstance(node, And):
        return {key: value for term in node.nodes for key, value in _terms(term).items()}
    if isinstance(node, Compare) and node.op == "eq":
        value = node.value if node.path.leaf.type == "boolean" else node.literal
        return {node.path.leaf.name: value}
    return {}


def _is_same(attribute: Attribute, entry: Entry, given: Entry) -> bool:
    """Values are the same by content, and by type where one is given; labels like display do not count."""
    names = [name for name in ("value", "type") if name in given] if "value" in given else list(given)
    return all(_key(attribute, name, entry.get(name)) == _key(attribute, name, given[name]) for name in names)


def _key(attribute: Attribute, name: str, value: Any) -> Any:
    part = attribute.sub(name)
    return fold(value) if isinstance(value, str) and part is not None and not part.case_exact else value


def _one_primary(entries: list[Entry], touched: set[int]) -> list[Entry]:
    """RFC 7644 section 3.5.2: setting a new primary clears the others."""
    if not any(entries[place].get("primary") is True for place in touched):
        return entries
    return [
        {**entry, "primary": False} if entry.get("primary") is True and place not in touched else entry
        for place, entry in enumerate(entries)
    ]
