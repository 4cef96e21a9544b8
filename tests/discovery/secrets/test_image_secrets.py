"""Which images set a password of their own, and what a Dockerfile is built on."""

from __future__ import annotations

import pytest

from dartsctl.discovery.secrets.image_secrets import initial_variables


@pytest.mark.parametrize("image", ["redis-commander", "mongodb-exporter", "python:3.12", ""])
def test_an_image_that_only_connects_sets_no_password(image: str) -> None:
    assert initial_variables(image) == frozenset()
