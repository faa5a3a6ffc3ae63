"""Okta's management API as the set-up needs it: a service app's token, paged lists, writes.

The private key signs one assertion; neither it nor the assertion nor the token is ever printed, not even when
an answer of Okta repeats it. Needs the packages cryptography and urllib3, and nothing of Usher.
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300
TIMEOUT_SECONDS = 30.0
TRIES = 4
# Okta's limits are counted by the minute.
LONGEST_WAIT_SECONDS = 65
OK = range(200, 300)
LOCAL = ("127.0.0.1", "localhost")

Pause = Callable[[float], None]
Headers = dict[str, str]


class OktaError(Exception):
    """What Okta refused, in one sentence without a secret."""


class Okta:
    """Each call is repeated when Okta is busy, if doing it twice does no harm."""

    def __init__(
        self, org_url: str, client_id: str, private_key_pem: bytes, scopes: list[str], pause: Pause
    ) -> None:
        self._url = _checked_url(org_url)
        self._pause = pause
        self._http = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)
        self._secrets: list[str] = []
        self._authorization = f"Bearer {self._token(client_id, private_key_pem, scopes)}"

    def all(self, path: str, **query: Any) -> list[Any]:
        """Each entry of a list, page after page."""
        url = f"{self._url}{path}?{urlencode(query)}"
        found: list[Any] = []
        while url:
            response = self._send("GET", url)
            found += response.json()
            links = ", ".join(response.headers.getlist("Link"))
            following = re.search(r'<([^>]+)>; rel="next"', links)
            url = following[1] if following else ""
            if url and urlsplit(url)[:2] != urlsplit(self._url)[:2]:
                raise OktaError("Okta's next page is at another host; nothing was sent there.")
        return found

    def text(self, path: str) -> str:
        return self._send("GET", self._url + path, accept="application/xml").data.decode()

    def write(self, method: str, path: str, body: Any) -> Any:
        return self._send(method, self._url + path, body).json()

    def _send(
        self, method: str, url: str, body: Any = None, accept: str = "application/json"
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": self._authorization, "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body)
        # A POST may have been done although its answer was lost; the next run finds what it made.
        return self._request(method, url, data, headers, is_repeatable=method != "POST")

    def _token(self, client_id: str, private_key_pem: bytes, scopes: list[str]) -> str:
        address = f"{self._url}/oauth2/v1/token"
        assertion = _assertion(client_id, address, private_key_pem)
        self._secrets.append(assertion)
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(scopes),
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        response = self._request("POST", address, urlencode(form), headers, is_repeatable=False)
        token = str(response.json()["access_token"])
        self._secrets.append(token)
        return token

    def _request(
        self, method: str, url: str, data: str | None, headers: Headers, *, is_repeatable: bool
    ) -> urllib3.BaseHTTPResponse:
        what = f"{method} {urlsplit(url).path}"
        for tries_left in reversed(range(TRIES)):
            wait_seconds = float(2 ** (TRIES - 1 - tries_left))
            try:
                response = self._http.request(method, url, body=data, headers=headers)
            except urllib3.exceptions.HTTPError as error:
                if not (is_repeatable and tries_left):
                    raise OktaError(f"{what} had no answer ({type(error).__name__}).") from None
            else:
                is_limited = response.status == HTTPStatus.TOO_MANY_REQUESTS
                is_busy = is_repeatable and response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
                if not (tries_left and (is_limited or is_busy)):
                    return self._checked(response, what)
                wait_seconds = _until_reset(response, wait_seconds) if is_limited else wait_seconds
            self._pause(wait_seconds)
        raise AssertionError("The last try answers or raises.")

    def _checked(self, response: urllib3.BaseHTTPResponse, what: str) -> urllib3.BaseHTTPResponse:
        if response.status in OK:
            return response
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        told = str(answer.get("errorSummary") or answer.get("error_description") or "no reason given")
        causes = answer.get("errorCauses") or []
        told = " ".join([told, *(str(cause.get("errorSummary", "")) for cause in causes)])
        for secret in self._secrets:
            told = told.replace(secret, "[secret]")
        raise OktaError(f"{what} was answered {response.status}: {told}")


def _checked_url(org_url: str) -> str:
    parts = urlsplit(org_url)
    host = parts.hostname or ""
    if parts.scheme != "https" and host not in LOCAL:
        raise OktaError("--okta-url begins with https://, as in https://acme.okta.com.")
    if host.partition(".")[0].endswith("-admin"):
        raise OktaError("--okta-url is the address without -admin, as in https://acme.okta.com.")
    return f"{parts.scheme}://{parts.netloc}"


def _until_reset(response: urllib3.BaseHTTPResponse, otherwise_seconds: float) -> float:
    """Seconds until Okta counts anew, by Okta's own clock."""
    reset = response.headers.get("X-Rate-Limit-Reset", "")
    date = response.headers.get("Date")
    if not reset.isdecimal():
        return otherwise_seconds
    now = parsedate_to_datetime(date).timestamp() if date else time.time()
    return min(max(int(reset) - now, 0) + 1, LONGEST_WAIT_SECONDS)


def _assertion(client_id: str, audience: str, private_key_pem: bytes) -> str:
    """A private_key_jwt (RFC 7523), RS256."""
    try:
        key = serialization.load_pem_private_key(private_key_pem, password=None)
    except (ValueError, TypeError):
        raise OktaError("The key file holds no unencrypted private key in PEM form.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OktaError("The service app's key must be an RSA key.")
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
        "jti": str(uuid.uuid4()),
    }
    parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    signature = key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
    return ".".join([*parts, _base64(signature)])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
