"""Docker's rules for .dockerignore, and what a Dockerfile copies."""

from __future__ import annotations

import pytest

from dartsctl.discovery.docker_ignore import copied, excluded, kept_on_purpose, takes


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
    ],
)
def test_the_last_matching_line_decides(lines: str, path: str, is_out: bool) -> None:
    assert excluded(path, lines.splitlines()) is is_out


def test_a_line_that_brings_a_file_back_is_on_purpose() -> None:
    assert kept_on_purpose(".env", ["*", "!.env"])
    assert not kept_on_purpose(".env", ["!.env"])
    assert not kept_on_purpose(".env", ["*", "!.env", ".env"])


@pytest.mark.parametrize(
    ("dockerfile", "sources"),
    [
        ("FROM x\nCOPY . .\n", (".",)),
        ("COPY ./ /app/\n", (".",)),
        ('add --chown=a:b ["src", "package.json", "./"]', ("src", "package.json")),
        ("COPY a \\\n     b /app/\n", ("a", "b")),
        ("COPY --from=build /out /app\nADD https://x/y /y\n", ()),
        ("# COPY . .\nRUN COPY\n", ()),
    ],
)
def test_a_dockerfile_says_what_it_copies(dockerfile: str, sources: tuple[str, ...]) -> None:
    assert copied(dockerfile) == sources


def test_a_copied_folder_takes_what_is_in_it() -> None:
    assert takes(["."], ".env")
    assert takes(["nginx"], "nginx/ssl/a.key")
    assert takes([".env*"], ".env.production")
    assert takes(["$FOLDER"], ".env")
    assert not takes(["src", "requirements.txt"], ".env")
