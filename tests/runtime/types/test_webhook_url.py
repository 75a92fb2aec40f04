"""Which URLs and addresses webhooks are sent to."""

from __future__ import annotations

import pytest

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.webhook_url import AllowedHosts, checked_url, is_public

NOBODY = AllowedHosts(())


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("0.0.0.0", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.2.1", "198.18.0.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "ff02::1"),
        *(
            "fec0::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
        ),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
        *("2001:0:53aa:64c:0:0:7f00:1", "::127.0.0.1", "64:ff9b:1::1"),
    ],
)
def test_no_address_behind_the_internet_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://[::1]:8080/", "http://localhost/", "http://LOCALHOST./x"),
        *("https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data"),
    ],
)
def test_a_url_that_names_such_an_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="webhook_hosts"):
        checked_url(url, NOBODY)


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "file:///etc/passwd", "http://", "http:///x"),
        *("https://user@example.com/", "https://:p@example.com/", "https://example.com/#part"),
        *("https://example.com:99999/", "https://example.com/a b", "https://example.com/\r\nX: y"),
        *("https://exämple.com/", "https://[::1", "https://example.com/" + "x" * 2048),
        None,
    ],
)
def test_what_is_no_url_of_a_receiver_is_refused(url: str | None) -> None:
    with pytest.raises(ConfigurationError, match="webhook"):
        checked_url(url, NOBODY)


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("http://Example.com/in?a=1", "example.com", 80, "/in?a=1", "example.com"),
        ("https://example.com:8443/?q", "example.com", 8443, "/?q", "example.com:8443"),
        ("http://[2606:4700::1111]:81/", "2606:4700::1111", 81, "/", "[2606:4700::1111]:81"),
    ],
)
def test_a_url_says_where_to_send(
    url: str, host: str, port: int, target: str, authority: str
) -> None:
    found = checked_url(url, NOBODY)

    assert (found.host, found.port, found.target) == (host, port, target)
    assert found.authority == authority


def test_hosts_that_are_named_may_have_any_address() -> None:
    allowed = AllowedHosts(("Hooks.internal", "10.1.0.0/16", "fd00::5"))

    assert allowed.admits("hooks.internal.", "192.168.0.1")
    assert allowed.admits("other", "10.1.2.3")
    assert allowed.admits("other", "::ffff:10.1.2.3")
    assert allowed.admits("other", "fd00::5")
    assert not allowed.admits("other", "10.2.0.1")
    assert not allowed.admits("other", "fd00::6")
    assert checked_url("http://10.1.2.3/", allowed).host == "10.1.2.3"
