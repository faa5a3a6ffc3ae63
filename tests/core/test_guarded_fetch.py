"""The guarded fetch against a real server on this machine, with the check of addresses put in its place."""

import contextlib
import ipaddress
import itertools
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.guarded_fetch import DEADLINE_SECONDS, MAX_BYTES, FetchRefusedError, GuardedFetch, is_public

HOST = "idp.example"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        port = cast("ThreadingHTTPServer", self.server).server_port
        redirects = {
            "/moved": "/metadata",
            "/elsewhere": "https://other.example/metadata",
            "/plain": f"http://{HOST}:{port}/metadata",
            "/inside": f"https://127.0.0.1:{port}/metadata",
            "/loop": "/loop",
            "/nowhere": "https://[",
        }
        if self.path == "/dripping":
            with contextlib.suppress(OSError):
                for _ in range(1_000):
                    self.wfile.write(b"H")
            return
        body = {"/metadata": b"<metadata/>", "/large": b"x" * (MAX_BYTES + 1)}.get(
            self.path.partition("?")[0]
        )
        if self.path in redirects:
            self.send_response(302)
            self.send_header("Location", redirects[self.path])
            self.send_header("Content-Length", "0")
        elif body is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
        else:
            self.send_response(200)
            self.send_header("X-Host", self.headers["Host"])
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body or b"")

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        status = {"/moved": 302, "/refused": 400}.get(self.path, 200)
        body = b"x" * (MAX_BYTES + 1) if self.path == "/large" else sent + self.headers["X-Sent"].encode()
        self.send_response(status)
        self.send_header("Location", "/metadata")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key for `HOST`, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "idp.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.fixture(scope="module")
def root(certificate: Path) -> Iterator[str]:
    """The server's address under its name, which only the injected resolver knows."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://{HOST}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetcher(certificate: Path, **replaced: Any) -> GuardedFetch:
    options: dict[str, Any] = {
        "resolve": lambda _host, _port: ["127.0.0.1"],
        "is_allowed": lambda address: address == "127.0.0.1",
        "tls": ssl.create_default_context(cafile=str(certificate)),
    }
    return GuardedFetch(**{**options, **replaced})


def test_a_document_is_read_from_the_checked_address_under_its_name(root: str, certificate: Path) -> None:
    asked = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    assert fetcher(certificate, resolve=resolve).read(f"{root}/metadata?appid=1") == b"<metadata/>"
    assert asked == [HOST]


def test_a_redirect_on_the_same_host_is_followed(root: str, certificate: Path) -> None:
    assert fetcher(certificate).read(f"{root}/moved") == b"<metadata/>"


def test_none_is_followed_where_none_is_allowed(root: str, certificate: Path) -> None:
    with pytest.raises(FetchRefusedError, match="more than 0 times"):
        fetcher(certificate).read(f"{root}/moved", max_redirects=0)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/elsewhere", "another host"),
        ("/inside", "another host"),
        ("/plain", "https"),
        ("/nowhere", "no address"),
        ("/loop", "more than 3 times"),
        ("/missing", "status 404"),
        ("/large", "larger than"),
    ],
)
def test_what_leads_astray_is_refused_with_its_reason(
    root: str, certificate: Path, path: str, reason: str
) -> None:
    with pytest.raises(FetchRefusedError, match=reason):
        fetcher(certificate).read(root + path)


def test_a_certificate_of_another_name_is_refused(root: str, certificate: Path) -> None:
    with pytest.raises(FetchRefusedError, match="cannot be read"):
        fetcher(certificate).read(root.replace(HOST, "other.example") + "/metadata")


def test_a_certificate_that_nobody_trusts_is_refused(root: str, certificate: Path) -> None:
    with pytest.raises(FetchRefusedError, match="cannot be read"):
        fetcher(certificate, tls=ssl.create_default_context()).read(f"{root}/metadata")


def test_one_private_address_among_several_is_enough_to_refuse(root: str, certificate: Path) -> None:
    both = fetcher(certificate, resolve=lambda *_: ["127.0.0.1", "10.0.0.1"])
    with pytest.raises(FetchRefusedError, match="public internet"):
        both.read(f"{root}/metadata")


def test_an_answer_that_takes_too_long_is_given_up(root: str, certificate: Path) -> None:
    moments = iter([0.0, 0.0, *[DEADLINE_SECONDS + 1] * 10])
    with pytest.raises(FetchRefusedError, match="within 5 seconds"):
        fetcher(certificate, ticks=lambda: next(moments)).read(f"{root}/metadata")


@pytest.mark.parametrize(("path", "status"), [("/token", 200), ("/refused", 400)])
def test_what_is_sent_arrives_and_any_status_is_an_answer(
    root: str, certificate: Path, path: str, status: int
) -> None:
    answered = fetcher(certificate).send("POST", root + path, headers={"X-Sent": "!"}, body=b"code")
    assert (answered.status, answered.body, answered.location) == (status, b"code!", None)


@pytest.mark.parametrize(("path", "reason"), [("/moved", "not followed"), ("/large", "larger than")])
def test_what_carries_a_secret_follows_no_redirect_and_has_its_limits(
    root: str, certificate: Path, path: str, reason: str
) -> None:
    with pytest.raises(FetchRefusedError, match=reason):
        fetcher(certificate).send("POST", root + path, headers={"X-Sent": ""}, body=b"secret")


def test_nothing_is_sent_to_an_address_that_is_not_public(root: str, certificate: Path) -> None:
    inside = fetcher(certificate, is_allowed=is_public)
    with pytest.raises(FetchRefusedError, match="public internet"):
        inside.send("POST", f"{root}/token", headers={}, body=b"secret")


def test_an_answer_that_comes_byte_by_byte_is_given_up_as_well(root: str, certificate: Path) -> None:
    seconds = itertools.count()
    with pytest.raises(FetchRefusedError, match="within 5 seconds"):
        fetcher(certificate, ticks=lambda: float(next(seconds))).read(f"{root}/dripping")


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/metadata",
        "file:///etc/passwd",
        "ftp://idp.example/x",
        "https://user:secret@idp.example/",
        "https:///metadata",
        "https://idp.example:port/",
        "https://[::1/",
        "https://idp.example/\r\nHost: other",
        "https://ïdp.example/",
        "//idp.example/metadata",
        "",
        "https://idp.example/" + "x" * 3_000,
    ],
)
def test_an_address_of_another_kind_is_refused_before_anything_is_resolved(url: str) -> None:
    def resolve(*_: object) -> list[str]:
        raise AssertionError("resolved")

    with pytest.raises(FetchRefusedError):
        GuardedFetch(resolve=resolve).read(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_what_is_not_on_the_public_internet_is_not_reached(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_reached(address: str) -> None:
    assert ipaddress.ip_address(address)
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "127.1"])
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(FetchRefusedError, match="public internet"):
        GuardedFetch().read(f"https://{host}/metadata")
