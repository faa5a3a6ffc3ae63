"""Work too large for the request that caused it, as a row that says how far it is.

A job's people are rows that go as they are dealt with, in the transaction that deals with them, so a
killed worker leaves neither a person out nor a wrong number. While people are left, nobody is served
from the waiting list: its order is only right once all of them stand in it. It must not know what is
done for the people; `job_steps` does.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, update

from app.core.batches import BATCH, batches
from app.core.connection import Row
from app.core.database import Id
from app.core.errors import NotFoundError
from app.core.sql import each_id, is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.governance.models import job_people, jobs

_INSERT = insert(jobs)
_ids = each_id("ids")
_INSERT_PEOPLE = insert(job_people).from_select(
    ["org_id", "job_id", "user_id"],
    select(ORG_ID, bindparam("for_job_id", type_=Id), _ids.c.value),
)
_BY_ID = select(jobs).where(jobs.c.org_id == ORG_ID, jobs.c.id == bindparam("id"))
_RUNNING = select(jobs).where(jobs.c.org_id == ORG_ID, jobs.c.state == "running").order_by(jobs.c.id).limit(1)
# Whoever works on a job holds all that are running, so that a second worker finds none.
_LOCK_RUNNING = (
    select(jobs)
    .where(jobs.c.org_id == ORG_ID, jobs.c.state == "running")
    .order_by(jobs.c.id)
    .with_for_update(skip_locked=True)
)
_NEXT_PEOPLE = (
    select(job_people.c.user_id)
    .where(job_people.c.org_id == ORG_ID, job_people.c.job_id == bindparam("job_id"))
    .order_by(job_people.c.user_id)
    .limit(BATCH)
)
_DONE_PEOPLE = delete(job_people).where(
    job_people.c.org_id == ORG_ID,
    job_people.c.job_id == bindparam("for_job_id"),
    is_one_of(job_people.c.user_id, "ids"),
)
_HAS_PEOPLE = select(job_people.c.user_id).where(job_people.c.org_id == ORG_ID).limit(1)
_PROGRESS = (
    update(jobs)
    .where(jobs.c.org_id == ORG_ID, jobs.c.id == bindparam("row_id"))
    .values(done=jobs.c.done + bindparam("count"))
)
_FINISH = (
    update(jobs)
    .where(jobs.c.org_id == ORG_ID, jobs.c.id == bindparam("row_id"))
    .values(state="finished", finished_at=bindparam("moment"))
)


class JobStore:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        # The job that this transaction has started, for whoever answers the request.
        self.started: str | None = None

    def get(self, job_id: str) -> Row:
        row = self._uow.execute(_BY_ID, {"id": job_id}).first()
        if row is None:
            raise NotFoundError(f"There is no job with the id {job_id!r}.", code="job_not_found")
        return row

    def running(self) -> Row | None:
        """The oldest job that is not finished."""
        return self._uow.execute(_RUNNING).first()

    def start(self, user_ids: Sequence[str]) -> None:
        """A job that will decide about these people, and then serve the waiting list."""
        job_id = self._insert(total=len(user_ids))
        for batch in batches(user_ids):
            self._uow.execute(_INSERT_PEOPLE, {"for_job_id": job_id, "ids": list(batch)})

    def start_hand_over(self, count: int) -> None:
        """A job that serves about `count` people of the waiting list, unless one is running that will."""
        if self.started is None and self.running() is None:
            self._insert(total=count)

    def has_people(self) -> bool:
        return self._uow.execute(_HAS_PEOPLE).first() is not None

    def lock_running(self) -> Sequence[Row]:
        """The running jobs, oldest first, held until the transaction ends; none if another holds them."""
        return self._uow.execute(_LOCK_RUNNING).all()

    def next_people(self, job_id: str) -> list[str]:
        """A batch of the people of a locked job."""
        return self._uow.execute(_NEXT_PEOPLE, {"job_id": job_id}).scalars()

    def done(self, job_id: str, user_ids: Sequence[str]) -> None:
        self._uow.execute(_DONE_PEOPLE, {"for_job_id": job_id, "ids": list(user_ids)})
        self.progress(job_id, len(user_ids))

    def progress(self, job_id: str, count: int) -> None:
        self._uow.execute(_PROGRESS, {"row_id": job_id, "count": count})

    def finish(self, job_id: str) -> None:
        self._uow.execute(_FINISH, {"row_id": job_id, "moment": self._uow.now})

    def _insert(self, total: int) -> str:
        uow = self._uow
        job_id = uow.ids.new()
        values = {"id": job_id, "state": "running", "total": total, "done": 0, "created_at": uow.now}
        uow.execute(_INSERT, values)
        self.started = job_id
        return job_id
