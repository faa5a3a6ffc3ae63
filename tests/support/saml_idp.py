"""A test identity provider on xmlsec and lxml: signs and encrypts responses of every shape, sound or odd.

It shares no code with the verifiers under test. Times are offsets in seconds from the scene's now.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from xmlsec import constants, template

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
NAMES = {"saml": SAML, "samlp": SAMLP, "ds": DS, "xenc": XENC}
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_PRIVATE_SIZES = {"rsa": 2048, "weak": 1024, "old": 2048}


@dataclass(frozen=True)
class KeyPair:
    private_pem: str
    certificate_pem: str

    @property
    def certificate_base64(self) -> str:
        return "".join(self.certificate_pem.splitlines()[1:-1])


@cache
def key_pair(name: str, kind: str = "rsa") -> KeyPair:
    """The key of that name in this process; kinds: `rsa`, `ec`, `weak` (1,024 bits), `old` (expired)."""
    private: Any = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "ec"
        else rsa.generate_private_key(public_exponent=65537, key_size=_PRIVATE_SIZES[kind])
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021 if kind == "old" else 2045, 1, 1, tzinfo=UTC))
        .sign(private, hashes.SHA256())
    )
    return KeyPair(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


def attributes_xml(attributes: Mapping[str, tuple[str, ...]]) -> str:
    def one(name: str, values: tuple[str, ...]) -> str:
        texts = "".join(f"<saml:AttributeValue>{escape(value)}</saml:AttributeValue>" for value in values)
        return f"<saml:Attribute Name={quoteattr(name)}>{texts}</saml:Attribute>"

    return "".join(one(name, values) for name, values in attributes.items())


def _attr(name: str, value: str | None) -> str:
    return "" if value is None else f" {name}={quoteattr(value)}"


@dataclass(frozen=True)
class Answer:
    """A response before it is signed; `None` leaves a part out, numbers are seconds from `now`."""

    now: datetime
    issuer: str
    acs_url: str
    sp_entity_id: str
    name_id: str = "anna@example.com"
    name_id_format: str | None = EMAIL_FORMAT
    name_id_attributes: str = ""
    response_issuer: str | None = "same"
    destination: str | None = "same"
    recipient: str | None = "same"
    audiences: tuple[tuple[str, ...], ...] | None = None
    in_response_to: str | None = "_request"
    response_in_response_to: str | None = "same"
    status: str = SUCCESS
    response_id: str = "_response"
    assertion_id: str = "_assertion"
    issued: float = 0
    not_before: float | None = -60
    not_on_or_after: float | None = 300
    confirmation_end: float | None = 300
    confirmation_start: float | None = None
    confirmation_method: str = BEARER
    authn: float = -5
    session_index: str | None = "_session"
    session_end: float | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"email": ("anna@example.com",), "groups": ("Sales", "Everyone")}
    )
    extra_conditions: str = ""
    extra_assertion: str = ""

    def at(self, seconds: float) -> str:
        return (self.now + timedelta(seconds=seconds)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[
            :-3
        ] + "Z"

    def _time(self, name: str, seconds: float | None) -> str:
        return "" if seconds is None else f' {name}="{self.at(seconds)}"'

    @property
    def _audience_xml(self) -> str:
        restrictions = ((self.sp_entity_id,),) if self.audiences is None else self.audiences
        return "".join(
            "<saml:AudienceRestriction>"
            + "".join(f"<saml:Audience>{escape(audience)}</saml:Audience>" for audience in restriction)
            + "</saml:AudienceRestriction>"
            for restriction in restrictions
        )

    @property
    def assertion_xml(self) -> str:
        recipient = self.acs_url if self.recipient == "same" else self.recipient
        statement = attributes_xml(self.attributes)
        return (
            f'<saml:Assertion xmlns:saml="{SAML}" ID={quoteattr(self.assertion_id)} Version="2.0"'
            f' IssueInstant="{self.at(self.issued)}"><saml:Issuer>{escape(self.issuer)}</saml:Issuer>'
            f"<saml:Subject><saml:NameID{_attr('Format', self.name_id_format)}{self.name_id_attributes}>"
            f"{escape(self.name_id)}</saml:NameID>"
            f"<saml:SubjectConfirmation Method={quoteattr(self.confirmation_method)}>"
            f"<saml:SubjectConfirmationData{_attr('InResponseTo', self.in_response_to)}"
            f"{self._time('NotOnOrAfter', self.confirmation_end)}"
            f"{self._time('NotBefore', self.confirmation_start)}{_attr('Recipient', recipient)}/>"
            "</saml:SubjectConfirmation></saml:Subject>"
            f"<saml:Conditions{self._time('NotBefore', self.not_before)}"
            f"{self._time('NotOnOrAfter', self.not_on_or_after)}>"
            f"{self._audience_xml}{self.extra_conditions}</saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{self.at(self.authn)}"'
            f"{_attr('SessionIndex', self.session_index)}"
            f"{self._time('SessionNotOnOrAfter', self.session_end)}>"
            "<saml:AuthnContext><saml:AuthnContextClassRef>"
            "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            + (f"<saml:AttributeStatement>{statement}</saml:AttributeStatement>" if statement else "")
            + f"{self.extra_assertion}</saml:Assertion>"
        )

    @property
    def xml(self) -> str:
        issuer = self.issuer if self.response_issuer == "same" else self.response_issuer
        destination = self.acs_url if self.destination == "same" else self.destination
        request = (
            self.in_response_to if self.response_in_response_to == "same" else self.response_in_response_to
        )
        return (
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID={quoteattr(self.response_id)}'
            f' Version="2.0" IssueInstant="{self.at(self.issued)}"{_attr("Destination", destination)}'
            f"{_attr('InResponseTo', request)}>"
            + (f"<saml:Issuer>{escape(issuer)}</saml:Issuer>" if issuer is not None else "")
            + f'<samlp:Status><samlp:StatusCode Value="{self.status}"/></samlp:Status>'
            f"{self.assertion_xml}</samlp:Response>"
        )


@dataclass(frozen=True)
class SignOptions:
    """How a Signature is made; the defaults are what the large identity providers do."""

    method: Any = constants.TransformRsaSha256
    digest: Any = constants.TransformSha256
    c14n: Any = constants.TransformExclC14N
    transforms: tuple[Any, ...] = (constants.TransformEnveloped, constants.TransformExclC14N)
    with_certificate: bool = True
    # Changes the template before it is signed: what it does is signed, too.
    edit: Callable[[Any], None] | None = None
    hmac_key: bytes | None = None


def parse(xml: str | bytes) -> Any:
    return etree.fromstring(xml.encode() if isinstance(xml, str) else xml)


def find(root: Any, path: str) -> Any:
    """The first element of an XPath; lxml's own search does not see what xmlsec made."""
    return root.xpath(path, namespaces=NAMES)[0]


