"""Parameters as OAuth wants them: each once, none empty, none huge. Pure."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from app.oauth.refusals import OAuthError

MAX_PARAMETERS = 50
# Every value that OAuth knows fits in many times over.
MAX_VALUE_LENGTH = 2_048
MAX_LENGTH = 16_384


def read_parameters(encoded: bytes) -> Mapping[str, str]:
    """The form or query, by name; raises `OAuthError` for what could be read in two ways.

    RFC 6749 section 3.1: what has no value counts as left out, and nothing may stand more than once.
    """
    if len(encoded) > MAX_LENGTH:
        raise OAuthError(f"The parameters are longer than {MAX_LENGTH} bytes.")
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_PARAMETERS,
            errors="strict",
        )
    except ValueError as error:
        raise OAuthError("The parameters are not an encoded form of UTF-8.") from error
    return _once(pairs)


def _once(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise OAuthError("A parameter stands more than once.")
        if len(value) > MAX_VALUE_LENGTH or "\x00" in name + value:
            raise OAuthError(f"A parameter is longer than {MAX_VALUE_LENGTH} characters or holds NUL.")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def required(parameters: Mapping[str, str], name: str) -> str:
    """The value; `name` is one of ours and so may be shown."""
    if name not in parameters:
        raise OAuthError(f"The parameter {name} is missing.")
    return parameters[name]


def words(text: str | None) -> frozenset[str]:
    """A list with spaces between, such as `scope` and `prompt`."""
    return frozenset((text or "").split(" ")) - {""}
