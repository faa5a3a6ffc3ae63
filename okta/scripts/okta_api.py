"""Okta's management API as the set-up needs it: a service app's token, paged lists, writes.

The private key signs one assertion and is never printed, and neither is the token. Needs the packages
cryptography and urllib3, and nothing of Usher.
"""

import base64
import json
import re
import time
import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300
TIMEOUT_SECONDS = 30.0
OK = range(200, 300)


class OktaError(Exception):
    """What Okta refused, in one sentence without a secret."""


class Okta:
    def __init__(self, org_url: str, client_id: str, private_key_pem: bytes, scopes: list[str]) -> None:
        self._url = org_url.rstrip("/")
        self._http = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)
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
            if url and urlsplit(url).netloc != urlsplit(self._url).netloc:
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
        return _checked(
            self._http.request(method, url, body=data, headers=headers), f"{method} {urlsplit(url).path}"
        )

    def _token(self, client_id: str, private_key_pem: bytes, scopes: list[str]) -> str:
        address = f"{self._url}/oauth2/v1/token"
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(scopes),
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": _assertion(client_id, address, private_key_pem),
        }
        response = self._http.request(
            "POST",
            address,
            body=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        )
        return str(_checked(response, "The token request").json()["access_token"])


def _checked(response: urllib3.BaseHTTPResponse, what: str) -> urllib3.BaseHTTPResponse:
    if response.status not in OK:
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        told = answer.get("errorSummary") or answer.get("error_description") or "no reason given"
        raise OktaError(f"{what} was answered {response.status}: {told}")
    return response


def _assertion(client_id: str, audience: str, private_key_pem: bytes) -> str:
    """A private_key_jwt (RFC 7523), RS256."""
    key = serialization.load_pem_private_key(private_key_pem, password=None)
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
