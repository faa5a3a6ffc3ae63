"""The two cookies of signing in: which session this is, and which browser.

Their names say `__Host-`, so no other host can set them, except on this machine over plain http, where
browsers would not keep such a cookie.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Response, request

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
SESSION, BROWSER = "usher_session", "usher_browser"


@dataclass(frozen=True, slots=True)
class Cookies:
    base_url: str

    @property
    def _is_plain(self) -> bool:
        parts = urlsplit(self.base_url)
        return parts.scheme == "http" and parts.hostname in _LOOPBACK

    def _name(self, name: str) -> str:
        return name if self._is_plain else f"__Host-{name}"

    def read(self, name: str) -> str | None:
        return request.cookies.get(self._name(name))

    def give(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            self._name(name), value, path="/", secure=not self._is_plain, httponly=True, samesite="Lax"
        )

    def take(self, response: Response, name: str) -> None:
        response.delete_cookie(
            self._name(name), path="/", secure=not self._is_plain, httponly=True, samesite="Lax"
        )
