"""Compose's own progress lines, as versions 2.24.5, 2.29.7, 2.36.2 and 2.40.3 print them."""

from __future__ import annotations

import pytest

from dartsctl.stack.compose_progress import Progress, name_in_use, parse_progress

RECORDED = {
    " Network shop_default  Creating": Progress("network", "shop_default", "creating"),
    " Network shop_default  Created": Progress("network", "shop_default", "created"),
    ' Network "shop_default"  Created': Progress("network", "shop_default", "created"),
    " Container shop-web-1  Creating": Progress("container", "shop-web-1", "creating"),
    " Container shop-web-1  Created": Progress("container", "shop-web-1", "created"),
    " Container shop-web-1  Recreate": Progress("container", "shop-web-1", "recreate"),
    " Container shop-web-1  Recreated": Progress("container", "shop-web-1", "recreated"),
    " Container shop-web-1 Created ": Progress("container", "shop-web-1", "created"),
}


@pytest.mark.parametrize("line", RECORDED)
def test_a_line_about_a_container_or_network_is_parsed(line: str) -> None:
    assert parse_progress(line) == RECORDED[line]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "canceled",
        " Volume shop_data  Created",
        ' Volume "shop_data"  Creating',
        " Container shop-web-1  Starting",
        " Container shop-web-1  Running",
        " Container shop-web-1  Error response from daemon: no such image",
        " web Pulling",
        "#1 RUN echo Container shop-web-1  Created; true",
        "Step 2/3 : RUN echo Container shop-web-1 Created",
    ],
)
def test_other_lines_are_ignored(line: str) -> None:
    assert parse_progress(line) is None


def test_the_name_in_use_is_read_from_the_engines_error() -> None:
    text = (
        'Conflict. The container name "/shop-web-1" is already in use by container "846a". '
        "You have to remove (or rename) that container"
    )
    assert name_in_use(f"Error response from daemon: {text}") == "shop-web-1"
    assert name_in_use(f" Container shop-web-1  Error response from daemon: {text}") == "shop-web-1"
    assert name_in_use(" Container shop-web-1  Created") == ""
