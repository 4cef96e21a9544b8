"""What is left to a person about an env file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.workflows.init.env_changes import EnvTarget
from dartsctl.workflows.init.env_tasks import mode_tasks, unfinished_tasks
from dartsctl.workflows.init.project import InitRequest, Project
from fakes.deps import FakeClock, fake_deps


@pytest.fixture
def project(tmp_path: Path) -> Project:
    request, deps = InitRequest(load(tmp_path, {})), fake_deps(tmp_path, FakeClock())
    return Project(request, {}, bundled=False, deps=deps)


def test_an_env_file_of_production_that_others_may_read_is_named(project: Project) -> None:
    path = project.root / ".env"
    target = EnvTarget(path, production=True)
    assert mode_tasks(target, project).tasks == ()
    path.touch(mode=0o640)
    [task] = mode_tasks(target, project).tasks
    assert task.text == ".env can be read by others: production refuses it"
    assert task.paste == (f"chmod 600 {path}",)
    assert mode_tasks(EnvTarget(path), project).tasks == ()  # dev's may be
    path.chmod(0o600)
    assert mode_tasks(target, project).tasks == ()


def test_a_value_that_must_not_stay_is_named_without_it(project: Project) -> None:
    [task] = unfinished_tasks(["SITE"], project.root / ".env.production", project).tasks
    assert task.text == "replace the value of SITE in .env.production: production refuses it"
    assert task.is_required
