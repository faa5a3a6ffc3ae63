"""The attack corpus: more than a hundred responses, sound and hostile, with the verdict that each must get.

`corpus()` answers the cases; `case.fields(scene)` builds the form of one against a scene, which is the
default one for the pure verifier and that of a real connection for the ACS. `manifest()` lists them.
"""

from tests.support.saml_corpus import bounds, crypto, malformed, people, wrapping
from tests.support.saml_corpus.case import CASES, Case

FAMILIES = (malformed, wrapping, crypto, bounds, people)


def corpus() -> tuple[Case, ...]:
    return tuple(CASES)


def manifest() -> str:
    """The table of all cases as Markdown."""
    lines = [
        "# The SAML attack corpus",
        "",
        "Written by `python -m tests.support.saml_corpus.manifest`; a test compares it with the generator.",
        "Verdict is a reason code of `app/sso/saml/reasons.py`; *judge* says who must refuse: the form",
        "reader, the pure verifier, the profile reader, or the assertion consumer service (the verifier",
        "lets that pass).",
        "",
        "| Family | Case | What is done | Judge | Verdict |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {case.family} | {case.name} | {case.attack} | {case.judge} | `{case.expected}` |"
        for case in CASES
    ]
    return "\n".join(lines) + "\n"
