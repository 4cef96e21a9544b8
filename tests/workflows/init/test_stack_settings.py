"""The environments' Compose files as settings and tasks: stacks as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dartsctl.discovery.proposal import Task
from dartsctl.workflows.init.stack_settings import find_stacks
from fakes.engine import FakeEngine
from fakes.init_projects import facts, init_project

BASE: dict[str, Any] = {
    "api": {"image": "x", "depends_on": {"db": {}, "mail": {}}},
    "db": {"image": "postgres"},
    "mail": {"image": "axllent/mailpit"},
}


def tasks(root: Path, *services: str, settings: str = "") -> tuple[Task, ...]:
    own = {name: {"image": "x"} for name in services}
    stacks = (
        facts("dev", root / "compose.yaml", services=BASE),
        facts("prod", root / "compose.prod.yaml", services=own),
    )
    project = init_project(root, *stacks, engine=FakeEngine(), settings=settings)
    return find_stacks(project, ()).tasks


def test_a_file_for_production_that_lacks_a_store_of_its_base_may_be_meant_to_lie_over_it(
    tmp_path: Path,
) -> None:
    (task,) = tasks(tmp_path, "api", "proxy")
    assert task.text == (
        "prod: compose.prod.yaml alone has no db, used by api in compose.yaml; if it is meant to "
        "lie over that file"
    )
    assert task.paste == ("[prod]", 'files = ["compose.yaml", "compose.prod.yaml"]')
    assert not task.is_required


def test_a_complete_file_or_one_that_the_settings_name_is_no_question(tmp_path: Path) -> None:
    assert tasks(tmp_path, "api", "db") == ()
    assert tasks(tmp_path, "other") == ()
    (tmp_path / "compose.prod.yaml").touch()
    assert tasks(tmp_path, "api", settings='[prod]\nfiles = ["compose.prod.yaml"]') == ()


def test_only_a_project_without_compose_files_gets_a_server_alone(tmp_path: Path) -> None:
    production = facts("prod", tmp_path / "compose.prod.yaml", services=BASE)
    for stacks in ((), (production,)):
        settings = find_stacks(init_project(tmp_path, *stacks, engine=FakeEngine()), ()).settings
        alone = [line.value for line in settings if (line.table, line.key) == ("dev", "files")]
        assert alone == ([] if stacks else [[]])
