from __future__ import annotations

import socket

import pytest

from whispercore.errors import InvalidOption
from whispercore_server.errors import CannotStart
from whispercore_server.listening import address_of, bound


def test_any_port() -> None:
    with bound("127.0.0.1", 0) as sockets:
        port = sockets[0].getsockname()[1]
        assert address_of("127.0.0.1", sockets) == f"http://127.0.0.1:{port}"
        assert address_of("0.0.0.0", sockets) == f"http://127.0.0.1:{port}"  # noqa: S104
        assert address_of("::1", sockets) == f"http://[::1]:{port}"
    assert sockets[0].fileno() == -1


def test_a_name_with_several_addresses_has_one_port() -> None:
    with bound("localhost", 0) as sockets:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert {one.family for one in sockets} <= {socket.AF_INET, socket.AF_INET6}


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"127.0.0.1 port {port} is in use"), bound("127.0.0.1", port):
            pass


def test_addresses_of_other_machines() -> None:
    with pytest.raises(CannotStart, match=r"192\.0\.2\.1 port 0 cannot be listened on"), bound("192.0.2.1", 0):
        pass


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 70, "x..y"])
def test_names_without_an_address(host: str) -> None:
    with pytest.raises(InvalidOption, match="has no address"), bound(host, 0):
        pass
