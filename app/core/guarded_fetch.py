"""Asks an address that a customer typed, so that it reaches nothing of ours.

Only https; the name is resolved first, every address must be public, and the connection goes to the very
address that was checked, so that a second answer of DNS changes nothing. Redirects are followed on the
same host only, and by a request that carries something never. It must not know what is asked or answered.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from urllib3 import BaseHTTPResponse, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from app.core.errors import UnprocessableError

MAX_BYTES = 1_048_576
DEADLINE_SECONDS = 5.0
MAX_REDIRECTS = 3
MAX_URL_LENGTH = 2_048
HTTPS_PORT = 443
_CHUNK = 65_536
_REDIRECTS = (301, 302, 303, 307, 308)
_OK = 200


class FetchRefusedError(UnprocessableError):
    """The address cannot be read; the text may be shown to whoever typed it."""

    code = "fetch_refused"


@dataclass(frozen=True, slots=True)
class Answered:
    """What an address said; `location` is where it redirects to, and then there is no body."""

    status: int
    body: bytes
    location: str | None = None


def system_addresses(host: str, port: int) -> Sequence[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        # An address that carries another one in it reaches what that one reaches.
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None and not inner.is_global:
            return False
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


class GuardedFetch:
    """Tests replace how names are resolved, which addresses are allowed, and whom TLS trusts."""

    def __init__(
        self,
        *,
        resolve: Callable[[str, int], Sequence[str]] = system_addresses,
        is_allowed: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._tls = tls
        self._ticks = ticks

    def read(self, url: str, *, max_redirects: int = MAX_REDIRECTS) -> bytes:
        """The body at `url`, at most `MAX_BYTES`; raises `FetchRefusedError` with the reason."""
        ends_at = self._ticks() + DEADLINE_SECONDS
        host = _host_and_port(url)
        for _ in range(1 + max_redirects):
            if _host_and_port(url) != host:
                raise FetchRefusedError("The address redirects to another host; give the final address.")
            answered = self._visit("GET", url, ends_at)
            if answered.location is not None:
                url = _joined(url, answered.location)
            elif answered.status != _OK:
                raise FetchRefusedError(f"The address answers with status {answered.status}.")
            else:
                return answered.body
        raise FetchRefusedError(f"The address redirects more than {max_redirects} times.")

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answered:
        """One request that carries something, so no redirect is followed; any other status is an answer."""
        ends_at = self._ticks() + DEADLINE_SECONDS
        answered = self._visit(method, url, ends_at, headers=headers, body=body)
        if answered.location is not None:
            raise FetchRefusedError("The address redirects, which is not followed; give the final address.")
        return answered

    def _visit(
        self,
        method: str,
        url: str,
        ends_at: float,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answered:
        host, port = _host_and_port(url)
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        pool = HTTPSConnectionPool(
            self._checked_address(host, port),
            port,
            # The name, not the address, is what the certificate must be good for.
            server_hostname=host,
            assert_hostname=host,
            ssl_context=self._bounded_tls(ends_at),
            timeout=Timeout(total=self._left(ends_at)),
            retries=False,
            maxsize=1,
        )
        own = {"Host": host if port == HTTPS_PORT else f"{host}:{port}", "Accept-Encoding": "identity"}
        try:
            with (
                pool,
                pool.urlopen(
                    method,
                    target,
                    body=body,
                    headers={**(headers or {}), **own},
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                ) as response,
            ):
                if response.status in _REDIRECTS:
                    return Answered(response.status, b"", str(response.headers.get("Location", "")))
                return Answered(response.status, self._body(response, ends_at))
        except (HTTPError, OSError) as error:
            raise FetchRefusedError(f"The address cannot be read: {type(error).__name__}.") from error

    def _body(self, response: BaseHTTPResponse, ends_at: float) -> bytes:
        body = bytearray()
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > MAX_BYTES:
                raise FetchRefusedError(f"The document is larger than {MAX_BYTES} bytes.")
            self._left(ends_at)
        return bytes(body)

    def _checked_address(self, host: str, port: int) -> str:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchRefusedError(f"The host {host} cannot be found.") from error
        # One that is not public among several is enough to mistrust the name.
        if not addresses or not all(self._is_allowed(address) for address in addresses):
            raise FetchRefusedError(f"The host {host} is not on the public internet.")
        return addresses[0]

    def _bounded_tls(self, ends_at: float) -> ssl.SSLContext:
        """Gives up at the deadline also while bytes come in one by one, each within its own timeout."""
        fetch = self

        class BoundedSocket(ssl.SSLSocket):
            def recv_into(self, *arguments: Any, **options: Any) -> int:
                self.settimeout(fetch._left(ends_at))
                return super().recv_into(*arguments, **options)

        context = self._tls or ssl.create_default_context()
        context.sslsocket_class = BoundedSocket
        return context

    def _left(self, ends_at: float) -> float:
        left = ends_at - self._ticks()
        if left <= 0:
            raise FetchRefusedError(f"The address did not answer within {DEADLINE_SECONDS:g} seconds.")
        return left


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchRefusedError("The address redirects to what is no address.") from error


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or not host:
        raise FetchRefusedError("That is no complete address; give one like https://idp.example/metadata.")
    if parts.scheme != "https" or parts.username is not None:
        raise FetchRefusedError("The address must begin with https:// and carry no credentials.")
    return host, port or HTTPS_PORT
