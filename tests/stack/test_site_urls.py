"""URLs of published ports are what a person would type."""

from __future__ import annotations

import pytest

from dartsctl.stack.site_urls import site_place, site_url


@pytest.mark.parametrize(
    ("address", "port", "tls", "url"),
    [
        ("0.0.0.0", 8080, False, "http://localhost:8080/"),
        ("127.0.0.1", 80, False, "http://localhost/"),
        ("127.0.0.1", 443, True, "https://localhost/"),
        ("::", 443, False, "http://localhost:443/"),
        ("::1", 8443, True, "https://localhost:8443/"),
        ("127.0.0.2", 80, False, "http://127.0.0.2/"),
        ("192.0.2.7", 5000, False, "http://192.0.2.7:5000/"),
        ("2001:db8::1", 80, False, "http://[2001:db8::1]/"),
    ],
)
def test_a_url_names_localhost_and_leaves_the_default_port_out(
    address: str, port: int, tls: bool, url: str
) -> None:
    assert site_url(address, port, tls=tls) == url


def test_a_place_always_names_its_port() -> None:
    assert site_place("0.0.0.0", 80) == "localhost:80"
    assert site_place("2001:db8::1", 5432) == "[2001:db8::1]:5432"
