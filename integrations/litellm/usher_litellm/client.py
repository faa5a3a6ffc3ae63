"""Usher's three calls over HTTP, with nothing but the standard library. Safe to use by many threads."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

ROOT = "/api/v1"
# A first failure is mostly an idle connection that the other side closed.
PAUSES_SECONDS = (0.0, 0.2, 1.0)
# Usher asks to come again; the same request is then as good as a new one.
_AGAIN = (429, 502, 503, 504)
_SERVER_ERROR = 500

Send = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes]]


class UnreachableError(Exception):
    """Usher gave no answer, or none that says anything about the request."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any]


class Client:
    """Every request may be repeated: each has an `Idempotency-Key` or changes nothing the second time."""

    def __init__(self, key: str, send: Send, sleep: Callable[[float], None] = time.sleep) -> None:
        self._key = key
        self._send = send
        self._sleep = sleep

    def post(self, path: str, body: Any, idempotency_key: str | None = None) -> Answer:
        """Raises `UnreachableError` when the last attempt, too, has no answer."""
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        data = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        problem = ""
        for pause in PAUSES_SECONDS:
            if problem:
                self._sleep(pause)
            try:
                status, text = self._send("POST", ROOT + path, headers, data)
                if status not in _AGAIN and status < _SERVER_ERROR:
                    return Answer(status, _object(text))
                problem = f"status {status}"
            except (OSError, HTTPException, ValueError) as error:
                problem = repr(error)
        raise UnreachableError(f"Usher does not answer: {problem}")


class Wire:
    """HTTP/1.1 with one kept connection for each thread."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._parts = urlsplit(url)
        self._timeout_seconds = timeout_seconds
        self._kept = threading.local()

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        connection: HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is None:
            connection = self._kept.connection = self._connect()
        try:
            connection.request(method, self._parts.path + path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException):
            connection.close()
            self._kept.connection = None
            raise

    def _connect(self) -> HTTPConnection:
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout_seconds)


def _object(text: bytes) -> Mapping[str, Any]:
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 - what came is wrong, not its type
    return body
