"""Docker's rules for .dockerignore."""

from __future__ import annotations

import pytest

from dartsctl.discovery.docker_ignore import excluded, kept_on_purpose, takes


@pytest.mark.parametrize(
    ("lines", "path", "is_out"),
    [
        ("", ".env", False),
        (".env", ".env", True),
        ("/.env", ".env", True),
        ("./.env/", ".env", True),
        (".env", "api/.env", False),  # unlike .gitignore: from the root
        ("**/.env", "api/.env", True),
        ("**/.env", ".env", True),
        (".env*", ".env.production", True),
        ("*", "nginx/ssl/a.key", True),  # a folder that is out has nothing in it
        ("nginx", "nginx/ssl/a.key", True),
        ("nginx/*.key", "nginx/ssl/a.key", False),
        ("nginx/**/*.key", "nginx/ssl/a.key", True),
        ("**/*.key", "nginx/ssl/a.key", True),
        (".en?", ".env", True),
        (".[a-f]nv", ".env", True),
        ("# .env", ".env", False),
        ("  .env  ", ".env", True),
        ("*\n!.env", ".env", False),
        ("!.env\n*", ".env", True),
        (".env*\n! .env.example", ".env", True),
        ("[", ".env", False),
        ("\ufeff.env", ".env", True),
    ],
)
def test_the_last_matching_line_decides(lines: str, path: str, is_out: bool) -> None:
    assert excluded(path, lines.splitlines()) is is_out


def test_a_line_that_brings_a_file_back_is_on_purpose() -> None:
    assert kept_on_purpose(".env", ["*", "!.env"])
    assert not kept_on_purpose(".env", ["!.env"])
    assert not kept_on_purpose(".env", ["*", "!.env", ".env"])


def test_a_copied_folder_takes_what_is_in_it() -> None:
    assert takes(".", ".env")
    assert takes("nginx", "nginx/ssl/a.key")
    assert takes(".env*", ".env.production")
    assert takes("$FOLDER", ".env")
    assert not takes("src", ".env")
