"""The house rules that a machine can check: who imports whom, how long things are, what is banned."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50

# Each part may import itself and these; whatever is not named here may import everything.
ALLOWED = {
    "core": set(),
    "scim/protocol": {"core"},
    "sso/saml": {"core"},
    "sso/oidc": {"core"},
    "directory": {"core"},
    "audit": {"core"},
    "web": {"core"},
    "scim": {"core", "directory", "audit", "scim/protocol"},
    "sso": {"core", "directory", "audit", "sso/saml", "sso/oidc"},
    "oauth": {"core", "directory", "audit"},
    "governance": {"core", "directory", "audit"},
    "spend": {"core", "directory", "audit", "governance"},
    "api": {
        *("core", "directory", "audit", "governance", "oauth", "scim", "spend"),
        *("sso", "sso/saml", "sso/oidc"),
    },
    "selftest": {"core"},
    "demo": {"core", "selftest"},
}
# What is wired together and what commands use.
OUTERMOST = {
    "__init__",
    "__main__",
    "wiring",
    "building",
    "building_oauth",
    "building_sign_in",
    "deliveries",
    "handlers_oauth",
    "handlers_sign_in",
    "serving",
    "cli",
    "cli_demo",
    "cli_domains",
    "cli_scim",
    "cli_serve",
    "cli_session",
    "cli_spend",
    "cli_sso",
}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")


def modules() -> list[Path]:
    return sorted((ROOT / "app").rglob("*.py"))


def part_of(dotted: str) -> str:
    """The part that a module such as `app.scim.protocol.patch` belongs to."""
    names = dotted.split(".")[1:]
    if names[:2] in (["scim", "protocol"], ["sso", "saml"], ["sso", "oidc"]):
        return "/".join(names[:2])
    return names[0] if names else "__init__"


def dotted_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_parts_import_only_what_stands_below_them(path: Path) -> None:
    part = part_of(dotted_name(path))
    if part not in ALLOWED:
        return
    allowed = ALLOWED[part] | {part}
    if path.name.startswith("routes"):
        allowed = allowed | {"web"}
    used = {part_of(name) for name in imports(path) if name.startswith("app.")}
    assert used <= allowed


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_only_the_outermost_modules_see_the_wiring(path: Path) -> None:
    sees_wiring = any(name.startswith("app.wiring") for name in imports(path))
    assert not sees_wiring or dotted_name(path).split(".")[1] in OUTERMOST


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_only_routes_and_web_know_flask(path: Path) -> None:
    knows_flask = any(name.split(".")[0] == "flask" for name in imports(path))
    may = part_of(dotted_name(path)) in ("web", "__init__", "serving") or path.name.startswith("routes")
    assert not knows_flask or may


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    long_functions = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert not long_functions


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_nothing_is_left_unfinished(path: Path) -> None:
    assert not UNFINISHED.search(path.read_text())


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_sql_as_text_stays_below_the_fence(path: Path) -> None:
    """A `text()` statement cannot be checked for its organization."""
    uses_text = "sqlalchemy.text" in set(imports(path))
    calls = re.search(r"execute\(\s*text\(|= text\(", path.read_text()) is not None
    may = part_of(dotted_name(path)) in ("core", "schema", "doctor")
    assert not (uses_text and calls) or may


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_broad_excepts_stand_only_in_outermost_handlers(path: Path) -> None:
    broad = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert len(broad) <= (1 if path.name == "worker.py" else 0)


def test_time_and_randomness_are_read_in_one_place() -> None:
    """Services get a clock; only these files may ask the system."""
    readers = {
        dotted_name(path)
        for path in modules()
        if re.search(r"datetime\.now\(|time\.time\(|utcnow\(|date\.today\(", path.read_text())
    }
    assert readers == {"app.core.clock"}


def test_decisions_are_numbered_one_after_the_other() -> None:
    decisions = sorted((ROOT / "docs/adr").iterdir())
    numbers = [int(path.name.partition("-")[0]) for path in decisions]
    assert numbers == list(range(1, len(decisions) + 1))
    headed = [path.read_text().partition(" ")[2].partition(".")[0] for path in decisions]
    assert headed == [str(number) for number in numbers]


def test_every_decision_that_is_referred_to_is_there() -> None:
    decisions = len(list((ROOT / "docs/adr").iterdir()))
    pages = [*(ROOT / "docs").rglob("*.md"), *modules()]
    cited = {int(number) for path in pages for number in re.findall(r"\bADR ([0-9]+)", path.read_text())}
    assert cited
    assert max(cited) <= decisions
