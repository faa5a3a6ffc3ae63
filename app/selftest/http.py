"""One HTTP request at a time, and how long it took. Knows nothing of SCIM but its media type."""

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from app.core.errors import UnavailableError

TIMEOUT_SECONDS = 60.0
# A real identity provider waits as long as it is told and tries again; so does this one.
MOST_WAITS = 5
TOO_MANY_REQUESTS = 429

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is null when there is none, and the text itself when it is no JSON."""

    status: int
    body: Any
    milliseconds: float


class Service:
    """The SCIM root of a running service, such as `https://usher.example.com/scim/v2`."""

    def __init__(self, root: str, user_agent: str, sleep: Sleep = time.sleep) -> None:
        self._root = urlsplit(root)
        self._user_agent = user_agent
        self._sleep = sleep
        self.url = root

    def request(self, method: str, path: str, body: Any, *, authorization: str, content_type: str) -> Answer:
        """Send one request; after a 429 wait as told and send it again.

        Raises `UnavailableError` when nobody answers.
        """
        headers = {
            "Authorization": authorization,
            "Accept": "application/scim+json, application/json",
            "User-Agent": self._user_agent,
        }
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = content_type
        for _ in range(MOST_WAITS):
            answer, seconds = self._send(method, path, data, headers)
            if answer.status != TOO_MANY_REQUESTS:
                break
            self._sleep(seconds)
        return answer

    def _send(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[Answer, float]:
        connection = self._connection()
        started = time.perf_counter()
        try:
            connection.request(method, self._root.path + path, data, headers)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, HTTPException, UnicodeDecodeError) as error:
            raise UnavailableError(
                f"{self.url} does not answer ({error}). Start the service with usher serve, "
                "or name its address with --base-url or USHER_BASE_URL."
            ) from error
        finally:
            connection.close()
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        seconds = response.headers.get("Retry-After", "1")
        return Answer(response.status, _read(text), milliseconds), float(
            seconds if seconds.isdecimal() else 1
        )

    def _connection(self) -> HTTPConnection:
        host, port = self._root.hostname or "", self._root.port
        if self._root.scheme == "https":
            context = ssl.create_default_context()
            return HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
        return HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


def _read(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
