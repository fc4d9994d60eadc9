"""What can go wrong between a worker and its job."""

from __future__ import annotations

from attrs import define

from whispercore.errors.root import WhispercoreError


@define
class ClaimLost(WhispercoreError):
    """The job was cancelled, deleted or taken over; this worker has no say in it any more, and nothing was written."""

    code = "claim_lost"
    job_id: str
    attempt: int

    def __str__(self) -> str:
        return f"attempt {self.attempt} of the job {self.job_id} is over: it was cancelled, deleted or taken over"
