"""Evaluate a filter on one search document, in memory; `filter_sql` is its twin in the database."""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.core.clock import rfc3339
from app.scim.protocol.folding import folded_element, is_absent
from app.scim.protocol.nodes import And, Compare, Node, Not, Or, Present
from app.scim.protocol.registry import Attribute

_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def matches(node: Node, document: Mapping[str, Any]) -> bool:
    """Tell whether a document made by `folding.search_document` fulfils the filter."""
    if isinstance(node, Compare):
        return _compare(node, document)
    if isinstance(node, Present):
        return not is_absent(_value(node.path.keys, document))
    if isinstance(node, And):
        return all(matches(term, document) for term in node.nodes)
    if isinstance(node, Or):
        return any(matches(term, document) for term in node.nodes)
    if isinstance(node, Not):
        return not matches(node.node, document)
    # RFC 7644 section 3.4.2.2: the terms in brackets hold for one and the same value.
    return any(matches(node.node, element) for element in _value(node.path.keys, document) or ())


def matches_element(attribute: Attribute, node: Node, element: Mapping[str, Any]) -> bool:
    """Tell whether one stored value of a multi-valued attribute fulfils the filter in its brackets."""
    return matches(node, folded_element(attribute, element))


def _compare(node: Compare, document: Mapping[str, Any]) -> bool:
    value = _value(node.path.keys, document)
    if node.path.attribute.multi_valued:
        return any(_holds(node, element) for element in value or ())
    return _holds(node, value)


def _holds(node: Compare, value: Any) -> bool:
    expected = rfc3339(node.value) if isinstance(node.value, datetime) else node.value
    # An absent value fulfils nothing but `ne`, which is the negation of `eq`.
    if node.op == "ne":
        return value is None or bool(value != expected)
    return value is not None and _TESTS[node.op](value, expected)


def _value(keys: tuple[str, ...], document: Mapping[str, Any]) -> Any:
    value: Any = document
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
