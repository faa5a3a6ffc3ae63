"""SimpleSAMLphp as a real identity provider: Debian's packages, unpacked and not installed.

PHP's own server runs it on 127.0.0.1. Everything lies in one folder that is kept between runs; apt-get
is the only thing asked of the system, and only the first time.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.saml_idp import KeyPair
from tests.support.server import ROOT, free_port

FOLDER = ROOT / "var" / "idp"
# What the packages depend on beside these is Apache, which is not needed, or part of every Debian.
PACKAGES = (
    "simplesamlphp",
    "php8.2-cli",
    "php8.2-common",
    "php8.2-xml",
    "php8.2-mbstring",
    "php8.2-sqlite3",
    "php8.2-curl",
)
EXTENSIONS = (
    *("ctype", "tokenizer", "dom", "mbstring", "posix", "simplexml", "xml", "xmlwriter", "xmlreader"),
    *("iconv", "fileinfo", "curl", "pdo", "sqlite3"),
)
START_SECONDS = 20.0

# Everything else has a default in the code.
_CONFIG = """<?php
$config = [
    'baseurlpath' => '{url}/',
    'certdir' => '{work}/cert/',
    'loggingdir' => '{work}/log/',
    'datadir' => '{work}/data/',
    'tempdir' => '{work}/tmp/',
    'metadatadir' => '{work}/metadata/',
    'attributenamemapdir' => '{root}/etc/simplesamlphp/attributemap/',
    'secretsalt' => 'not-a-secret-of-anybody',
    'auth.adminpassword' => 'not-a-secret-either',
    'logging.handler' => 'file',
    'enable.saml20-idp' => true,
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'admin.checkforupdates' => false,
    'trusted.url.domains' => null,
    'statistics.out' => [],
    'authproc.idp' => [],
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'metadata.sources' => [['type' => 'flatfile']],
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => '{work}/tmp',
    'session.phpsession.cookiename' => 'SimpleSAML',
    'language.available' => ['en'],
    'language.default' => 'en',
    'timezone' => 'UTC',
];
"""
_SOURCES = """<?php
$config = ['people' => ['exampleauth:UserPass', {people}]];
"""
_HOSTED = """<?php
$metadata['{entity_id}'] = [
    'host' => '__DEFAULT__',
    'privatekey' => '{key}.key',
    'certificate' => '{key}.crt',
    'auth' => 'people',
    'validate.authnrequest' => true,
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
    'simplesaml.nameidattribute' => 'email',
    'authproc' => [3 => [
        'class' => 'saml:AttributeNameID',
        'attribute' => 'email',
        'Format' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
    ]],
    {next}
];
"""
_KEY = (
    "['type' => 'X509Certificate', 'signing' => true, 'encryption' => true,"
    " 'X509Certificate' => '{certificate}']"
)
_REMOTE = """<?php
$metadata['{entity_id}'] = [
    'AssertionConsumerService' => '{acs}',
    'SingleLogoutService' => '{slo}',
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
    'simplesaml.nameidattribute' => 'email',
    'keys' => [{keys}],
    'assertion.encryption' => {encrypted},
    'sharedkey_algorithm' => 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
    'saml20.sign.assertion' => true,
    'saml20.sign.response' => true,
    'validate.authnrequest' => true,
    'validate.logout' => true,
    'sign.logout' => true,
];
"""


@dataclass
class SimpleSamlPhp:
    """A running identity provider. `trust` tells it of us; `use_key` changes what it signs with."""

    url: str
    work: Path

    @property
    def entity_id(self) -> str:
        return f"{self.url}/saml2/idp/metadata.php"

    @property
    def sso_url(self) -> str:
        return f"{self.url}/saml2/idp/SSOService.php"

    @property
    def slo_url(self) -> str:
        return f"{self.url}/saml2/idp/SingleLogoutService.php"

    def metadata(self) -> str:
        with urlopen(self.entity_id, timeout=START_SECONDS) as response:
            text: str = response.read().decode()
        return text

    def store_key(self, name: str, pair: KeyPair) -> None:
        (self.work / "cert" / f"{name}.key").write_text(pair.private_pem)
        (self.work / "cert" / f"{name}.crt").write_text(pair.certificate_pem)

    def use_key(self, name: str, next_name: str | None = None) -> None:
        """Sign with one key, and publish the one that comes next beside it."""
        coming = (
            f"'new_privatekey' => '{next_name}.key', 'new_certificate' => '{next_name}.crt',"
            if next_name
            else ""
        )
        self._write("saml20-idp-hosted", _HOSTED.format(entity_id=self.entity_id, key=name, next=coming))

    def trust(
        self, entity_id: str, *, acs: str, slo: str, certificates: Sequence[str], encrypted: bool
    ) -> None:
        """Know us by these certificates, and encrypt for the first."""
        keys = ", ".join(_KEY.format(certificate="".join(pem.splitlines()[1:-1])) for pem in certificates)
        encrypt = "true" if encrypted else "false"
        self._write(
            "saml20-sp-remote",
            _REMOTE.format(entity_id=entity_id, acs=acs, slo=slo, keys=keys, encrypted=encrypt),
        )

    def _write(self, name: str, text: str) -> None:
        # Put in its place whole, because the server reads it at every request.
        path = self.work / "metadata" / f"{name}.php"
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(path)


@contextmanager
def running(people: Mapping[str, Mapping[str, list[str]]]) -> Iterator[SimpleSamlPhp]:
    """`people` are attributes by `name:password`."""
    root = _unpacked()
    work = FOLDER / "work"
    shutil.rmtree(work, ignore_errors=True)
    for name in ("config", "metadata", "cert", "log", "data", "tmp"):
        (work / name).mkdir(parents=True)
    port = free_port()
    idp = SimpleSamlPhp(f"http://127.0.0.1:{port}", work)
    (work / "config" / "config.php").write_text(_CONFIG.format(root=root, work=work, url=idp.url))
    (work / "config" / "authsources.php").write_text(_SOURCES.format(people=_php(people)))
    (work / "php.ini").write_text(_php_ini(root))
    with (work / "log" / "server").open("wb") as log:
        process = subprocess.Popen(
            [
                *(root / "usr/bin/php8.2", "-n", "-c", work / "php.ini"),
                *("-S", f"127.0.0.1:{port}", "-t", root / "usr/share/simplesamlphp/www"),
            ],
            env={"SIMPLESAMLPHP_CONFIG_DIR": str(work / "config"), "PATH": "/usr/bin:/bin"},
            cwd=root,
            stdout=log,
            stderr=log,
        )
        try:
            _wait(idp.url, process)
            yield idp
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)


def _unpacked() -> Path:
    root = FOLDER / "root"
    if (root / "usr/share/simplesamlphp/www").exists() and (root / "usr/bin/php8.2").exists():
        return root
    downloads = FOLDER / "packages"
    downloads.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        ["apt-get", "download", *PACKAGES], cwd=downloads, capture_output=True, text=True, check=False
    )
    if fetched.returncode != 0:
        raise RuntimeError(
            "The packages of Debian 12 are needed, and apt-get could not download them. "
            f"Run apt-get update first? It said: {fetched.stderr[-500:]}"
        )
    for package in downloads.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    return root


def _php_ini(root: Path) -> str:
    (folder,) = (path.parent for path in root.glob("usr/lib/php/*/dom.so"))
    lines = [
        f"extension_dir={folder}",
        "date.timezone=UTC",
        "display_errors=0",
        "error_reporting=E_ALL & ~E_DEPRECATED",
        "log_errors=1",
    ]
    return "\n".join([*lines, *(f"extension={name}.so" for name in EXTENSIONS), ""])


def _php(people: Mapping[str, Mapping[str, list[str]]]) -> str:
    def array(values: Mapping[str, list[str]]) -> str:
        pairs = (f"'{name}' => [{', '.join(repr(item) for item in items)}]" for name, items in values.items())
        return f"[{', '.join(pairs)}]"

    return ", ".join(f"'{login}' => {array(attributes)}" for login, attributes in people.items())


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urlopen(f"{url}/resources/default.css", timeout=1):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError("SimpleSAMLphp did not start; its log is in var/idp/work/log.")
