"""What could be better with this installation, by rules that look at what was counted and measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Literal

from attrs import frozen

from whispercore.measures.figures import Figures

Severity = Literal["low", "medium", "high"]
_OLD_BACKUP: Final = timedelta(days=7)


@frozen(kw_only=True)
class Situation:
    """What the rules look at."""

    now: datetime
    last_hour: Figures | None
    """All samples of the last hour together; None when there are none yet."""
    present: Figures
    slots: int
    """Jobs that all workers together do at once."""
    workers: int
    completed_last_day: int
    failed_last_day: int
    slowest_factor: float | None
    """Seconds of work for a second of sound, of the slowest model that was measured."""
    slowest_model: str | None
    last_backup_at: datetime | None
    backups_beside_data: bool
    """Whether the backups are on the disk of the data."""
    database_bytes: int
    wal_bytes: int
    default_model: str
    default_model_here: bool


@frozen(kw_only=True)
class Finding:
    """Something that could be better."""

    id: str
    severity: Severity
    area: str
    finding: str
    """What was seen, with its figures."""
    suggestion: str


def findings(at: Situation) -> list[Finding]:
    """All of them, the worst first."""
    order: dict[Severity, int] = {"high": 0, "medium": 1, "low": 2}
    found = [*_of_jobs(at), *_of_room(at), *_of_requests(at), *_of_backups(at), *_of_models(at)]
    return sorted(found, key=lambda finding: order[finding.severity])


def _of_jobs(at: Situation) -> Iterator[Finding]:
    if at.present.queue_size and not at.workers:
        yield Finding(
            id="no_worker",
            severity="high",
            area="jobs",
            finding=f"{at.present.queue_size} jobs wait, and no worker is there.",
            suggestion="Start `whispercore worker`, or the server without --no-worker.",
        )
    hour = at.last_hour
    if hour is not None and at.workers and hour.queue_size >= max(1, at.slots):
        if hour.cpu_percent < 50:
            yield Finding(
                id="idle_processors",
                severity="medium",
                area="jobs",
                finding=(
                    f"In the last hour {hour.queue_size} jobs waited on average, while the processors were "
                    f"{hour.cpu_percent:.0f} % busy with {at.slots} jobs at once."
                ),
                suggestion="Let more jobs run at once: raise `slots`.",
            )
        elif hour.cpu_percent > 85:
            yield Finding(
                id="too_little_power",
                severity="medium",
                area="jobs",
                finding=(
                    f"In the last hour {hour.queue_size} jobs waited on average, and the processors were "
                    f"{hour.cpu_percent:.0f} % busy."
                ),
                suggestion="A smaller model, more processors or a worker on a machine of its own would help.",
            )
    over = at.completed_last_day + at.failed_last_day
    if over >= 10 and at.failed_last_day > 0.1 * over:
        yield Finding(
            id="failing_jobs",
            severity="high",
            area="jobs",
            finding=f"{at.failed_last_day} of {over} jobs that ended in the last day failed.",
            suggestion="Look at `failure_reason` in the list of failed jobs.",
        )


def _of_room(at: Situation) -> Iterator[Finding]:
    if at.present.disk_percent >= 80:
        yield Finding(
            id="little_disk",
            severity="high" if at.present.disk_percent >= 90 else "medium",
            area="storage",
            finding=f"The disk is {at.present.disk_percent:.0f} % full.",
            suggestion="Delete jobs that are not needed any more, or move the data to a larger disk.",
        )
    if at.present.memory_percent >= 85:
        yield Finding(
            id="little_memory",
            severity="medium",
            area="memory",
            finding=f"{at.present.memory_percent:.0f} % of the memory is in use.",
            suggestion="Unload idle models sooner (`keep_alive_s`), lower `slots`, or use a smaller model.",
        )
    if at.wal_bytes > max(64 << 20, at.database_bytes):
        yield Finding(
            id="long_log",
            severity="low",
            area="database",
            finding=f"The database's log has {at.wal_bytes >> 20} MB, the database {at.database_bytes >> 20} MB.",
            suggestion="A reader has held it open for long; a restart of the server shortens it.",
        )


def _of_requests(at: Situation) -> Iterator[Finding]:
    hour = at.last_hour
    if hour is None or hour.requests < 100:
        return
    if hour.failure_percent > 1:
        yield Finding(
            id="failing_requests",
            severity="high" if hour.failure_percent > 5 else "medium",
            area="requests",
            finding=f"{hour.failure_percent:.1f} % of {hour.requests} requests of the last hour failed here.",
            suggestion="The server's log has the reasons, under the request ids.",
        )
    if hour.mean_answer_ms > 500:
        yield Finding(
            id="slow_answers",
            severity="medium",
            area="requests",
            finding=f"An answer took {hour.mean_answer_ms:.0f} ms on average in the last hour.",
            suggestion="Leave the jobs to workers on other processors: --no-worker.",
        )


def _of_backups(at: Situation) -> Iterator[Finding]:
    if at.last_backup_at is None or at.now - at.last_backup_at > _OLD_BACKUP:
        last = (
            "There is no backup" if at.last_backup_at is None else f"The last backup is of {at.last_backup_at:%d %B %Y}"
        )
        yield Finding(
            id="no_backup",
            severity="high",
            area="backups",
            finding=f"{last}.",
            suggestion="Make one: POST /admin/backup/create, or `whispercore backup create`.",
        )
    elif at.backups_beside_data:
        yield Finding(
            id="backups_beside_data",
            severity="low",
            area="backups",
            finding="The backups are on the disk of what they are copies of.",
            suggestion="Name a folder on another disk as `backups_dir`, or copy them elsewhere.",
        )


def _of_models(at: Situation) -> Iterator[Finding]:
    if not at.default_model_here:
        yield Finding(
            id="no_default_model",
            severity="medium",
            area="models",
            finding=f"The default model {at.default_model} is not on this machine.",
            suggestion=f"Get it with `whispercore models pull {at.default_model}`, or name another one.",
        )
    if at.slowest_factor is not None and at.slowest_factor > 1:
        yield Finding(
            id="slow_model",
            severity="medium",
            area="models",
            finding=f"{at.slowest_model} takes {at.slowest_factor:.1f} s for a second of sound.",
            suggestion="A smaller or quantised model is quicker.",
        )
