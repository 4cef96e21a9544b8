"""Which images set a password of their own, and what a Dockerfile is built on."""

from __future__ import annotations

import pytest

from dartsctl.discovery.secrets.image_secrets import base_image, image_name, initial_variables


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
    assert base_image(dockerfile) == image


def test_registry_port_tag_and_digest_are_no_part_of_the_name() -> None:
    assert image_name("host:5000/a/Postgres:16@sha256:0") == "postgres"


@pytest.mark.parametrize("image", ["redis-commander", "mongodb-exporter", "python:3.12", ""])
def test_an_image_that_only_connects_sets_no_password(image: str) -> None:
    assert initial_variables(image) == frozenset()