def sign(root: Any, path: str, key: KeyPair, options: SignOptions | None = None) -> Any:
    """Sign the element at `path` (`/samlp:Response`, `//saml:Assertion`); answers the tree parsed anew."""
    options = options or SignOptions()
    element = find(root, path)
    signature = template.create(root, options.c14n, options.method, ns="ds")
    issuers = element.xpath("./saml:Issuer", namespaces=NAMES)
    element.insert(1 if issuers else 0, signature)
    reference = template.add_reference(signature, options.digest, uri="#" + element.get("ID"))
    for transform in options.transforms:
        template.add_transform(reference, transform)
    if options.with_certificate:
        template.add_x509_data(template.ensure_key_info(signature))
    if options.edit is not None:
        options.edit(signature)
    context = xmlsec.SignatureContext()
    if options.hmac_key is not None:
        context.key = xmlsec.Key.from_binary_data(constants.KeyDataHmac, options.hmac_key)
    else:
        context.key = xmlsec.Key.from_memory(key.private_pem, constants.KeyDataFormatPem)
        context.key.load_cert_from_memory(key.certificate_pem, constants.KeyDataFormatPem)
    xmlsec.tree.add_ids(root, ["ID"])
    context.sign(signature)
    return parse(etree.tostring(root))


def encrypt(
    root: Any,
    key: KeyPair,
    *,
    content: Any = constants.TransformAes256Cbc,
    transport: Any = constants.TransformRsaOaep,
) -> Any:
    """Replace the Assertion by one encrypted for the holder of `key`; answers the tree parsed anew."""
    assertion = find(root, "//saml:Assertion")
    wrapper = etree.SubElement(root, f"{{{SAML}}}EncryptedAssertion")
    root.replace(assertion, wrapper)
    data = template.encrypted_data_create(wrapper, content, type=f"{XENC}Element", ns="xenc")
    template.encrypted_data_ensure_cipher_value(data)
    info = template.encrypted_data_ensure_key_info(data, ns="ds")
    wrapped = template.add_encrypted_key(info, transport)
    template.encrypted_data_ensure_cipher_value(wrapped)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(key.certificate_pem, constants.KeyDataFormatCertPem))
    context = xmlsec.EncryptionContext(manager)
    bits = 128 if "128" in content.href else 192 if "192" in content.href else 256
    context.key = xmlsec.Key.generate(constants.KeyDataAes, bits, constants.KeyDataTypeSession)
    wrapper.append(assertion)
    data = context.encrypt_xml(data, assertion)
    for child in list(wrapper):
        if child is not data:
            wrapper.remove(child)
    return parse(etree.tostring(root))


