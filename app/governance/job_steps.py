"""What the worker does for a running job: one bounded step for each transaction.

People first, in any order, because without a limit everybody gets a place and with one they all join
the waiting list before anybody is served from it. Then the list is served in its own order.
"""

from app.core.batches import BATCH
from app.governance.entitlements import EntitlementService
from app.governance.jobs import JobStore
from app.governance.seat_pool import SeatPool


class JobSteps:
    def __init__(self, jobs: JobStore, entitlements: EntitlementService, pool: SeatPool) -> None:
        self._jobs = jobs
        self._entitlements = entitlements
        self._pool = pool

    def has_work(self) -> bool:
        return self._jobs.running() is not None

    def step(self) -> bool:
        """Deal with one batch; answers whether the next may follow at once."""
        running = self._jobs.lock_running()
        for job in running:
            user_ids = self._jobs.next_people(job.id)
            if user_ids:
                self._jobs.done(job.id, user_ids)
                self._entitlements.refresh(user_ids, asked_at=job.created_at)
                return True
        if not running or self._jobs.has_people():
            # Another worker has the job whose people are missing.
            return False
        given, has_more = self._pool.serve(BATCH)
        for job in running:
            self._jobs.progress(job.id, min(given, job.total - job.done))
            if not has_more:
                self._jobs.finish(job.id)
        return given > 0 and has_more
