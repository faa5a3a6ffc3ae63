"""The one JSON reader for input from outside.

Python's reader takes duplicate keys (last one wins), NaN, Infinity, lone surrogates and endless
nesting; each of these has been used to make two readers of one body disagree. Here all of them are
a `BadRequestError`, and so is NUL in a string, which PostgreSQL cannot store.
"""

import json
import re
from typing import Any, NoReturn

from app.core.errors import BadRequestError

MAX_DEPTH = 32
MAX_DIGITS = 30

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_UNSTORABLE = re.compile(r"\\u(0000|[dD][89a-fA-F])")


class InvalidJsonError(BadRequestError):
    code = "invalid_json"


def loads(body: bytes | str) -> Any:
    """Read one JSON document; raises `InvalidJsonError` with the reason."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        value = json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_bounded_int,
            parse_float=_bounded_float,
        )
    except UnicodeDecodeError:
        raise InvalidJsonError("The body is not UTF-8 text.") from None
    except RecursionError:
        raise InvalidJsonError(f"The body nests deeper than {MAX_DEPTH} levels.") from None
    except json.JSONDecodeError as error:
        raise InvalidJsonError(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    # The decoder joins surrogate pairs, so only text that can hide a bad character is searched.
    search_text = _ESCAPED_UNSTORABLE.search(text) is not None or "\x00" in text
    # Who opens few brackets nests less deep.
    if search_text or text.count("{") + text.count("[") >= MAX_DEPTH:
        _check(value, search_text=search_text)
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidJsonError(f"The key {key[:80]!r} stands twice in one object.")
            seen.add(key)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJsonError(f"{name} is not JSON.")


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidJsonError(f"A number has more than {MAX_DIGITS} digits.")
    return int(digits)


def _bounded_float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise InvalidJsonError("A number is too large.")
    return value


def _check(value: Any, *, search_text: bool) -> None:
    """Walk level by level, so that depth is bounded without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        children: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                children.extend(item.values())
                if search_text:
                    children.extend(item)
            elif isinstance(item, list):
                children.extend(item)
            elif search_text and isinstance(item, str) and _UNSTORABLE.search(item):
                raise InvalidJsonError("A string holds NUL or half of a surrogate pair.")
        level = children
        if not level:
            return
    raise InvalidJsonError(f"The body nests deeper than {MAX_DEPTH} levels.")