def encode(xml: Any) -> str:
    """A tree, text or bytes as the `SAMLResponse` field."""
    data = etree.tostring(xml) if isinstance(xml, etree._Element) else xml
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


@dataclass(frozen=True)
class Scene:
    """One connection as the test identity provider sees it, and the login that is under way.

    `idp` signs for the connection, `stranger` is another tenant's identity provider, `sp_keys` are ours,
    newest first. The corpus builds against a scene, so it can be played at the pure verifier and, with the
    URLs and the request ID of a real connection, at the real ACS.
    """

    acs_url: str = "https://usher.example/sso/saml/conn_1/acs"
    sp_entity_id: str = "https://usher.example/sso/saml/conn_1/metadata"
    idp_entity_id: str = "https://idp.example/metadata"
    request_id: str = "_request"
    now: datetime = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    name_id: str = "anna@example.com"
    number: str = "1"
    idp: KeyPair = field(default_factory=lambda: key_pair("idp"))
    stranger: KeyPair = field(default_factory=lambda: key_pair("stranger"))
    sp_keys: tuple[KeyPair, ...] = field(default_factory=lambda: (key_pair("sp-new"), key_pair("sp-old")))

    def answer(self, **changes: Any) -> Answer:
        """A sound answer to the scene's request, with changes."""
        sound = Answer(
            now=self.now,
            issuer=self.idp_entity_id,
            acs_url=self.acs_url,
            sp_entity_id=self.sp_entity_id,
            name_id=self.name_id,
            in_response_to=self.request_id,
            response_id=f"_response{self.number}",
            assertion_id=f"_assertion{self.number}",
            attributes={"email": (self.name_id,), "groups": ("Sales", "Everyone")},
        )
        return replace(sound, **changes)

    def signed(
        self,
        answer: Answer | None = None,
        *,
        assertion: bool = True,
        response: bool = False,
        key: KeyPair | None = None,
        options: SignOptions | None = None,
    ) -> Any:
        """The tree of an answer, signed as Entra and Google do (the assertion) unless told otherwise."""
        root = parse((answer or self.answer()).xml)
        if assertion:
            root = sign(root, "//saml:Assertion", key or self.idp, options)
        if response:
            root = sign(root, "/samlp:Response", key or self.idp, options)
        return root
