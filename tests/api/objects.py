"""What an organization has and what is described, found out, so that new resources need no mention here."""

import re
from collections import defaultdict
from typing import Any

from app.api.declarations import Endpoint
from app.api.edge_ids import PATH_IDS
from app.api.openapi import ROOT
from app.api.routes import endpoints

LISTS = [
    endpoint.path
    for endpoint in endpoints()
    if endpoint.method == "GET" and "<" not in endpoint.path and "data" in endpoint.answer.fields
]


def ids_by_prefix(office: Any) -> dict[str, list[str]]:
    """The ids of everything that a list shows, by the prefix that they wear."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in LISTS:
        answer = office.get(path)
        # A list that must be asked about something is not asked.
        if answer.status_code == 200:
            for item in answer.json["data"]:
                id_ = item.get("id", "")
                found[id_.partition("_")[0]].append(id_)
    return {prefix: found[prefix] for prefix in set(PATH_IDS.values())}


def operation_of(described: Any, endpoint: Endpoint) -> Any:
    """The description of a declared route, from which requests can be generated."""
    return described[ROOT + re.sub(r"<(\w+)>", r"{\1}", endpoint.path)][endpoint.method]
