"""Which addresses an application may register. Pure.

They are compared letter by letter ever after, so what could be read in two ways is refused here.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from app.core.errors import UnprocessableError

MAX_LENGTH = 512
_VISIBLE = re.compile(r"[!-\[\]-~]+")


class AddressRefusedError(UnprocessableError):
    """The address cannot be registered; the text says why."""

    code = "address_refused"


def check_redirect_uri(uri: str) -> None:
    """Raises `AddressRefusedError` unless codes may be sent there: https, or http on the person's machine."""
    parts = _checked(uri)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise AddressRefusedError(f"{uri!r} must begin with https://, or with http:// on this very machine.")


def check_logout_uri(uri: str) -> None:
    """Raises `AddressRefusedError` unless logout tokens may be posted there."""
    if _checked(uri).scheme != "https":
        raise AddressRefusedError(f"{uri!r} must begin with https://.")


def _checked(uri: str) -> SplitResult:
    if len(uri) > MAX_LENGTH or not _VISIBLE.fullmatch(uri):
        raise AddressRefusedError(
            f"An address has at most {MAX_LENGTH} visible ASCII characters, none of them a backslash."
        )
    try:
        parts = urlsplit(uri)
        # Reading it is what checks it.
        _ = parts.port
    except ValueError as error:
        raise AddressRefusedError(f"{uri!r} is no address.") from error
    if not parts.hostname or "*" in parts.netloc:
        raise AddressRefusedError(f"{uri!r} must name one host; there are no wildcards.")
    if "@" in parts.netloc or "#" in uri:
        raise AddressRefusedError(f"{uri!r} must carry neither credentials nor a fragment.")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
