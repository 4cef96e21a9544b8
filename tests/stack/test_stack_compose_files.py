"""Which Compose files Compose picks by itself, and which files two stacks share.

tests/workflows/up/test_another_stack.py compares this with Compose.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.stack import compose_files
from two_users import NOBODY, as_user, needs_root, public_folder


@pytest.mark.parametrize(
    ("there", "picked"),
    [
        (
            ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"),
            ("compose.yaml",),
        ),
        (("compose.yml", "docker-compose.yml"), ("compose.yml",)),
        (("docker-compose.yml", "docker-compose.yaml"), ("docker-compose.yml",)),
        (
            ("docker-compose.yaml", "docker-compose.override.yaml", "compose.override.yaml"),
            ("docker-compose.yaml", "compose.override.yaml"),
        ),
        (
            ("compose.yml", "compose.override.yml", "compose.override.yaml"),
            ("compose.yml", "compose.override.yml"),
        ),
        (("compose.override.yml",), ()),
    ],
)
def test_the_order_of_compose(
    tmp_path: Path, there: tuple[str, ...], picked: tuple[str, ...]
) -> None:
    for name in there:
        (tmp_path / name).touch()
    assert compose_files.in_folder(tmp_path) == tuple(tmp_path / name for name in picked)


def test_the_nearest_parent_with_files_is_used(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").touch()
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    assert compose_files.find_upwards(below) == (tmp_path / "compose.yml",)
    (tmp_path / "src" / "docker-compose.yml").touch()
    assert compose_files.find_upwards(below) == (tmp_path / "src" / "docker-compose.yml",)


@needs_root
def test_a_parent_without_access_has_no_files() -> None:
    with public_folder(mode=0o700) as closed:
        (closed / "compose.yml").touch()
        below = closed / "open"
        below.mkdir()
        assert as_user(NOBODY, lambda: compose_files.find_upwards(below)) == "()"


@pytest.mark.parametrize(
    "label", ["/srv/\0/compose.yml", "/srv/\ud800/compose.yml", "/a" * 500_000, "-", ""]
)
def test_a_label_that_is_not_a_path_stays_as_it_is(label: str) -> None:
    assert len(compose_files.identities([label, label])) == 1
    assert compose_files.identities([label]) != compose_files.identities(["/srv/shop/compose.yml"])


def test_the_files_of_a_variable_are_relative_to_the_folder() -> None:
    files = (Path("/srv/shop/a.yml"), Path("/srv/b.yml"), Path("/c.yml"))
    shop = Path("/srv/shop")
    assert compose_files.picked(shop, {"COMPOSE_FILE": "a.yml:../b.yml:/c.yml:"}) == files
    other = {"COMPOSE_FILE": "a.yml;../b.yml;/c.yml", "COMPOSE_PATH_SEPARATOR": ";"}
    assert compose_files.picked(shop, other, named="x.yml") == files
    assert compose_files.picked(shop, {}, named="a.yml:../b.yml:/c.yml") == files


def test_only_overrides_of_the_project_are_left_out() -> None:
    files = [
        "/srv/compose.yml",
        "/s/overrides/shop.yml",
        "/s/overrides/shop.app.yml",
        "/srv/overrides/other.yml",
        "/srv/shop.yml",
    ]
    assert list(compose_files.without_overrides(files, "shop")) == [
        "/srv/compose.yml",
        "/srv/overrides/other.yml",
        "/srv/shop.yml",
    ]
