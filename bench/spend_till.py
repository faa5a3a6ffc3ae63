"""A gateway for the spend bench: sends prepared calls with wrk, at full speed, paced or as a storm."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import Measured, parse
from bench.servers import BenchError

Line = tuple[str, str]
# Each answer of an authorization is ended by a later request, so what is held stays in bounds. The pause
# before each request is random, so that requests come as from many who do not know each other.
_LUA = """local bodies, turn, ids, ending, pause = {}, 0, {}, "%s", %f
local threads = {}
function setup(thread) threads[#threads + 1] = thread end
function init(arguments)
  allowed, refused, failed = 0, 0, 0
  for line in io.lines("%s") do bodies[#bodies + 1] = line end
end
function request()
  if ending ~= "" and #ids > 0 then
    local how, id = ending, table.remove(ids)
    if how == "storm" then how = math.random() < 0.5 and "settle" or "void" end
    local body = how == "settle" and '{"cost_usd":"0.000001"}' or nil
    return wrk.format("POST", "/api/v1/authorizations/" .. id .. "/" .. how, nil, body)
  end
  turn = turn %% #bodies + 1
  local path, body = bodies[turn]:match("^(%%S+)\\t(.*)$")
  return wrk.format("POST", path, nil, body)
end
if ending ~= "" then
  function response(status, headers, body)
    if status == 201 then
      allowed = allowed + 1
      ids[#ids + 1] = body:match('"id":"(auth_[0-9a-f-]+)"')
    elseif status == 402 then refused = refused + 1
    elseif status >= 400 then failed = failed + 1 end
  end
end
if pause > 0 then
  function delay() return math.floor(-math.log(1 - math.random()) * pause + 0.5) end
end
function done(summary, latency, requests)
  local thread = threads[1]
  print("counted " .. thread:get("allowed") .. " " .. thread:get("refused") .. " " .. thread:get("failed"))
end
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """How many authorizations were allowed, refused by a limit, and how many requests failed otherwise."""

    allowed: int
    refused: int
    failed: int


class Till:
    """Sends with one credential, one thread of wrk."""

    def __init__(self, port: int, token: str, folder: Path) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._token = token
        self._folder = folder

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(f"{self._url}{path}", json.dumps(body).encode(), method="POST")
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def measure(
        self, lines: Sequence[Line], *, clients: int, seconds: int, settle: bool = False, pause_ms: float = 0
    ) -> Measured:
        """As fast as the clients get answers, or each with a pause of that mean length before a request."""
        return parse(self._run(lines, clients, seconds, "settle" if settle else "", pause_ms))

    def storm(self, lines: Sequence[Line], *, clients: int, seconds: int) -> tuple[Measured, Answers]:
        """Hold and end in turn at full speed; half is settled, half voided."""
        report = self._run(lines, clients, seconds, "storm", 0)
        counted = re.search(r"counted (\d+) (\d+) (\d+)", report)
        if counted is None:
            raise BenchError(f"wrk did not count:\n{report}")
        return parse(report), Answers(*(int(number) for number in counted.groups()))

    def _run(self, lines: Sequence[Line], clients: int, seconds: int, ending: str, pause_ms: float) -> str:
        prepared, script = self._folder / "calls.tsv", self._folder / "calls.lua"
        prepared.write_text("".join(f"{path}\t{body}\n" for path, body in lines))
        script.write_text(_LUA % (ending, pause_ms, prepared))
        command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
        command += ["--latency", "--timeout", "10s", "--script", str(script)]
        command += ["--header", f"Authorization: Bearer {self._token}"]
        command += ["--header", "Content-Type: application/json", self._url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
        return done.stdout
