"""Input that two readers could take differently is refused (P9)."""

import pytest

from app.core import strict_json
from app.core.strict_json import InvalidJsonError

REFUSED = {
    "duplicate keys": b'{"a": 1, "a": 2}',
    "nested duplicate keys": b'{"x": [{"a": 1, "a": 2}]}',
    "NaN": b'{"a": NaN}',
    "infinity": b"[Infinity]",
    "float overflow": b"[1e400]",
    "endless digits": b"[" + b"9" * 5_000 + b"]",
    "lone surrogate": b'["\\ud800"]',
    "lone surrogate in a key": b'{"\\udc00": 1}',
    "NUL": b'["\\u0000"]',
    "NUL in a key": b'{"\\u0000": 1}',
    "deep nesting": b"[" * 40 + b"]" * 40,
    "very deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "no JSON": b"<xml/>",
    "empty": b"",
    "not UTF-8": b'"\xff"',
    "trailing text": b"{} {}",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_ambiguous_or_hostile_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        strict_json.loads(body)


def test_plain_json_is_read_whole() -> None:
    assert strict_json.loads('{"a": [1, 2.5, true, null, "é😀"]}'.encode()) == {
        "a": [1, 2.5, True, None, "é😀"]
    }


def test_an_escaped_surrogate_pair_is_one_character() -> None:
    assert strict_json.loads(rb'"\ud83d\ude00"') == "😀"
