"""What a Dockerfile says about the image that is built from it."""

from __future__ import annotations

import pytest

from dartsctl.discovery.dockerfile import copied_by, read_dockerfile


@pytest.mark.parametrize(
    ("dockerfile", "image"),
    [
        ("FROM postgres:16\nRUN true\n", "postgres:16"),
        ("# c\nFROM --platform=linux/amd64 mysql AS db\nCOPY x y\n", "mysql"),
        ("FROM node AS build\nFROM nginx\nCOPY --from=build a b\n", "nginx"),
        ("FROM redis AS base\nFROM base\n", "redis"),
        ("ARG V=1\nFROM postgres:$V\n", ""),
        ("", ""),
    ],
)
def test_the_last_stage_says_what_an_image_is_built_on(dockerfile: str, image: str) -> None:
    assert read_dockerfile(dockerfile).base == image


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
    assert copied_by(dockerfile) == sources


def test_the_stage_that_compose_builds_counts() -> None:
    text = "FROM x AS dev\nCMD python a.py\nFROM x AS live\nCMD python b.py"
    assert read_dockerfile(text, stage="dev").command.words == ("python a.py",)
    assert read_dockerfile(text).command.line == 4


@pytest.mark.parametrize("text", ["", "CMD", "FROM", "FROM x\nCMD [broken", "FROM x\nENV 'a"])
def test_a_broken_dockerfile_says_nothing(text: str) -> None:
    assert read_dockerfile(text).command.words == ()
