"""Addresses that strangers may not have us call."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispercore.errors import InvalidOption
from whispercore.outgoing.addresses import AddressRefused, checked_url, is_public, socket_factory

INTERNAL = [
    "0.0.0.0",  # noqa: S104 (an example)
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "168.63.129.16",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("text", INTERNAL)
def test_internal_addresses(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert not is_public(address)
    family = 2 if address.version == 4 else 10
    with pytest.raises(AddressRefused):
        socket_factory(allow_internal=False)((family, 1, 6, "", (text, 80)))
    socket_factory(allow_internal=True)((family, 1, 6, "", (text, 80))).close()


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_other_spellings_are_judged_alike(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        spelt = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address))
        assert is_public(spelt) == is_public(address)


def test_a_zone_does_not_hide_an_address() -> None:
    with pytest.raises(AddressRefused):
        socket_factory(allow_internal=False)((10, 1, 6, "", ("fe80::1%lo", 80, 0, 1)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "talk.mp3",
        "//example.com/a",
        "ftp://example.com/a",
        "file:///etc/passwd",
        "gopher://example.com",
        "data:audio/wav;base64,AAAA",
        "http://",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com:22/",
        "http://example.com:99999/",
        "http://[::1",
        f"http://example.com/{'a' * 3000}",
    ],
)
def test_what_is_no_address_of_the_web(text: str) -> None:
    with pytest.raises(InvalidOption):
        checked_url(text, option="url", allow_internal=False)


def test_addresses_of_the_web() -> None:
    for text in ("http://example.com/a.mp3", "https://example.com:8443/a?b=c", "HTTP://EXAMPLE.com"):
        assert checked_url(text, option="url", allow_internal=False).host == "example.com"
    assert str(checked_url("https://example.com/a#part", option="url", allow_internal=False)) == "https://example.com/a"


@given(st.text(max_size=60))
def test_no_text_is_too_much(text: str) -> None:
    for start in ("", "http://", "https://[", "http://a:"):
        try:
            checked_url(start + text, option="url", allow_internal=False)
        except InvalidOption:
            continue
