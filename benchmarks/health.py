"""How long the health of a server takes, with all its services really asked."""

from __future__ import annotations

import asyncio
from statistics import median

from benchmarks.http_load import Load, get
from benchmarks.place import Place
from benchmarks.results import Figure, Result
from benchmarks.servers import our_server, prepared


def run(place: Place) -> Result:
    """Questions one after the other, of a server at rest and of one that answers others meanwhile."""
    n_jobs, count = place.pick(10_000, 100), place.pick(300, 10)
    data = place.folder / "health"
    made = prepared(data, n_jobs)
    with our_server(data, "--no-worker") as server:

        def ask(path: str, *, clients: int = 1, headers: dict[str, str] | None = None, times: int = count) -> Load:
            url, given = f"{server.url}{path}", headers if headers is not None else server.headers
            return asyncio.run(get(url, count=times, clients=clients, headers=given))

        first = ask("/admin/health", times=1)
        alone = ask("/admin/health")
        stats = ask("/admin/stats")
        metrics = ask("/metrics")
        busy = asyncio.run(_beside(server.url, count, server.headers, {"X-API-Key": made.api_key}))
    return Result(
        name="health",
        title="Health",
        how=(
            f"{count} questions over one connection, to a server with {n_jobs:,} waiting jobs and no worker; then "
            "while 8 clients list jobs without a pause. Database, storage and worker are asked each time. An engine is "
            "tried beside, once the first question is answered and every five minutes, and nobody waits for it."
        ),
        figures=(
            Figure(what="GET /admin/health, median", value=1000 * median(alone.latencies_s), unit="ms", digits=1),
            Figure(what="GET /admin/health, 99th percentile", value=1000 * alone.p99_s, unit="ms", digits=1, bar=50),
            Figure(
                what="the same beside 8 clients, median",
                value=1000 * median(busy.latencies_s),
                unit="ms",
                digits=1,
                bar=50,
            ),
            Figure(what="the very first one", value=1000 * first.latencies_s[0], unit="ms", digits=1, bar=50),
            Figure(what="GET /admin/stats, median", value=1000 * median(stats.latencies_s), unit="ms", digits=1),
            Figure(what="GET /metrics, median", value=1000 * median(metrics.latencies_s), unit="ms", digits=1),
        ),
        samples={"alone_s": alone.latencies_s, "busy_s": busy.latencies_s},
    )


async def _beside(url: str, count: int, ours: dict[str, str], theirs: dict[str, str]) -> Load:
    others = asyncio.create_task(get(f"{url}/api/jobs/", count=10**9, clients=8, headers=theirs))
    try:
        return await get(f"{url}/admin/health", count=count, clients=1, headers=ours)
    finally:
        others.cancel()
        await asyncio.wait((others,))
