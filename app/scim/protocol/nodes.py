"""A filter as a tree of immutable nodes. Knows neither text nor SQL.

The parser brings every filter into this form, so that evaluators stay small: comparing a
multi-valued complex attribute is always a `ValuePath`, literals carry the type of their attribute,
and text whose case does not matter is folded.
"""

from dataclasses import dataclass, field
from datetime import datetime

from app.scim.protocol.attribute_path import AttributePath

Literal = str | bool | int | float | datetime


@dataclass(frozen=True, slots=True)
class Compare:
    """`op` is one of eq, ne, co, sw, ew, gt, ge, lt, le; `literal` is the value as the client wrote it."""

    path: AttributePath
    op: str
    value: Literal
    literal: str | bool | float = field(compare=False, default="")


@dataclass(frozen=True, slots=True)
class Present:
    path: AttributePath


@dataclass(frozen=True, slots=True)
class And:
    nodes: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    nodes: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    node: "Node"


@dataclass(frozen=True, slots=True)
class ValuePath:
    """True when one value of the multi-valued `path` fulfils `node`; paths inside are relative to it."""

    path: AttributePath
    node: "Node"


Node = Compare | Present | And | Or | Not | ValuePath
