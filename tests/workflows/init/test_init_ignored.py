"""What must not get into a repository or an image: lines for both, and what git has already."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.changes import Change
from dartsctl.discovery.proposal import Proposal
from dartsctl.discovery.stack_facts import StackFacts
from dartsctl.workflows.init.build_contexts import find_docker_ignored
from dartsctl.workflows.init.ignore_files import find_ignored
from dartsctl.workflows.init.project import InitRequest, Project
from fakes.deps import FakeClock, fake_deps


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def ignored(root: Path, *names: str) -> Proposal:
    private = [
        Change("keep", root / name, "", is_env_file=not name.endswith(".key")) for name in names
    ]
    return find_ignored(root, private)


def test_a_second_run_adds_nothing_even_for_a_file_that_git_has(root: Path) -> None:
    write(root / ".env", "API_TOKEN=abc\n")
    git(root, "add", ".env")
    proposal = ignored(root, ".env", "nginx/ssl/ä b.key")
    [change] = proposal.changes
    assert change.text == "/.env\n/nginx/ssl/ä b.key\n"
    [task] = proposal.tasks
    assert task.text.startswith(".env is in git, with its secrets")
    assert task.paste == (f"git -C {root} rm --cached .env",)
    write(root / ".gitignore", change.text)
    assert [change.action for change in ignored(root, ".env", "nginx/ssl/ä b.key").changes] == [
        "keep"
    ]


@pytest.mark.parametrize("name", [".env", "shop.settings"])
def test_an_env_file_without_a_secret_may_be_in_git(root: Path, name: str) -> None:
    write(root / name, "COMPOSE_PROJECT_NAME=shop\nPASSWORD_FILE=/run/x\nEMPTY_PASSWORD=\n")
    git(root, "add", name)
    assert ignored(root, name) == Proposal()


def test_private_keys_in_git_are_named(root: Path) -> None:
    write(root / "ssl" / "a.key", "-----BEGIN PRIVATE KEY-----\n")
    write(root / "ssl" / "ca.pem", "-----BEGIN CERTIFICATE-----\n")
    write(root / "ssl" / "new.key", "-----BEGIN PRIVATE KEY-----\n")
    git(root, "add", "ssl/a.key", "ssl/ca.pem")
    assert [task.paste for task in ignored(root).tasks] == [
        (f"git -C {root} rm --cached ssl/a.key",)
    ]


# --- images ---------------------------------------------------------------------------------------


def docker_ignored(root: Path, *private: str, context: str = "", **build: str) -> Proposal:
    body = {"build": {"context": str(root / context), **build}}
    model = {"services": {"web": body, "db": {"image": "postgres"}}}
    facts = StackFacts(PRODUCTION, (root / "compose.yml",), model=model)
    request, deps = InitRequest(load(root, {})), fake_deps(root, FakeClock())
    project = Project(request, {PRODUCTION: facts}, bundled=False, deps=deps)
    return find_docker_ignored(project, [root / name for name in private])


def test_an_image_that_copies_everything_gets_no_secret_repository_or_environment(
    root: Path,
) -> None:
    write(root / "Dockerfile", "FROM x\nCOPY . .\n")
    write(root / ".env", "A=1")
    write(root / ".env.example", "A=1")
    write(root / ".venv" / "pyvenv.cfg", "")
    [change] = docker_ignored(root, ".env.production", "nginx/ssl/a.key").changes
    assert (change.action, change.path) == ("create", root / ".dockerignore")
    assert change.text == ".env\n.git\n.venv\n.env.production\nnginx/ssl/a.key\n"
    assert change.about.startswith("keeps out of the image of web: .env")
    write(root / ".dockerignore", "**/*.key\n.env*\n.git")
    [change] = docker_ignored(root, ".env.production", "nginx/ssl/a.key").changes
    assert (change.action, change.text) == ("append", ".venv\n")
    write(root / ".dockerignore", change.text + "**/*.key\n.env*\n.git")
    assert docker_ignored(root, ".env.production", "nginx/ssl/a.key") == Proposal()


def test_what_the_dockerfile_does_not_copy_needs_no_line(root: Path) -> None:
    write(root / "Dockerfile", "FROM x\nCOPY src requirements.txt /app/\n")
    write(root / ".env", "A=1")
    assert docker_ignored(root) == Proposal()
    assert docker_ignored(root, dockerfile="missing") == Proposal()
    write(root / "api" / "Dockerfile", "FROM x\nCOPY . .\n")
    assert docker_ignored(root, context="api") == Proposal()


def test_what_is_kept_on_purpose_is_only_said(root: Path) -> None:
    write(root / "Dockerfile", "FROM x\nCOPY . .\nRUN git describe > version\n")
    write(root / ".env", "A=1")
    write(root / ".dockerignore", "*\n!.env\n!src\n")
    proposal = docker_ignored(root)
    assert proposal.changes == ()
    assert proposal.notes == (".dockerignore keeps .env in the image of web on purpose",)


def test_a_dockerfiles_own_ignore_file_goes_before_the_contexts(root: Path) -> None:
    write(root / "Dockerfile.web", "FROM x\nCOPY . .\n")
    write(root / ".dockerignore", ".git\n")
    write(root / "Dockerfile.web.dockerignore", "node_modules\n")
    [change] = docker_ignored(root, dockerfile="Dockerfile.web").changes
    assert (change.path.name, change.text) == ("Dockerfile.web.dockerignore", ".git\n")
