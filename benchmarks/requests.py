"""How much the frame costs a request."""

from __future__ import annotations

import asyncio
from statistics import median

from benchmarks.http_load import Load, get
from benchmarks.place import Place
from benchmarks.results import Figure, Result
from benchmarks.servers import bare_server, our_server, prepared


def run(place: Place) -> Result:
    """Requests of one kind, to our server and to a bare handler, in turns."""
    n_jobs, count, clients = place.pick(10_000, 100), place.pick(2_000, 50), 20
    data = place.folder / "requests"
    made = prepared(data, n_jobs)
    headers = {"X-API-Key": made.api_key}
    loads: dict[str, list[Load]] = {"live": [], "bare live": [], "jobs": [], "bare jobs": []}
    with our_server(data, "--no-worker") as ours, bare_server(made.url, made.user_id, data) as bare:
        targets = {
            "live": (f"{ours.url}/live", {}),
            "bare live": (f"{bare}/live", {}),
            "jobs": (f"{ours.url}/api/jobs/", headers),
            "bare jobs": (f"{bare}/jobs", {}),
        }
        for number in range(place.pick(5, 2)):
            for name, (url, its_headers) in targets.items():
                load = asyncio.run(get(url, count=count, clients=clients, headers=its_headers))
                if number:  # the first round warms up
                    loads[name].append(load)

    def per_s(name: str) -> float:
        return median(load.per_s for load in loads[name])

    return Result(
        name="requests",
        title="Requests",
        how=(
            f"{clients} clients over connections that stay open, {count} requests a round, {len(loads['live'])} "
            f"rounds in turns, medians; the caller has {n_jobs:,} jobs and authenticates by key. The bare handlers are "
            "aiohttp's own; that of jobs asks the same query and writes the same rows, for a caller that it knows. "
            "Ours runs without rate limits."
        ),
        figures=(
            Figure(
                what="GET /api/jobs/: time of a bare handler", value=per_s("bare jobs") / per_s("jobs"), unit="x", bar=2
            ),
            Figure(what="GET /api/jobs/", value=per_s("jobs"), unit="requests/s", digits=0),
            Figure(what="bare handler with the same query", value=per_s("bare jobs"), unit="requests/s", digits=0),
            Figure(
                what="GET /api/jobs/, 99th percentile",
                value=1000 * median(load.p99_s for load in loads["jobs"]),
                unit="ms",
                digits=1,
                bar=50,
            ),
            Figure(what="GET /live: time of a bare handler", value=per_s("bare live") / per_s("live"), unit="x"),
            Figure(what="GET /live", value=per_s("live"), unit="requests/s", digits=0),
            Figure(what="bare handler", value=per_s("bare live"), unit="requests/s", digits=0),
        ),
        samples={f"{name}_per_s": [load.per_s for load in found] for name, found in loads.items()},
    )
