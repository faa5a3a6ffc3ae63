"""What the SAML verifier costs: a sound response beside python3-saml alone, and the dearest hostile bodies.

`python -m bench.saml` prints medians for sound responses and the worst of each hostile body, as CPU time of
this process, with the bars of 12 ms and 50 ms, and how far memory grew (20 MB).
"""

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from app.sso.saml.certificates import load_certificate
from app.sso.saml.parsing import MAX_MESSAGE_BYTES
from app.sso.saml.reasons import RefusedError
from app.sso.saml.response import verify
from tests.support.saml_corpus import corpus
from tests.support.saml_corpus.case import text_of
from tests.support.saml_idp import Scene, SignOptions, encode, encrypt, key_pair, parse, sign
from tests.support.saml_judging import expectation

ROUNDS = 200
GOOD_MS, HOSTILE_MS, HOSTILE_MB = 12, 50, 20
_TYPED = (
    '<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">'
)


def cpu_ms(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return (time.process_time() - started) * 1000


def library_alone(scene: Scene, encoded: str) -> Callable[[], object]:
    """python3-saml in strict mode with settings made anew, as its own view code does."""
    settings = {
        "strict": True,
        "sp": {"entityId": scene.sp_entity_id, "assertionConsumerService": {"url": scene.acs_url}},
        "idp": {
            "entityId": scene.idp_entity_id,
            "singleSignOnService": {"url": scene.acs_url},
            "x509cert": scene.idp.certificate_pem,
        },
        "security": {"requestedAuthnContext": False},
    }
    request = {"https": "on", "http_host": "usher.example", "script_name": "/sso/saml/conn_1/acs"}

    def run() -> None:
        response = OneLogin_Saml2_Response(OneLogin_Saml2_Settings(settings), encoded)
        if not response.is_valid(request, scene.request_id):
            sys.exit(f"python3-saml refused: {response.get_error()}")

    return run


def sound_rows() -> bool:
    """Both in turn, so that the machine's mood hits both."""
    # python3-saml reads the system's clock.
    scene = Scene(now=datetime.now(UTC))
    expected = expectation(scene)
    groups = scene.answer(attributes={"groups": tuple(f"group {n}" for n in range(150))})
    kinds = {
        "assertion signed": scene.signed(),
        "response and assertion signed": scene.signed(response=True),
        "150 groups": scene.signed(groups),
        "encrypted": None,
    }
    good = True
    for name, root in kinds.items():
        encoded = encode(encrypt(scene.signed(), scene.sp_keys[0]) if root is None else root)
        alone = None if root is None else library_alone(scene, encoded)
        own: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            own.append(cpu_ms(lambda: verify(encoded, expected, scene.now)))  # noqa: B023 - run at once.
            if alone is not None:
                theirs.append(cpu_ms(alone))
        beside = f"{statistics.median(theirs):6.2f}" if theirs else "     -"
        print(f"{name:32} {statistics.median(own):6.2f} ms   python3-saml alone {beside} ms")
        good = good and statistics.median(own) < GOOD_MS
    return good


def hostile_bodies(scene: Scene) -> dict[str, str]:
    """The dearest bodies known: as much of everything as the caps let through."""
    text = text_of(scene.signed())
    many = tuple(f"group-{n:05}" for n in range(1_700))
    big = scene.answer(attributes={"groups": many})
    silent = SignOptions(with_certificate=False)
    attributes = "<b " + " ".join(f'a{n}=""' for n in range(24)) + "/>"
    prefixes = "".join(f'<q{n % 35}:b xmlns:q{n % 35}="u:{n % 35}">' for n in range(240))
    closing = "".join(f"</q{n % 35}:b>" for n in reversed(range(240)))
    typed = scene.answer(attributes={"groups": many[:900]}).xml.replace("<saml:AttributeValue>", _TYPED)

    def within(place: str, filling: str) -> str:
        return encode(text.replace(place, place + filling, 1))

    encrypted = encrypt(scene.signed(scene.answer(attributes={"groups": many[:1_650]})), scene.sp_keys[-1])
    return {
        "4,900 elements, unsigned part": within("<samlp:Status>", "<b/>" * 4_900),
        "4,900 elements, signed part": within("<saml:Subject>", "<b/>" * 4_900),
        "5,600 attributes": within("<saml:Subject>", attributes * 235),
        "2,900 namespaces": within("<saml:Subject>", '<q:b xmlns:q="u:q" q:c=""/>' * 2_900),
        "deep, many prefixes": within(
            "<saml:Subject>", prefixes + '<q1:c q2:d="" q3:e=""/>' * 1_900 + closing
        ),
        "38,000 references to signs": within("<saml:Subject>", "<b>" + "&#65;" * 38_000 + "</b>"),
        "one long text, signed twice": encode(
            scene.signed(scene.answer(attributes={"groups": ("x" * 180_000,)}), response=True)
        ),
        "1,700 groups, signed twice": encode(scene.signed(big, response=True)),
        "1,700 groups, fourth certificate": encode(scene.signed(big, response=True, options=silent)),
        "1,700 groups, a stranger's": encode(scene.signed(big, key=scene.stranger, options=silent)),
        "900 typed groups": encode(sign(parse(typed), "//saml:Assertion", scene.idp)),
        "1,650 groups, encrypted": encode(encrypted),
        "1,650 groups, encrypted, signed": encode(sign(encrypted, "/samlp:Response", scene.idp)),
        "encrypted for others": encode(encrypt(scene.signed(), scene.stranger)),
        **{
            f"corpus: {case.name}": dict(case.fields(scene)).get("SAMLResponse", "")
            for case in corpus()
            if case.family in ("malformed", "transform bomb")
        },
    }


def hostile_rows() -> bool:
    scene = Scene()
    others = tuple(load_certificate(key_pair(f"other-{n}").certificate_pem) for n in range(3))
    expected = expectation(scene)
    expected = replace(expected, certificates=(*others, *expected.certificates))
    bodies = hostile_bodies(scene)
    rows: list[tuple[float, str, int, str]] = []
    gc.collect()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, encoded in bodies.items():
        verdicts: list[str] = []

        def run(encoded: str = encoded, verdicts: list[str] = verdicts) -> None:
            try:
                verify(encoded, expected, scene.now)
            except RefusedError as error:
                verdicts.append(error.reason.value)
            else:
                verdicts.append("accepted")

        rows.append((statistics.median(cpu_ms(run) for _ in range(5)), name, len(encoded), verdicts[0]))
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    for milliseconds, name, length, verdict in sorted(rows, reverse=True)[:20]:
        over = " OVER THE CAP" if length > MAX_MESSAGE_BYTES else ""
        print(f"{name:40} {length:8,} bytes {milliseconds:6.1f} ms  {verdict}{over}")
    print(f"memory grew by {grown_mb:.1f} MB over {len(bodies)} bodies")
    return max(rows)[0] < HOSTILE_MS and grown_mb < HOSTILE_MB


def main() -> Any:
    print(f"Sound responses, median CPU of {ROUNDS} (bar: {GOOD_MS} ms)")
    good = sound_rows()
    print(f"Hostile bodies, median CPU of 5 (bars: {HOSTILE_MS} ms, {HOSTILE_MB} MB)")
    good = hostile_rows() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
