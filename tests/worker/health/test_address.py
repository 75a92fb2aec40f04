from __future__ import annotations

import pytest

from penstock.publisher.errors import ConfigurationError
from penstock.worker.health.address import Address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9100", "", 9100),
        (":9100", "", 9100),
        ("127.0.0.1:9100", "127.0.0.1", 9100),
        ("localhost:0", "localhost", 0),
        ("[::1]:9100", "::1", 9100),
    ],
)
def test_an_address_is_a_port_with_or_without_a_host(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address(host, port)


@pytest.mark.parametrize("text", ["", "here", "127.0.0.1", "1:-1", "99999", "::1", "²"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match="9100"):
        Address.parse(text if text != "::1" else "::x")


def test_a_port_that_is_taken_is_named() -> None:
    with Address("127.0.0.1", 0).listen() as listener:
        port = listener.getsockname()[1]

        with pytest.raises(
            ConfigurationError,
            match=f"127.0.0.1:{port}: Address already in use; use another address",
        ):
            Address("127.0.0.1", port).listen()
