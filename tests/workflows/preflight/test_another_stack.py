"""A stack that exists under another project name, and another stack under ours.

Every verb recognises both, and touches neither.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)
pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("settled")]

NGINX = "dartsctl-test/nginx:1"


@pytest.fixture
def first(live: LiveStack) -> str:
    """Return the project name under which the first clone of a stack runs."""
    return live.of(f"{live.project}-others-a-first")


def bring_up(
    live: LiveStack, folder: Path, project: str, services: Mapping[str, Any]
) -> dict[str, str]:
    """Start `services` with Compose in `folder`. Return the containers' start times."""
    from live.stack import docker

    folder.mkdir(parents=True, exist_ok=True)
    write(live, folder, services)
    docker(
        "compose",
        "--progress",
        "quiet",
        "-p",
        project,
        "-f",
        str(folder / "compose.json"),
        "up",
        "-d",
    )
    return running(live, project)


def write(live: LiveStack, folder: Path, services: Mapping[str, Any]) -> None:
    """Write the Compose file of a clone without a project name: Compose takes the folder's."""
    folder.mkdir(parents=True, exist_ok=True)
    path = live.compose(services)
    text = path.read_text().replace(f'"name": "{live.project}", ', "")
    path.unlink()
    (folder / "compose.json").write_text(text)


def running(live: LiveStack, project: str) -> dict[str, str]:
    """Return state and start time by container id."""
    from live.stack import docker

    states = {}
    for identity in live.identities(project):
        states[identity] = docker(
            "inspect", "-f", "{{.State.Status}} {{.State.StartedAt}}", identity
        ).strip()
    return states


def second(live: LiveStack) -> Path:
    """Return a second clone's folder, whose name is its project name."""
    folder = live.folder.parent / f"{live.project}-others-a-second"
    folder.mkdir(exist_ok=True)
    live.of(folder.name)
    return folder


def settings(folder: Path, text: str) -> None:
    (folder / "dartsctl.toml").write_text(text)


def hint_of(result: Said) -> list[str]:
    """Return the words of the command in the last line."""
    return shlex.split(result.err.rstrip().splitlines()[-1].partition("next: ")[2])[1:]


def named(**more: Any) -> dict[str, Any]:
    """Return a stack whose containers have fixed names."""
    from live.stack import sleeper

    prefix = more.pop("prefix")
    return {name: sleeper(container_name=f"{prefix}-{name}", **more) for name in ("db", "app")}


def plain() -> dict[str, Any]:
    """Return a stack without fixed names or ports."""
    from live.stack import sleeper

    return {"db": sleeper(), "web": sleeper(image=NGINX)}


# --- this stack, as another project ------------------------------------------------------------


def test_every_verb_recognises_a_stack_that_runs_under_another_name_and_changes_nothing(
    live: LiveStack, first: str
) -> None:
    services = named(prefix=live.project)
    before = bring_up(live, live.folder.parent / "clone", first, services)
    folder = second(live)
    write(live, folder, services)
    settings(
        folder,
        '[prod]\nfiles = ["compose.json"]\nenv_files = []\n'
        '[dev]\nfiles = ["compose.json"]\nenv_files = []\n',
    )
    (folder / "run.py").touch()
    for words in (
        ("check", "-f", "compose.json"),
        ("check", "-f", "compose.json", "--fix", "--on-conflict", "stop", "--yes"),
        ("prod", "check"),
        ("prod", "up"),
        ("prod", "up", "--skip-port-check", "--on-conflict", "stop", "--yes"),
        ("prod", "up", "--dry-run", "app"),
        ("prod", "restart"),
        ("dev", "up"),
        ("dev",),
        ("doctor",),
        ("doctor", "-f", "compose.json"),
        ("doctor", "-f", "compose.json", "--fix", "--yes"),
        ("doctor", "--fix", "--yes", "--on-conflict", "stop"),
    ):
        result = live.run(*words, cwd=folder)
        assert result.code == 4, (words, result.text)
        assert (
            f"this stack already runs as project {first}, with the same container names"
            in result.err
        ), words
        ours = ["--on-conflict", "remap"] if "dev" in words else ["--project", first]
        assert hint_of(result)[-2:] == ours, result.err
    assert running(live, first) == before
    assert live.leftovers(folder.name) == live.leftovers(f"{folder.name}-dev") == []
    assert live.run("dev", "up", "--on-conflict", "remap", cwd=folder).code == 0, (
        "a dev stack gets names of its own"
    )
    assert running(live, first) == before


