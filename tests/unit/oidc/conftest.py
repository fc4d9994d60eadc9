from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openid_provider import OpenIdProvider, openid_provider
from tests.unit.people.conftest import database, passwords, people  # noqa: F401 (fixtures, here too)
from whispercore.testing import FakeClock


@pytest.fixture(scope="module")
def _there() -> Iterator[OpenIdProvider]:
    with openid_provider() as provider:
        yield provider


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def there(_there: OpenIdProvider, clock: FakeClock) -> OpenIdProvider:
    """A provider that behaves until it is told otherwise, with the same clock."""
    _there.begin_again()
    _there.now_s = lambda: clock.now().timestamp()
    return _there
