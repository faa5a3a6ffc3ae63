"""Lists by one equality: what nearly all connectors ask before a change, at the cost of one read.

`userName eq "ada"` needs no grammar and no statement of its own. Whatever is not exactly of this form
goes the general way (`selection.py`), which would answer the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.core.connection import Row
from app.scim.page_cursors import Position
from app.scim.protocol.attribute_path import AttributePath
from app.scim.protocol.errors import InvalidFilterError
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_literals import typed_literal
from app.scim.protocol.list_query import ListQuery
from app.scim.protocol.nodes import Compare
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.tolerances import Tolerances
from app.scim.reading import ResourceReader
from app.scim.selection import Window
from app.scim.shelf import Pages

MAX_SPELLINGS = 500

# A literal with an escape or a control character is the lexer's to read or to refuse.
_EQUALITY = re.compile(r'\s*([A-Za-z][\w:.$-]*)\s+[eE][qQ]\s+"([^"\\\x00-\x1f]*)"\s*')


@dataclass(frozen=True, slots=True)
class LookUp:
    """A listing of constant statements, by index."""

    reader: ResourceReader
    projection: Projection
    pages: Pages
    values: dict[str, Any]

    @property
    def name(self) -> str:
        return self.reader.resource_type.name

    @classmethod
    def of(cls, reader: ResourceReader, query: ListQuery) -> "LookUp | None":
        """The listing of a query that is of this form, else nothing."""
        if query.filter_text is None or query.cursor is not None or query.sort_by is not None:
            return None
        found = _EQUALITY.fullmatch(query.filter_text)
        path = _compared(reader.resource_type, found[1]) if found is not None else None
        if found is None or path is None or str(path) not in reader.shelf.equal:
            return None
        values = {"equal": typed_literal(path, "eq", found[2], reader.tolerances)}
        projection = reader.projection(query.attributes, query.excluded_attributes)
        return cls(reader, projection, reader.shelf.equal[str(path)], {**reader.values, **values})

    def rows(self, window: Window) -> Sequence[Row]:
        joined = self.reader.joins(self.projection)
        values = {**self.values, "page_limit": window.limit, "page_offset": window.offset}
        return self.reader.execute(self.pages.with_related if joined else self.pages.alone, values).all()

    def bodies(self, rows: Sequence[Row]) -> list[str]:
        return self.reader.bodies(rows, self.projection)

    def position(self, row: Row) -> Position:
        return Position(row.id)

    def total(self) -> int:
        return int(self.reader.execute(self.pages.total, self.values).scalar_one())


@lru_cache(maxsize=MAX_SPELLINGS)
def _compared(resource_type: ResourceType, name: str) -> AttributePath | None:
    """What a name in a filter compares, if that is one attribute and the name needs no tolerance."""
    try:
        node = parse_filter(resource_type, f'{name} eq "x"', Tolerances())
    except InvalidFilterError:
        return None
    return node.path if isinstance(node, Compare) else None
