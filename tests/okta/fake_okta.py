"""Okta's management API as far as the set-up script uses it, over real HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

TOKEN = "okta-access-token"


class FakeOkta:
    """What stands in the org, the scopes asked for, and each write in order."""

    def __init__(self, certificate_pem: str) -> None:
        self.certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        self.url = ""
        self.apps: dict[str, dict[str, Any]] = {}
        self.groups = {"Usher users": "00g1", "usher-engineering": "00g2"}
        self.assigned: list[str] = []
        self.pushed: list[str] = []
        self.scopes: list[str] = []
        self.writes: list[str] = []

    def answer(  # noqa: C901, PLR0911 - one line for each endpoint
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> Any:
        if method != "GET":
            self.writes.append(f"{method} {path}")
        match [method, *path.removeprefix("/api/v1/").split("/")]:
            case ["GET", "apps"]:
                return list(self.apps.values())
            case ["POST", "apps"]:
                signing = {"credentials": {**body["credentials"], "signing": {"kid": "kid1"}}}
                self.apps["0oa1"] = {**body, **signing, "id": "0oa1", "status": "ACTIVE", "features": []}
                return self.apps["0oa1"]
            case ["PUT", "apps", id_]:
                assert not {"id", "_links", "status"} & body.keys()
                self.apps[id_] = {**body, "id": id_, "status": "ACTIVE"}
                return self.apps[id_]
            case ["GET", "groups"]:
                # Okta's q finds by beginning; the second page shows that pages are followed.
                return [{"id": id_, "profile": {"name": name}} for name, id_ in self.groups.items()]
            case ["GET", "apps", _, "groups"]:
                return [{"id": id_} for id_ in self.assigned]
            case ["PUT", "apps", _, "groups", group_id]:
                self.assigned.append(group_id)
                return {"id": group_id}
            case ["GET", "apps", _, "group-push", "mappings"]:
                return [{"sourceGroupId": id_} for id_ in self.pushed]
            case ["POST", "apps", _, "group-push", "mappings"]:
                self.pushed.append(body["sourceGroupId"])
                return {"id": "gpm1"}
            case ["GET", "apps", _, "sso", "saml", "metadata"]:
                return f'<EntityDescriptor entityID="http://www.okta.com/exk1{query["kid"][0]}"/>'
        raise AssertionError(f"{method} {path} is not what the script may use")

    def grant(self, form: dict[str, list[str]]) -> None:
        """Check the private_key_jwt as Okta does."""
        head, claims, signature = form["client_assertion"][0].split(".")
        signed = base64.urlsafe_b64decode(signature + "==")
        key: Any = self.certificate.public_key()
        key.verify(signed, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        told = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert (told["iss"], told["sub"], told["aud"]) == (
            "0oaservice",
            "0oaservice",
            f"{self.url}/oauth2/v1/token",
        )
        self.scopes = form["scope"][0].split()


@contextmanager
def serving(fake: FakeOkta) -> Iterator[FakeOkta]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if parts.path == "/oauth2/v1/token":
                fake.grant(parse_qs(data.decode()))
                self._send(200, {"access_token": TOKEN})
            elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._send(401, {"errorSummary": "Invalid token provided"})
            else:
                found = fake.answer(self.command, parts.path, query, json.loads(data) if data else None)
                self._send_page(parts.path, query, found)

        def _send_page(self, path: str, query: dict[str, list[str]], found: Any) -> None:
            """Lists come one entry a page."""
            if not isinstance(found, list):
                self._send(200, found)
                return
            at = int(query.get("after", ["0"])[0])
            more = at + 1 < len(found)
            link = f'<{fake.url}{path}?after={at + 1}>; rel="next"' if more else ""
            self._send(200, found[at : at + 1], link)

        def _send(self, status: int, body: Any, link: str = "") -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if link:
                self.send_header("Link", link)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
