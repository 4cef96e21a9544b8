"""A linked git worktree has a project of its own; production's stays the same everywhere.

edge-cases.md#91
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dartsctl.config.environment import resolve
from dartsctl.config.load_settings import load
from dartsctl.config.settings import Settings
from dartsctl.config.worktree import linked_worktree


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    subprocess.run(
        ["git", "-C", str(folder), *identity, *words],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an app at its root and one in a folder, and a linked worktree `Fix 1`."""
    main = tmp_path_factory.mktemp("repository") / "shop"
    app = main / "apps" / "blog"
    app.mkdir(parents=True)
    for folder in (main, app):
        (folder / "compose.dev.yaml").write_text("services: {web: {image: x}}\n")
    git(main, "init", "-q")
    git(main, "add", ".")
    git(main, "commit", "-qm", "files")
    git(main, "worktree", "add", "-q", str(main.parent / "Fix 1"), "-b", "fix/1")
    return main


def settings_of(folder: Path, text: str, **environ: str) -> Settings:
    file = folder / "dartsctl.toml"
    file.write_text(text)
    try:
        return load(folder, environ)
    finally:
        file.unlink()


def projects(folder: Path, text: str, **environ: str) -> tuple[str, str]:
    environments = settings_of(folder, text, **environ).environments
    return environments["dev"].project, environments["prod"].project


@pytest.mark.parametrize(
    ("text", "main", "linked"),
    [
        ("", ("shop-dev", "shop"), ("fix1-dev", "fix1")),
        ('name = "darts"', ("darts-dev", "darts"), ("darts-dev-fix-1", "darts")),
        ('[dev]\nproject = "mine"', ("mine", "shop"), ("mine-fix-1", "fix1")),
    ],
    ids=["the folder's name", "a name", "a project"],
)
def test_what_the_file_names_gets_the_worktrees_name_after_it_except_production(
    repository: Path, text: str, main: tuple[str, str], linked: tuple[str, str]
) -> None:
    assert projects(repository, text) == main
    assert projects(repository.parent / "Fix 1", text) == linked


def test_an_app_in_a_folder_of_the_worktree_has_its_own_project_too(repository: Path) -> None:
    assert projects(repository / "apps" / "blog", "") == ("blog-dev", "blog")
    there = repository.parent / "Fix 1" / "apps" / "blog"
    assert projects(there, "") == ("blog-dev-fix-1", "blog")


def test_a_name_in_the_compose_file_is_the_same_in_every_checkout(repository: Path) -> None:
    for folder, project in ((repository, "mine"), (repository.parent / "Fix 1", "mine-fix-1")):
        file = folder / "compose.yaml"
        file.write_text("name: mine\nservices: {}\n")
        specific = (folder / "compose.dev.yaml").rename(folder / "kept")
        try:
            assert projects(folder, "")[0] == project
        finally:
            file.unlink()
            specific.rename(folder / "compose.dev.yaml")


def test_a_variable_and_a_flag_name_the_project_as_it_is(repository: Path) -> None:
    linked = repository.parent / "Fix 1"
    named = projects(linked, 'name = "darts"', DARTSCTL_DEV_PROJECT="mine")
    assert named == ("mine", "darts")
    settings = settings_of(linked, 'name = "darts"')
    environment = resolve(settings, "dev")
    assert (environment.project, environment.copy_of) == ("darts-dev-fix-1", "darts-dev")
    typed = resolve(settings, "dev", project="mine")
    assert (typed.project, typed.copy_of) == ("mine", "")


@pytest.mark.parametrize(
    "text",
    ["gitdir: ../.git/modules/lib", "", "nonsense", "gitdir: \0", "gitdir: /worktrees", "x" * 9999],
)
def test_a_submodule_and_a_broken_git_file_are_no_worktree(tmp_path: Path, text: str) -> None:
    (tmp_path / ".git").write_text(text)
    assert linked_worktree(tmp_path / "deep" / "inside") is None


def test_gits_name_of_the_worktree_is_told_from_any_folder_in_it(repository: Path) -> None:
    linked = repository.parent / "Fix 1"
    assert linked_worktree(linked / "apps" / "blog") == (linked, "Fix-1")
    assert linked_worktree(repository / "apps") is None
