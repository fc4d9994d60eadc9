"""What webhooks are told.

That a job is over, and never what was said in it: a receiver that may read the transcript fetches it with its key, so
it is given out in one way only, and lies in no log of whatever stands between here and there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def message_of(event: str, at: datetime, data: Mapping[str, Any]) -> str:
    """JSON of a message, as Standard Webhooks has it.

    Args:
        event: Its type: ``job.completed``.
        at: When it happened.
        data: What is told of it.
    """
    return json.dumps({"type": event, "timestamp": told(at), "data": dict(data)}, ensure_ascii=False)


def data_of(job_id: str, state: str, job: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is told of a job.

    Args:
        job_id: Its id.
        state: How it ended; by now it may be tried again.
        job: Its row; None when it was deleted meanwhile.
    """
    row = job if job is not None else {}
    return {
        "job_id": job_id,
        "status": state,
        "filename": row.get("filename"),
        "model": row.get("model"),
        "language": row.get("language"),
        "created_at": told(row.get("created_at")),
        "completed_at": told(row.get("completed_at")),
        "audio_duration_s": row.get("audio_duration_s"),
        "failure_reason": row.get("failure_reason"),
        "error": row.get("error"),
        "batch_id": row.get("batch_id"),
    }


def told(moment: datetime | None) -> str | None:
    """A time in UTC, as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None
