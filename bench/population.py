"""Fills a fresh database: people, who of them is seated, groups of a size, the yardstick's own rows.

People, seats and mappings come through Usher's services, so that they are exactly what a server would
have stored. Only the large groups are written by statement, because their audit entries are no subject.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, text, update

from app.audit.models import outbox_messages
from app.audit.sequencer import Sequencer
from app.core.batches import batches
from app.core.context import OPERATOR, Caller
from app.core.tenancy import ORG_ID
from app.directory.groups import GroupService
from app.directory.models import groups, memberships, users
from app.directory.users import UserService
from app.governance.mappings import MappingService, NewMapping
from app.governance.roles import RoleService
from app.scim.protocol.constants import PATCH_OP
from app.scim.protocol.normalize import normalize
from app.scim.protocol.tolerance_profiles import enabled
from app.scim.protocol.tolerances import Tolerances
from app.settings import Settings
from app.wiring import Container, Services
from bench import yardstick
from bench.databases import APP, Target

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
# People beyond the population who are in no group, to be added to groups.
NEWCOMERS = 600
# Requests go round these, so that clients rarely wait for the lock of one group.
GROUPS_OF_A_SIZE = 24
EMPTY_GROUPS = 15_000
# Plans made for an almost empty table are given up once the statistics say how many rows there are.
SETTLED_FROM = 1_000
BARE_TOKEN = "bare-token-of-the-yardstick"


def person(name: str, number: int) -> dict[str, Any]:
    """A user as connectors send one."""
    address = f"{name}-{number:06}@example.com"
    return {
        "schemas": [USER, ENTERPRISE],
        "userName": address,
        "externalId": f"00u{name}{number:06}",
        "name": {"givenName": name.title(), "familyName": f"Number {number:06}"},
        "displayName": f"{name.title()} Number {number:06}",
        "emails": [{"value": address, "type": "work", "primary": True}],
        "title": "Software Engineer",
        "active": True,
        ENTERPRISE: {"department": "Research", "employeeNumber": f"{number:06}"},
    }


def patch_operation(op: str, path: str, value: Any) -> str:
    operation = {"op": op, "path": path, "value": value}
    return json.dumps({"schemas": [PATCH_OP], "Operations": [operation]})


@dataclass(frozen=True, slots=True)
class People:
    """Ids in random order."""

    seated: Sequence[str]
    seatless: Sequence[str]
    newcomers: Sequence[str]

    @property
    def population(self) -> list[str]:
        return [*self.seated, *self.seatless]


class Population:
    """Works in the organization of one target, in this process, beside the servers."""

    def __init__(self, target: Target, port: int, org_id: str, settle: Callable[[], None]) -> None:
        self._target = target
        # Tells the planner about rows that came faster than autovacuum looks.
        self._settle = settle
        self._org_id = org_id
        self._container = Container(Settings.from_environment(target.environment(port)))

    def close(self) -> None:
        self._container.database.dispose()

    def load(self, count: int) -> People:
        """`count` people, half of them seated by a mapped group, and the newcomers."""
        ids = self._create_people("person", count)
        newcomers = self._create_people("newcomer", NEWCOMERS)
        seated, seatless = ids[: count // 2], ids[count // 2 :]
        with self._write() as services:
            attributes = {"schemas": [GROUP], "displayName": "Seated"}
            group_id = services.get(GroupService).create(attributes, seated)
            services.commit()
        with self._write() as services:
            roles = services.get(RoleService).page(limit=100)
            role_id = next(role.row.id for role in roles if role.row.name == "member")
            services.get(MappingService).append(NewMapping(group_id, role_id))
            services.commit()
        shuffle = random.Random(1).shuffle
        for part in (seated, seatless, newcomers):
            shuffle(part)
        return People(seated, seatless, newcomers)

    def _create_people(self, name: str, count: int) -> list[str]:
        registry, ids = self._container.registry, []
        for numbers in batches(range(count)):
            with self._write() as services:
                create = services.get(UserService).create
                for number in numbers:
                    attributes = normalize(registry.user, person(name, number), Tolerances(enabled("auto")))
                    ids.append(create(attributes, active=attributes.pop("active")).id)
                services.commit()
            if len(ids) <= SETTLED_FROM:
                self._settle()
        return ids

    def create_groups(self, size: int) -> list[str]:
        """Groups whose members are the first `size` people; a great many if they are empty."""
        count = GROUPS_OF_A_SIZE if size else EMPTY_GROUPS
        with self._write() as services:
            uow = services.uow
            rows = [self._group_row(uow.ids.new(), f"Size {size} {n:05}", uow.now) for n in range(count)]
            for batch in batches(rows):
                uow.execute_many(insert(groups), batch)
            services.commit()
        self._settle()
        if size:
            self._fill(f"size {size} ", size)
            self._settle()
        return [row["id"] for row in rows]

    def _fill(self, name: str, size: int) -> None:
        mine = (groups.c.org_id == ORG_ID, groups.c.display_name_key.startswith(name, autoescape=True))
        first = select(users.c.id).where(users.c.org_id == ORG_ID).order_by(users.c.id).limit(size)
        pairs = (
            select(groups.c.org_id, groups.c.id, users.c.id)
            .select_from(groups.join(users, users.c.org_id == groups.c.org_id))
            .where(*mine, users.c.id.in_(first))
        )
        with self._write() as services:
            uow = services.uow
            uow.execute(insert(memberships).from_select(["org_id", "group_id", "user_id"], pairs))
            uow.execute(update(groups).where(*mine).values(member_count=size))
            services.commit()

    @staticmethod
    def _group_row(id_: str, name: str, moment: Any) -> dict[str, Any]:
        return {
            "id": id_,
            "display_name": name,
            "display_name_key": name.lower(),
            "attributes": json.dumps({"schemas": [GROUP], "displayName": name}, separators=(",", ":")),
            "search": {"displayname": name.lower()},
            "member_count": 0,
            "version": 1,
            "created_at": moment,
            "last_modified_at": moment,
        }

    def load_yardstick(self, ids: Sequence[str]) -> None:
        """The yardstick's tables under row-level security, with documents as long as Usher's answers."""
        engine = yardstick.connect(self._target.owner_url)
        with engine.begin() as connection:
            yardstick.metadata.create_all(connection)
            if self._target.kind == "postgresql":
                for statement in _row_security():
                    connection.execute(text(statement))
                connection.execute(
                    text("SELECT set_config('usher.org_id', :org_id, true)"), {"org_id": self._org_id}
                )
            hashed = hashlib.sha256(BARE_TOKEN.encode()).hexdigest()
            connection.execute(insert(yardstick.tokens), {"hash": hashed, "org_id": self._org_id})
            rows = [self._bare_row(id_, number) for number, id_ in enumerate(ids)]
            for batch in batches(rows):
                connection.execute(insert(yardstick.users), batch)
                counters = [
                    {"org_id": row["org_id"], "id": row["id"], "spent": 0, "cap": 10**15} for row in batch
                ]
                connection.execute(insert(yardstick.counters), counters)
        engine.dispose()

    def _bare_row(self, id_: str, number: int) -> dict[str, str]:
        base_url, body = self._container.urls.scim_base_url, person("person", number)
        moment = "2026-11-22T09:30:00.123456Z"
        meta = {"resourceType": "User", "created": moment, "lastModified": moment, "version": 'W/"1"'}
        document = {**body, "id": id_, "meta": {**meta, "location": f"{base_url}/Users/{id_}"}}
        return {
            "org_id": self._org_id,
            "id": id_,
            "user_name": body["userName"],
            "document": json.dumps(document),
        }

    def backlog(self) -> int:
        """What the worker has still to do: undelivered messages, and one more for unplaced entries."""
        pending = select(func.count()).select_from(outbox_messages).where(outbox_messages.c.org_id == ORG_ID)
        with self._container.begin(write=False, caller=Caller(OPERATOR, "bench")) as services:
            services.uow.enter(self._org_id)
            messages = int(services.uow.execute(pending).scalar_one())
            return messages + int(services.get(Sequencer).has_work())

    @contextmanager
    def _write(self) -> Iterator[Services]:
        with self._container.begin(write=True, caller=Caller(OPERATOR, "bench")) as services:
            services.uow.enter(self._org_id)
            yield services


def _row_security() -> Iterator[str]:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    for table in (yardstick.users.name, yardstick.audit.name, yardstick.counters.name):
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
        yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
        yield f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})"
    for table in yardstick.metadata.tables:
        yield f"GRANT SELECT, INSERT, UPDATE ON {table} TO {APP}"
