"""What an nginx on the host's network binds.

Source: edge-cases.md#53.
"""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.nginx.listening import listened

SITE = "/etc/nginx/conf.d/default.conf"


def places(text: str) -> list[str]:
    """Return `ADDRESS PORTS/PROTOCOL` for each port of a file in conf.d."""
    entries = listened({SITE: text})
    return [f"{entry.host_ip} {entry.published}/{entry.protocol}" for entry in entries]


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("8080", ["0.0.0.0 8080/tcp"]),
        ("127.0.0.1:8080", ["127.0.0.1 8080/tcp"]),
        ("[::]:8080 ssl", [":: 8080/tcp"]),
        ("[::]:8080 ipv6only=off", [":: 8080/tcp", "0.0.0.0 8080/tcp"]),
        ("*:8080 default_server", ["0.0.0.0 8080/tcp"]),
        ("localhost:8080", ["127.0.0.1 8080/tcp"]),
        ("192.0.2.7", ["192.0.2.7 80/tcp"]),
        ("8000-8003", ["0.0.0.0 8000-8003/tcp"]),
        ("443 quic reuseport", ["0.0.0.0 443/udp"]),
        ("unix:/run/nginx.sock", []),
        ("app:8080", []),
        ("${PORT}", []),
        ("0", []),
        ("70000", []),
    ],
)
def test_each_form_of_listen_names_its_sockets(listen: str, expected: list[str]) -> None:
    assert places(f"server {{ listen {listen}; }}") == expected


def test_a_server_without_listen_is_on_port_80() -> None:
    assert places("server { server_name a; } server { listen 81; }") == [
        "0.0.0.0 80/tcp",
        "0.0.0.0 81/tcp",
    ]


def test_a_main_file_decides_which_files_count_and_may_have_streams() -> None:
    main = "events {} stream { server { listen 53 udp; } server { proxy_pass x; } }"
    files = {"/etc/nginx/sites-enabled/a": "server { listen 81; }"}
    entries = listened({"/etc/nginx/nginx.conf": main, **files})
    assert [entry.published for entry in entries] == ["53"]
    main += " http { include /etc/nginx/sites-enabled/*; }"
    entries = listened({"/etc/nginx/nginx.conf": main, **files})
    assert [entry.published for entry in entries] == ["53", "81"]
    assert listened({"/etc/nginx/mime.types": "types { text/html html; }"}) == ()
