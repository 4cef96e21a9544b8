"""The address that a host server binds, its host name and its URL."""

from __future__ import annotations

import pytest

from dartsctl.errors import UsageError
from dartsctl.server.urls import bind_address, host_name, url_of


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_a_host_is_an_address(host: str, address: str) -> None:
    assert bind_address(host) == address


def test_any_other_host_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"--host: 'box\.local' is not an IP address"):
        bind_address("box.local")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5007"),
        ("0.0.0.0", "http://127.0.0.1:5007"),
        ("::", "http://[::1]:5007"),
        ("::1", "http://[::1]:5007"),
    ],
)
def test_a_browser_can_open_the_url(address: str, url: str) -> None:
    assert url_of(address, 5007) == url


def test_the_url_has_the_host_name_of_the_settings() -> None:
    assert url_of("127.0.0.1", 5007, "main.localhost") == "http://main.localhost:5007"


@pytest.mark.parametrize(
    ("template", "branch", "checkout", "name"),
    [
        ("{branch}.localhost", "feature/WSO2_login", "/src/darts", "feature-wso2-login.localhost"),
        # without a branch the checkout is the name
        ("{branch}.localhost", "", "/src/Darts Server", "darts-server.localhost"),
        ("{checkout}.localhost", "main", "/src/darts-2", "darts-2.localhost"),
        ("{branch}.{checkout}.localhost", "main", "/src/darts", "main.darts.localhost"),
        ("{branch}.localhost", "ünïcode-", "/src/darts", "n-code.localhost"),
        ("{branch}.localhost", "x" * 80, "/src/darts", "x" * 63 + ".localhost"),
        ("localhost", "main", "/", "localhost"),
        ("{checkout}.localhost", "", "/src/___", "checkout.localhost"),
    ],
)
def test_a_branch_or_a_checkout_becomes_one_label_of_a_host_name(
    template: str, branch: str, checkout: str, name: str
) -> None:  # edge-cases.md#68
    assert host_name(template, branch=branch, checkout=checkout) == name
