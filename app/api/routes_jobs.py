"""`/jobs`: how far work is that went on after its request was answered."""

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.schemas.jobs import JobSchema
from app.core.connection import Row
from app.governance.jobs import JobStore
from app.web.context import service

jobs = Endpoints("Jobs")


@jobs.endpoint("GET", "/jobs/<job_id>", scope=scopes.GOVERNANCE_READ, answer=JobSchema())
def get_job(job_id: str) -> Row:
    """Show a job and its progress."""
    return service(JobStore).get(job_id)
