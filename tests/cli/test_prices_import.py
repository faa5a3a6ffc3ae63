"""`usher prices import`: a file, or the catalogue of genai-prices, into one organization's price book."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.tenancy import ORG_ID
from app.settings import Settings
from app.spend.models import prices
from tests.support.cast import Organization, in_organization
from tests.support.databases import SECRET_KEY

CSV = """model,input_per_million_usd,output_per_million_usd,cache_read_per_million_usd,\
cache_write_5m_per_million_usd,cache_write_1h_per_million_usd,above_prompt_tokens,batch_percent
next,0.0625,1,0.01,0.125,0.2,,40
next,0.5,5,0.05,0.625,1,100000,40
"""
ROW = {
    "model": "next",
    "input_per_million_usd": "3",
    "output_per_million_usd": "15",
    "cache_read_per_million_usd": "0.3",
    "cache_write_5m_per_million_usd": "3.75",
    "cache_write_1h_per_million_usd": "6",
}
GENAI = [{"id": "anthropic", "models": [{"id": "next", "prices": {"input_mtok": 0.1, "output_mtok": 2}}]}]


class Desk:
    def __init__(self, acme: Organization, folder: Path) -> None:
        self._acme = acme
        self._folder = folder

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["prices", "import", "--org", self._acme.slug, *arguments])

    def answer(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def file(self, name: str, text: str) -> str:
        path = self._folder / name
        path.write_text(text, "utf-8")
        return str(path)

    def rates(self, model: str = "next") -> list[tuple[int, int, int, int]]:
        query = prices.select().where(prices.c.org_id == ORG_ID, prices.c.model == model)
        with in_organization(self._acme.app, self._acme.id, write=False) as services:
            rows = services.uow.execute(query.order_by(prices.c.above_prompt_tokens)).all()
        return [
            (row.above_prompt_tokens, row.input_picousd, row.output_picousd, row.batch_percent)
            for row in rows
        ]


@pytest.fixture
def desk(acme: Organization, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)
    return Desk(acme, tmp_path)


def test_a_table_is_shown_and_then_imported(desk: Desk) -> None:
    file = desk.file("prices.csv", CSV)
    shown = desk.answer(file, "--dry-run")
    assert (shown["dry_run"], shown["added"], desk.rates()) == (True, 1, [])
    assert desk.answer(file)["added"] == 1
    assert desk.rates() == [(0, 62_500, 1_000_000, 40), (100_000, 500_000, 5_000_000, 40)]
    assert desk.answer(file)["data"][0]["result"] == "unchanged"
    assert "0 were added." in desk.run(file).stdout


def test_json_is_a_list_or_the_body_of_the_api(desk: Desk) -> None:
    assert desk.answer(desk.file("a.json", json.dumps([ROW])))["added"] == 1
    assert desk.answer(desk.file("b.json", json.dumps({"prices": [ROW]})))["added"] == 0
    assert desk.rates() == [(0, 3_000_000, 15_000_000, 100)]


def test_the_catalogues_own_file_is_read(desk: Desk) -> None:
    file = desk.file("data.json", json.dumps(GENAI))
    assert desk.answer(file, "--from", "genai-prices")["added"] == 1
    assert desk.rates() == [(0, 100_000, 2_000_000, 100)]


def test_the_installed_package_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    price = SimpleNamespace(input_mtok=Decimal("0.1"), output_mtok=Decimal(2))
    skipped = SimpleNamespace(id="image", prices=SimpleNamespace(), price_variants=None)
    models = [SimpleNamespace(id="next", prices=price, price_variants=None), skipped]
    data = ModuleType("genai_prices.data")
    data.providers = [SimpleNamespace(id="anthropic", models=models)]  # type: ignore[attr-defined]  # a module made here has what is put into it
    monkeypatch.setitem(sys.modules, "genai_prices.data", data)
    monkeypatch.setitem(sys.modules, "genai_prices", ModuleType("genai_prices"))
    answer = desk.answer("--from", "genai-prices")
    assert (answer["added"], answer["skipped"]) == (1, {"image": "It has no input_mtok."})
    assert desk.rates() == [(0, 100_000, 2_000_000, 100)]


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("a.json", "{", (), "is no JSON"),
        ("a.json", "7", (), "list of prices"),
        (
            "a.json",
            json.dumps([{**ROW, "input_per_million_usd": 3}]),
            (),
            "prices[0].input_per_million_usd",
        ),
        ("a.csv", CSV.replace("0.0625", "cheap"), (), "prices[0].input_per_million_usd"),
        ("a.csv", CSV.replace("next,0.5", "next,0.5,0.5"), (), "prices[1]"),
        ("a.json", "{}", ("--from", "genai-prices"), "no data.json"),
        ("a.json", json.dumps(GENAI), ("--from", "genai-prices", "--model", "x"), "has no model x"),
        ("a.json", json.dumps(GENAI), ("--from", "genai-prices", "--provider", "x"), "no provider"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    desk: Desk, name: str, text: str, options: tuple[str, ...], said: str
) -> None:
    result = desk.run(desk.file(name, text), *options)
    assert result.exit_code == 1, result.output
    assert said in str(result.exception) + result.output
    assert desk.rates() == []


def test_a_package_that_is_not_there_is_told_with_what_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    result = desk.run("--from", "genai-prices")
    assert result.exit_code == 1
    assert "pip install genai-prices" in str(result.exception) + result.output
    assert desk.run().exit_code == 2