def test_the_command_that_is_proposed_works_and_the_document_says_the_same(
    live: LiveStack, first: str
) -> None:
    services = named(prefix=live.project)
    before = bring_up(live, live.folder.parent / "clone", first, services)
    folder = second(live)
    write(live, folder, services)
    result = live.run("check", "-f", "compose.json", "--json", cwd=folder)
    collision = next(item for item in result.document["collisions"] if item["kind"] == "same-stack")
    assert (result.code, collision["project"], collision["running"], collision["sign"]) == (
        4,
        first,
        True,
        "names",
    )
    assert shlex.split(result.document["hint"])[-2:] == ["--project", first]
    refused = live.run("check", "-f", "compose.json", cwd=folder)
    assert live.run(*hint_of(refused), cwd=folder).code == 0
    settings(folder, f'[prod]\nproject = "{first}-x"\nfiles = ["compose.json"]\nenv_files = []\n')
    assert live.run(*hint_of(live.run("doctor", cwd=folder)), cwd=folder).code == 0, (
        "the doctor looks at the project that runs"
    )
    assert running(live, first) == before


def test_the_same_file_is_recognised_through_a_symbolic_link_and_under_a_renamed_project(
    live: LiveStack, first: str
) -> None:
    from live.stack import sleeper

    clone = live.folder.parent / "clone"
    before = bring_up(live, clone, first, {"db": sleeper()})
    folder = second(live)
    folder.rmdir()
    folder.symlink_to(clone)
    result = live.run("check", "-f", folder / "compose.json")
    assert result.code == 4
    assert (
        f"this stack already runs as project {first},"
        f" from the same Compose files ({clone}/compose.json)"
    ) in result.err
    settings(
        clone, f'[prod]\nproject = "{live.project}"\nfiles = ["compose.json"]\nenv_files = []\n'
    )
    renamed = live.run("prod", "up", cwd=clone)
    assert renamed.code == 4
    assert hint_of(renamed) == ["prod", "up", "--project", first]
    assert running(live, first) == before
    assert live.leftovers() == []
    assert live.run(*hint_of(renamed), cwd=clone).code == 0
    assert live.run("prod", "up", "--project", live.project, cwd=clone).code == 0, (
        "a second one beside it, as typed"
    )
    assert live.run("prod", "up", cwd=clone).code == 0, "it is there by now"
    assert running(live, first) == before


