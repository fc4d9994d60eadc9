"""Where a request came from, with proxies between and without."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from whispercore.people.networks import networks
from whispercore_server.proxies import Origin, Proxies

OURS = networks("10.0.0.0/8, fd00::/8")
PEER = "10.0.0.1"


class Wire:
    """Says who is at the other end."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._peer, 4711) if name == "peername" else default


def origin(proxies: Proxies, *headers: tuple[str, str], peer: str = PEER) -> Origin:
    return proxies.origin(make_mocked_request("GET", "/", CIMultiDict(headers), transport=Wire(peer)))


def forwarded_for(*values: str, trusted: Any = OURS, peer: str = PEER) -> str:
    return origin(Proxies(trusted=trusted), *(("X-Forwarded-For", one) for one in values), peer=peer).address


def test_without_trusted_proxies_only_the_peer_counts() -> None:
    assert forwarded_for("203.0.113.9", trusted=()) == PEER
    assert origin(Proxies(), ("X-Forwarded-Proto", "https")) == Origin(address=PEER, is_secure=False)


def test_a_peer_that_is_no_proxy_is_not_believed() -> None:
    assert forwarded_for("203.0.113.9", peer="198.51.100.7") == "198.51.100.7"


def test_the_last_one_that_no_trusted_proxy_has_is_the_client() -> None:
    assert forwarded_for("203.0.113.9") == "203.0.113.9"
    assert forwarded_for("1.1.1.1, 203.0.113.9") == "203.0.113.9"
    assert forwarded_for("1.1.1.1, 203.0.113.9, 10.0.0.7") == "203.0.113.9"
    assert forwarded_for("1.1.1.1", "203.0.113.9", "10.0.0.7,10.0.0.8") == "203.0.113.9"


def test_when_all_are_trusted_the_first_one_is_the_client() -> None:
    assert forwarded_for("10.0.0.9, 10.0.0.7") == "10.0.0.9"


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ('"203.0.113.9"', "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9,", "203.0.113.9"),
        (" , 203.0.113.9 ,, ", "203.0.113.9"),
    ],
)
def test_it_is_written_in_many_ways(value: str, client: str) -> None:
    assert forwarded_for(value) == client


@pytest.mark.parametrize(
    "value", ["unknown", "_hidden", "", ",", "example.com", "1.2.3.4.5", "9" * 5000, "\N{SNOWMAN}"]
)
def test_who_hides_is_counted_as_his_proxy(value: str) -> None:
    assert forwarded_for(value) == PEER
    assert forwarded_for(f"203.0.113.9, {value}, 10.0.0.7") in ("10.0.0.7", "203.0.113.9")


@pytest.mark.parametrize("opened", ['"', 'a="', '203.0.113.1, "', '"203.0.113.1, '])
def test_a_quote_swallows_nothing(opened: str) -> None:
    assert forwarded_for(f"{opened}, 198.51.100.7") == "198.51.100.7"
    proxies = Proxies(trusted=OURS, header="Forwarded")
    value = f'for={opened}, for="[2001:db8::7]:1234";proto=https'
    assert origin(proxies, ("Forwarded", value)).address == "2001:db8::7"


def test_the_other_header_is_read_only_where_it_is_named() -> None:
    both = (("Forwarded", "for=203.0.113.1"), ("X-Forwarded-For", "203.0.113.2"))
    assert origin(Proxies(trusted=OURS), *both).address == "203.0.113.2"
    assert origin(Proxies(trusted=OURS, header="Forwarded"), *both).address == "203.0.113.1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=203.0.113.9;proto=https;by=10.0.0.1", Origin(address="203.0.113.9", is_secure=True)),
        ('For="[2001:db8::1]:4711"; Proto="HTTP"', Origin(address="2001:db8::1", is_secure=False)),
        ("for=1.1.1.1;proto=https, for=203.0.113.9;proto=http", Origin(address="203.0.113.9", is_secure=False)),
        ("proto=https", Origin(address=PEER, is_secure=True)),
        ("for", Origin(address=PEER, is_secure=False)),
        (";;=;,=", Origin(address=PEER, is_secure=False)),
    ],
)
def test_forwarded_says_more(value: str, expected: Origin) -> None:
    assert origin(Proxies(trusted=OURS, header="Forwarded"), ("Forwarded", value)) == expected


@pytest.mark.parametrize(
    ("addresses", "schemes", "secure"),
    [
        ("203.0.113.9", "https", True),
        ("203.0.113.9", "http", False),
        ("203.0.113.9", "", False),
        ("203.0.113.9, 10.0.0.7", "https, http", True),
        ("203.0.113.9, 10.0.0.7", "https", True),
        ("", "https", True),
    ],
)
def test_tls_is_spoken_with_the_client(addresses: str, schemes: str, *, secure: bool) -> None:
    headers = (("X-Forwarded-For", addresses), ("X-Forwarded-Proto", schemes))
    assert origin(Proxies(trusted=OURS), *headers).is_secure is secure


HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=200)


@given(st.lists(st.tuples(st.sampled_from(["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"]), HEADER), max_size=5))
def test_no_header_is_too_odd(headers: list[tuple[str, str]]) -> None:
    for name in ("X-Forwarded-For", "Forwarded"):
        assert origin(Proxies(trusted=OURS, header=name), *headers).address


@given(st.lists(HEADER, max_size=3))
def test_nothing_that_a_client_writes_moves_what_a_proxy_adds(written: list[str]) -> None:
    assert forwarded_for(*written, "203.0.113.9") == "203.0.113.9"
    assert forwarded_for(", ".join([*written, "203.0.113.9"])) == "203.0.113.9"
