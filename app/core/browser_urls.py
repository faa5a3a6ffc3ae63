"""Addresses of others that a browser may be sent to; pure."""

from urllib.parse import urlsplit

from app.core.errors import UnprocessableError

MAX_URL_CHARACTERS = 2_048


class UrlRefusedError(UnprocessableError):
    """`code` says what is wrong: `url_malformed`, `url_scheme_refused` or `url_not_https`."""


def check_browser_url(url: str, *, allow_http: bool) -> str:
    """The address as it was given; raises `UrlRefusedError`. `allow_http` is for development only."""
    # Browsers drop line breaks and tabs within a scheme, so they are looked for first.
    if not url.isascii() or any(sign <= " " or sign in '\\"<>^`{|}\x7f' for sign in url):
        raise UrlRefusedError(f"The URL has signs that no URL has: {url[:200]!r}.", code="url_malformed")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UrlRefusedError(f"This is no URL: {url[:200]!r}.", code="url_malformed") from None
    if parts.scheme not in ("https", "http"):
        raise UrlRefusedError(
            f"A URL must begin with https://, but one is {url[:200]!r}.", code="url_scheme_refused"
        )
    if parts.scheme == "http" and not allow_http:
        raise UrlRefusedError(
            f"A URL must begin with https:// outside development: {url[:200]!r}.", code="url_not_https"
        )
    if not host or "@" in parts.netloc or "#" in url or len(url) > MAX_URL_CHARACTERS:
        raise UrlRefusedError(
            f"A URL needs a host, no credentials, no fragment, and at most {MAX_URL_CHARACTERS} signs:"
            f" {url[:200]!r}.",
            code="url_malformed",
        )
    return url
