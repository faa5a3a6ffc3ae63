"""npm's oidc-provider as a real OpenID provider: installed into one folder, kept between runs, on 127.0.0.1.

It speaks TLS with a certificate of its own, because nothing here asks a provider without.
"""

import ipaddress
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.server import ROOT, free_port

FOLDER = ROOT / "var" / "idp" / "oidc-provider"
SCRIPT = Path(__file__).with_suffix(".mjs")
VERSION = "9.13.3"
START_SECONDS = 20.0


@dataclass
class OidcProvider:
    """A running provider; `trust` is what believes its certificate."""

    issuer: str
    certificate: Path

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def register(self, connection: dict[str, Any]) -> dict[str, str]:
        """Register a connection as it shows itself; answers the client's id and secret."""
        body = {
            "redirect_uris": [connection["callback_url"]],
            "post_logout_redirect_uris": [connection["post_logout_redirect_uri"]],
            "backchannel_logout_uri": connection["backchannel_logout_url"],
            "backchannel_logout_session_required": True,
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
        }
        with httpx2.Client(verify=self.trust) as http:
            response = http.post(f"{self.issuer}/reg", json=body)
        assert response.status_code == 201, response.text
        made = response.json()
        return {name: made[name] for name in ("client_id", "client_secret")}


@contextmanager
def running(*, conform: bool) -> Iterator[OidcProvider]:
    """`conform` keeps the address out of ID tokens, as the letter of the specification has it."""
    _install()
    certificate = FOLDER / "tls.pem"
    certificate.write_bytes(_certificate())
    script = FOLDER / SCRIPT.name
    shutil.copy(SCRIPT, script)
    made = OidcProvider(f"https://127.0.0.1:{free_port()}", certificate)
    log = FOLDER / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["node", script, made.issuer, certificate, "conform" if conform else "generous"],
            cwd=FOLDER,
            stdout=output,
            stderr=output,
        )
        try:
            _wait(made, process)
            yield made
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)


def _install() -> None:
    if (FOLDER / "node_modules/oidc-provider/package.json").exists():
        return
    if shutil.which("npm") is None:
        raise RuntimeError("node and npm are needed for the real OpenID provider.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "package.json").write_text('{"type": "module", "private": true}')
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", f"oidc-provider@{VERSION}"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"npm could not install oidc-provider: {done.stderr[-500:]}")


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _wait(provider: OidcProvider, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx2.Client(verify=provider.trust) as http:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                http.get(f"{provider.issuer}/.well-known/openid-configuration").raise_for_status()
            except httpx2.HTTPError:
                time.sleep(0.1)
            else:
                return
    raise RuntimeError(f"oidc-provider did not start; its log is {FOLDER / 'log'}.")
