"""Write `tests/sso/attack_corpus.md`: `python -m tests.support.saml_corpus.manifest`."""

from pathlib import Path

from tests.support.saml_corpus import manifest

PATH = Path(__file__).parents[2] / "sso" / "attack_corpus.md"

if __name__ == "__main__":
    PATH.write_text(manifest())
