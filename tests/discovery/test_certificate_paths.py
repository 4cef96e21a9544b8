"""Which certificates configuration files name, and where they are on this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.discovery.certificate_paths import NamedPair, on_host, pairs_in
from dartsctl.stack.model import Mount

NGINX = (
    "http { server { server_name shop.example *.x _ ~^a$;\n"
    "ssl_certificate /a.crt; ssl_certificate_key /a.key; } }"
)
CONF_D = (  # with a path relative to nginx's folder
    "ssl_certificate ssl/rsa.pem; ssl_certificate_key ssl/rsa.key;\n"
    "ssl_certificate /ec.pem; ssl_certificate_key /ec.key;"
)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (
            NGINX,
            [NamedPair("/a.crt", "/a.key", ("shop.example",), "f:2")],
        ),
        (
            CONF_D,
            [
                NamedPair("/etc/nginx/ssl/rsa.pem", "/etc/nginx/ssl/rsa.key", (), "f:1"),
                NamedPair("/ec.pem", "/ec.key", (), "f:2"),
            ],
        ),
        ("ssl_certificate $name.crt; ssl_certificate_key $name.key;", []),
        ("# ssl_certificate /a; ssl_certificate_key /b;", []),
        (
            "<VirtualHost *:443>\n  SSLCertificateFile /a.crt\n  SSLCertificateKeyFile /a.key\n",
            [NamedPair("/a.crt", "/a.key", (), "f:2")],
        ),
        ("shop.example {\n\ttls /a.pem /a.key\n}", [NamedPair("/a.pem", "/a.key", (), "f:2")]),
        ("shop.example {\n\ttls internal\n}", []),
        (
            "tls:\n  certificates:\n    - certFile: /a.crt\n      keyFile: /a.key\n",
            [NamedPair("/a.crt", "/a.key", (), "f:3")],
        ),
        (
            '[[tls.certificates]]\ncertFile = "/a.crt"\nkeyFile = "/a.key"\n',
            [NamedPair("/a.crt", "/a.key", (), "f:2")],
        ),
        ("", []),
    ],
)
def test_a_proxys_configuration_names_its_pairs(text: str, pairs: list[NamedPair]) -> None:
    assert list(pairs_in(text, "f")) == pairs


def test_the_innermost_mount_has_the_file() -> None:
    mounts = [
        Mount("/srv/conf", "/etc/nginx/"),
        Mount("/srv/certs", "/etc/nginx/ssl"),
        Mount("/srv/one.crt", "/etc/nginx/one.crt"),
    ]
    assert on_host("/etc/nginx/ssl/../ssl/a.crt", mounts) == Path("/srv/certs/a.crt")
    assert on_host("/etc/nginx/one.crt", mounts) == Path("/srv/one.crt")
    assert on_host("/etc/nginx/b.crt", mounts) == Path("/srv/conf/b.crt")
    assert on_host("/etc/nginx/sslx/a.crt", mounts) == Path("/srv/conf/sslx/a.crt")
    assert on_host("/etc/letsencrypt/a.crt", mounts) is None