def test_services_and_images_identify_it_too_even_if_it_is_stopped(
    live: LiveStack, first: str
) -> None:
    from live.stack import docker, sleeper

    bring_up(live, live.folder.parent / "clone", first, plain())
    docker("compose", "--progress", "quiet", "-p", first, "stop")
    before = running(live, first)
    folder = second(live)
    write(live, folder, plain())
    settings(folder, '[prod]\nfiles = ["compose.json"]\nenv_files = []\n')
    for words in (("check", "-f", "compose.json"), ("prod", "up"), ("doctor", "--fix", "--yes")):
        result = live.run(*words, cwd=folder)
        assert result.code == 4, (words, result.text)
        assert (
            f"this stack already exists (stopped) as project {first},"
            " with the same services and images (db, web)"
        ) in result.err
    write(live, folder, {**plain(), "db": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    assert live.run("check", "-f", "compose.json", cwd=folder).code == 0, (
        "on its own port it is another stack"
    )
    assert running(live, first) == before
    assert live.leftovers(folder.name) == []


def test_copies_side_by_side_are_not_refused(live: LiveStack, first: str) -> None:
    from live.stack import sleeper

    bring_up(
        live,
        live.folder.parent / "shop",
        first,
        {"db": sleeper(f"127.0.0.1:{live.ports[0]}:80"), "shop": sleeper()},
    )
    folder = second(live)
    write(live, folder, {"db": sleeper(f"127.0.0.1:{live.ports[1]}:80"), "darts": sleeper()})
    settings(
        folder,
        f'[prod]\nproject = "{live.project}"\nfiles = ["compose.json"]\nenv_files = []\n'
        f'[dev]\nproject = "{folder.name}"\nfiles = ["compose.json"]\nenv_files = ["dev.env"]\n',
    )
    (folder / "dev.env").touch()
    assert live.run("check", "-f", "compose.json", cwd=folder).code == 0, (
        "another project with a db from the same image"
    )
    assert live.run("prod", "up", cwd=folder).code == 0
    (folder / "compose.json").write_text(
        (folder / "compose.json").read_text().replace(str(live.ports[1]), str(live.ports[2]))
    )
    assert live.run("dev", "up", cwd=folder).code == 0, "one file, two environments"
    copy = live.folder.parent / "worktree"
    shutil.copytree(folder, copy)
    (copy / "compose.json").write_text(
        (copy / "compose.json").read_text().replace(str(live.ports[2]), str(live.ports[3]))
    )
    settings(
        copy,
        f'[dev]\nproject = "{live.of(folder.name + "-copy")}"\n'
        'files = ["compose.json"]\nenv_files = []\n',
    )
    assert live.run("dev", "up", cwd=copy).code == 0, "a worktree's dev stack"


# --- another stack, as this project ------------------------------------------------------------


@pytest.fixture
def same_name(live: LiveStack) -> tuple[Path, dict[str, str]]:
    """Return the folder of a stack whose project name is taken, and the containers of the other."""
    from live.stack import sleeper

    name = live.of(f"{live.project}-others-a-same")
    before = bring_up(
        live,
        live.folder.parent / "alpha" / name,
        name,
        {"app": sleeper(environment={"WHO": "alpha"})},
    )
    folder = live.folder.parent / "beta" / name
    write(live, folder, {"app": sleeper(environment={"WHO": "beta"})})
    (folder / "compose.json").rename(folder / "compose.yml")
    return folder, before


def test_files_that_compose_finds_by_itself_are_compared_too(
    live: LiveStack, same_name: tuple[Path, dict[str, str]]
) -> None:
    folder, before = same_name
    below = folder / "src"
    below.mkdir()
    alpha = folder.parents[1] / "alpha" / folder.name / "compose.json"
    for words, place, variables in (
        (("check",), folder, {}),
        (("check",), below, {}),
        (("check", "--project-dir", folder), live.folder, {}),
        (("check",), live.folder, {"COMPOSE_FILE": str(folder / "compose.yml")}),
        (("check", "--fix", "--on-conflict", "stop", "--yes"), folder, {}),
        (("check", "-f", "compose.yml"), folder, {}),
        (("doctor", "-f", "compose.yml", "--fix", "--yes"), folder, {}),
    ):
        result = live.run(*words, cwd=place, env=variables)
        assert result.code == 4, (words, place, result.text)
        assert f"project name {folder.name} belongs to another stack" in result.err
        assert str(alpha) in result.err
        assert hint_of(result)[-2:] == ["--project", folder.name]
    assert live.run("check", "--json", cwd=folder).document["files"] == [
        str(folder / "compose.yml")
    ]
    assert live.run("check", cwd=live.folder, COMPOSE_FILE=str(alpha)).code == 0, "its own files"
    (folder / ".env").write_text(f"COMPOSE_FILE={alpha}\n")
    assert live.run("check", cwd=folder).code == 0, "its own files, by a variable of the .env"
    assert running(live, folder.name) == before


def test_two_folders_may_share_a_project_with_different_services(
    live: LiveStack, same_name: tuple[Path, dict[str, str]]
) -> None:
    from live.stack import sleeper

    folder, before = same_name
    write(live, folder, {"worker": sleeper()})
    settings(
        folder, f'[prod]\nproject = "{folder.name}"\nfiles = ["compose.json"]\nenv_files = []\n'
    )
    (folder / "compose.yml").unlink()
    refused = live.run("prod", "up", "--remove-orphans", cwd=folder)
    assert refused.code == 4, "its containers would be removed as orphans"
    assert running(live, folder.name) == before
    assert live.run("prod", "up", cwd=folder).code == 0
    assert live.run("prod", "down", "--remove-orphans", cwd=folder).code == 4
    live.run("prod", "down", cwd=folder)
    assert running(live, folder.name) == before, "neither replaced nor taken down"


def test_down_never_takes_another_stack_s_containers(
    live: LiveStack, same_name: tuple[Path, dict[str, str]]
) -> None:
    folder, before = same_name
    settings(
        folder, f'[prod]\nproject = "{folder.name}"\nfiles = ["compose.yml"]\nenv_files = []\n'
    )
    for words in (
        ("prod", "down"),
        ("prod", "down", "--volumes", "--yes"),
        ("prod", "down", "--dry-run"),
    ):
        result = live.run(*words, cwd=folder)
        assert result.code == 4, result.text
        assert "`down` would remove" in result.err
        assert hint_of(result) == ["prod", "ps"], "what is pasted unread must do no harm"
    assert running(live, folder.name) == before
    assert live.run("prod", "down", "--project", folder.name, cwd=folder).code == 0, (
        "named on purpose"
    )
    assert live.leftovers(folder.name) == []


def test_a_refusal_leaves_moved_ports_and_guards_as_they_are(
    live: LiveStack, same_name: tuple[Path, dict[str, str]], own_state_folder: Path
) -> None:
    folder, before = same_name
    settings(
        folder,
        f'name = "x"\n[dev]\nproject = "{folder.name}"\nfiles = ["compose.yml"]\nenv_files = []\n',
    )
    record = own_state_folder / "overrides" / f"{folder.name}.json"
    record.parent.mkdir(parents=True)
    record.write_text(
        '[{"service": "app", "target": 80, "protocol": "tcp", "old": "5000", "new": 16000}]'
    )
    for words in (
        ("dev", "check"),
        ("dev", "up"),
        ("dev", "up", "--reset-ports"),
        ("dev", "up", "--reset-ports", "--dry-run"),
    ):
        assert live.run(*words, cwd=folder).code == 4
        assert record.exists(), words
    assert running(live, folder.name) == before
