"""Three ``whispercore serve`` on machines of their own, as it were, which count requests in one Redis."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import requests

from tests.unit.server.limiting.redis_server import redis_server

from .serving import URL, service

LIMIT = 100
"""Of the profile ``transcriber-000``, in five minutes, for whoever has no credentials."""

ADDRESSES = [f"198.51.100.{number}" for number in range(1, 100)]


def asked(url: str, address: str) -> requests.Response:
    return requests.get(f"{url}/admin/security/csrf-token", headers={"X-Forwarded-For": address}, timeout=60)


def has_time(answer: requests.Response) -> bool:
    """Whether its window does not end meanwhile."""
    assert (answer.status_code, answer.headers["X-RateLimit-Limit"]) == (200, str(LIMIT))
    return int(answer.headers["X-RateLimit-Reset"]) - time.time() > 120


def test_exactly_the_limit_passes(environment: dict[str, str], tmp_path: Path) -> None:
    redis = redis_server(tmp_path)
    shared = environment | {
        "WHISPERCORE_REDIS_URL": redis.url,
        "WHISPERCORE_RATE_PROFILE": "transcriber-000",
        "WHISPERCORE_TRUSTED_PROXIES": "127.0.0.1",
    }
    with ExitStack() as stack:
        stack.enter_context(redis.running())
        services = [
            stack.enter_context(service(shared, "serve", "--data", tmp_path / name, "--port", 0, "--no-worker"))
            for name in ("one", "two", "three")
        ]
        urls = [one.until(URL.pattern) for one in services]
        assert [asked(url, "198.51.100.0").status_code for url in urls] == [200] * 3, "all of them are awake"
        address = next(one for one in ADDRESSES if has_time(asked(urls[0], one)))
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda url: asked(url, address).status_code, urls * 50))
        assert Counter(answers) == {200: LIMIT - 1, 429: 51}
        assert all("Redis" not in one.stop() for one in services), "one of them has counted for itself"
