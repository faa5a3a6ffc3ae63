"""A list's items in a second form: JSON lines for machines that follow, CSV for people with spreadsheets.

It must not know Flask or any resource; items are what the answer's schema dumped.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields

CSV = "text/csv"
JSON_LINES = "application/x-ndjson"

# Spreadsheets take such a beginning for a formula, also in full width and behind white space.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_json_lines(items: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"{to_json(item)}\n" for item in items)


def as_csv(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """RFC 4180 with a header line; null is empty, a list of names is joined by semicolons."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(item.get(name)) for name in columns] for item in items)
    return text.getvalue()


def columns_of(answer: Schema) -> list[str]:
    """The field names of the items in a list's answer."""
    data = answer.fields["data"]
    if not isinstance(data, fields.List) or not isinstance(data.inner, fields.Nested):
        raise TypeError(f"{type(answer).__name__} is no list of objects.")
    return list(data.inner.schema.fields)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        text = ";".join(value)
    else:
        text = value if isinstance(value, str) else to_json(value)
    # The apostrophe makes a spreadsheet show the rest as it is (OWASP, CSV injection).
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
