"""Addresses and networks."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispercore.people.networks import address, is_within, network, networks, site


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001:DB8:0::1", "2001:db8::1/128"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_what_it_says(text: str, meant: str) -> None:
    assert str(network(text)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10.1.2.3/8",
        "10.0.0.0/33",
        "010.0.0.1",
        "1.2.3",
        "example.com",
        "fe80::1%eth0/64",
        "1" * 10_000,
        "\u0661.2.3.4",
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an IP address or network"):
        network(text)


def test_several_are_written_one_after_the_other() -> None:
    assert networks("10.0.0.0/8, 192.0.2.1 ::1") == (network("10.0.0.0/8"), network("192.0.2.1"), network("::1"))
    assert networks("  ") == ()


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("10.255.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("11.0.0.1", False),
        ("2001:db8::5", True),
        ("2001:db8::5%eth0", True),
        ("2001:db9::5", False),
        ("", False),
        ("nonsense", False),
        ("10.0.0.1, 10.0.0.2", False),
    ],
)
def test_an_address_is_inside_or_not(text: str, *, inside: bool) -> None:
    assert is_within(text, networks("10.0.0.0/8 2001:db8::/32")) is inside


def test_version_4_inside_version_6_is_version_4() -> None:
    assert address("::ffff:192.0.2.1") == ip_address("192.0.2.1")
    assert isinstance(network("::ffff:0:0/96"), IPv4Network)
    assert site("::ffff:192.0.2.1") == site("192.0.2.1") == "192.0.2.1"


def test_a_whole_site_of_version_6_is_counted_as_one() -> None:
    assert site("2001:db8:1:2:3:4:5:6") == site("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert site("2001:db8:1:3::") != site("2001:db8:1:2::")
    assert site("") == site("unix") == ""


@given(st.ip_addresses())
def test_every_address_is_in_its_own_network(one: object) -> None:
    assert is_within(str(one), (network(str(one)),))


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    assert is_within(text, ()) is False
    site(text)
