"""Work that no request waits for: placing audit entries, delivering outbox messages, clearing up.

A round asks once for all organizations where something cannot wait. Those are looked at, and of the others
the next few: an organization where nothing happens costs little, and what is due there by time alone is
found within a lap.

Several workers may run at once, in any number of processes: what must be done once is leased in the
database. It must not know what a message or a job means; `app.wiring` gives it both tables.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.audit.outbox import CLAIM, Outbox
from app.core.connection import Row
from app.core.context import SYSTEM, Caller
from app.core.readiness import Heartbeat
from app.directory.organizations import OrganizationService

REST_SECONDS = 0.5
# So many organizations are looked at in each round, unless a lap would then have more than `LAP` rounds.
A_FEW = 20
LAP = 60
T = TypeVar("T")


class Begin(Protocol):
    def __call__(self, *, write: bool, caller: Caller) -> AbstractContextManager[Any]:
        """Open a transaction with the services of `app.wiring`."""


Delivery = Callable[[Any, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """A step of a service that is run for each organization in which `is_due` finds work.

    `run` may answer that there is more to do at once. `organizations` tells in which organizations it is
    due, where that cannot wait for their turn.
    """

    name: str
    service: type[T]
    is_due: Callable[[T], bool]
    run: Callable[[T], bool | None]
    organizations: Callable[[T], Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    has_more: bool
    fault: Exception | None


class Worker:
    def __init__(
        self,
        begin: Begin,
        jobs: Sequence[Job[Any]],
        deliveries: Mapping[str, Delivery],
        heartbeat: Heartbeat,
        *,
        on_dead: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._begin = begin
        self._jobs = jobs
        self._deliveries = deliveries
        self._heartbeat = heartbeat
        self._on_dead = on_dead
        self._on_failed = on_failed
        self._stop = threading.Event()
        self._rounds = 0
        # Where the last look left something to do at once.
        self._unfinished: set[str] = set()

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.run, name="usher-worker", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Work until told to stop; a failing round is logged and tried again."""
        while not self._stop.is_set():
            self._heartbeat.beat()
            try:
                has_more = self.round()
            except SQLAlchemyError as error:
                structlog.get_logger().warning("worker.round_failed", error=type(error).__name__)
                has_more = False
            # A rest between rounds lets work gather, so that a busy server is not kept busy by this.
            if not has_more:
                self._stop.wait(REST_SECONDS)

    def round(self) -> bool:
        """Serve the organizations whose turn it is; answers whether there was more than one turn's work."""
        with self._open(write=False) as services:
            org_ids = services.get(OrganizationService).ids()
            urgent = {*self._unfinished, *services.get(Outbox).organizations_with_work()}
            for job in self._jobs:
                if job.organizations is not None:
                    urgent.update(job.organizations(services.get(job.service)))
        urgent.update(self._next(org_ids))
        self._unfinished = {org_id for org_id in org_ids if org_id in urgent and self.serve(org_id)}
        return bool(self._unfinished)

    def _next(self, org_ids: Sequence[str]) -> Sequence[str]:
        """The next few of all; everybody in the first round, as nobody knows for how long none was."""
        lap = min(LAP, math.ceil(len(org_ids) / A_FEW)) if self._rounds else 1
        turn = self._rounds % max(1, lap)
        self._rounds += 1
        return org_ids[turn :: max(1, lap)]

    def serve(self, org_id: str) -> bool:
        """One organization's turn; answers whether more than one turn's work was there."""
        # Looking takes no write lock; on SQLite an idle worker holds up nobody.
        with self._open(write=False) as services:
            services.uow.enter(org_id)
            due = [job for job in self._jobs if job.is_due(services.get(job.service))]
            has_messages = services.get(Outbox).has_work()
        has_more = has_messages and self._deliver_due(org_id)
        for job in due:
            has_more |= self._run_job(org_id, job)
        return has_more

    def _run_job(self, org_id: str, job: Job[Any]) -> bool:
        done = self._attempt(org_id, lambda services: job.run(services.get(job.service)))
        if done.fault is not None:
            structlog.get_logger().error(
                "worker.job_failed", job=job.name, org_id=org_id, exc_info=done.fault
            )
            self._on_failed(job.name)
        return done.has_more

    def _deliver_due(self, org_id: str) -> bool:
        with self._open(write=True) as services:
            services.uow.enter(org_id)
            messages = services.get(Outbox).claim()
            services.commit()
        faults = [(message, self._deliver(org_id, message)) for message in messages]
        with self._open(write=True) as services:
            services.uow.enter(org_id)
            outbox = services.get(Outbox)
            outbox.done([message for message, fault in faults if fault is None])
            for message, fault in faults:
                if fault is not None and outbox.failed(message, fault):
                    structlog.get_logger().error("outbox.dead", kind=message.kind, message_id=message.id)
                    self._on_dead()
            services.commit()
        return len(messages) == CLAIM

    def _deliver(self, org_id: str, message: Row) -> str | None:
        """Run the message's handler; answers what went wrong, if anything."""
        # The kind is looked up inside: one that only a newer version knows is a fault of this message alone.
        fault = self._attempt(
            org_id, lambda services: self._deliveries[message.kind](services, message.payload)
        ).fault
        if fault is None:
            return None
        structlog.get_logger().warning("outbox.failed", kind=message.kind, exc_info=fault)
        return f"{type(fault).__name__}: {fault}"

    def _attempt(self, org_id: str, step: Callable[[Any], bool | None]) -> "_Done":
        """One job's or message's step in a transaction of its own; one that fails has changed nothing."""
        try:
            with self._open(write=True) as services:
                services.uow.enter(org_id)
                has_more = bool(step(services))
                services.commit()
        except Exception as error:  # noqa: BLE001 - the outermost handler of a step: one that fails must not stop the others
            return _Done(has_more=False, fault=error)
        return _Done(has_more, None)

    def _open(self, *, write: bool) -> AbstractContextManager[Any]:
        return self._begin(write=write, caller=Caller(SYSTEM, "worker"))
