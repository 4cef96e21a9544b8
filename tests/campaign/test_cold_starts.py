"""One cold start of the darts server's shape, with images to build. More: `make cold-starts`."""

from __future__ import annotations

import cold_starts
import pytest

pytest_plugins = ("live.stack",)


@pytest.mark.engine
@pytest.mark.stack
@pytest.mark.timeout(1200)
def test_a_first_start_with_images_to_build_ends_when_nginx_serves_every_location() -> None:
    from live.stack import one_stack_at_a_time

    with one_stack_at_a_time():
        (start,) = cold_starts.starts(1, seed=3, build=True, settling_time=1)
    assert start.wrong == (), start.text
