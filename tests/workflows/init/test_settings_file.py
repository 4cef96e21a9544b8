"""The plan of the settings file: a new one, or the tables that an existing one lacks."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.discovery.proposal import Proposal, ProposedSetting
from dartsctl.errors import DartsctlError
from dartsctl.workflows.init.project import InitRequest, Project
from dartsctl.workflows.init.settings_file import plan_settings
from fakes.deps import FakeClock, fake_deps

FINDINGS = (
    ProposedSetting("", "name", "shop", "the folder's name"),
    ProposedSetting("prod", "files", ["compose.yaml"], "named on the command line"),
    ProposedSetting("server", "health", "/health", "app.py:3"),
    ProposedSetting("server.env", "DB_HOST", "{db.host}", "app.py:9"),
    ProposedSetting("dev", "files", ["compose.dev.yaml"], "by its name", is_default=True),
)


def planned(root: Path, settings: tuple[ProposedSetting, ...] = FINDINGS) -> Proposal:
    request = InitRequest(load(root, {}))
    deps = fake_deps(root, FakeClock())
    return plan_settings(Project(request, {}, bundled=False, deps=deps), settings)


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def test_a_new_file_has_every_finding(tmp_path: Path) -> None:
    [change] = planned(tmp_path).changes
    assert (change.action, change.path, change.about) == (
        "create",
        tmp_path / "dartsctl.toml",
        "4 settings",
    )
    assert tomllib.loads(change.text) == {
        "name": "shop",
        "prod": {"files": ["compose.yaml"]},
        "server": {"health": "/health", "env": {"DB_HOST": "{db.host}"}},
    }


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_an_existing_file_gets_only_the_tables_that_it_lacks_at_its_end(
    tmp_path: Path, end: str
) -> None:
    old = f'name = "mine"  # mine\n[server]\nready_timeout = 9{end}'
    write(tmp_path / "dartsctl.toml", old)
    proposal = planned(tmp_path)
    [change] = proposal.changes
    assert (change.action, change.old) == ("edit", old.encode())
    assert change.about == "adds [prod], [server.env]"
    assert change.text.startswith(old)
    assert tomllib.loads(change.text) == {
        "name": "mine",
        "prod": {"files": ["compose.yaml"]},
        "server": {"ready_timeout": 9, "env": {"DB_HOST": "{db.host}"}},
    }
    assert proposal.notes == (
        'dartsctl.toml keeps its own name; init would write name = "shop" (the folder\'s name)',
        'dartsctl.toml does not set server.health; init would write health = "/health" (app.py:3)',
    )


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    [first] = planned(tmp_path).changes
    write(first.path, first.text)
    proposal = planned(tmp_path)
    assert [change.action for change in proposal.changes] == ["keep"]
    assert proposal.notes == ()


def test_the_line_ends_and_the_byte_order_mark_stay(tmp_path: Path) -> None:
    write(tmp_path / "dartsctl.toml", '\ufeffname = "shop"\r\n[server]\r\nhealth = "/health"\r\n')
    [change] = planned(tmp_path).changes
    assert change.text.count("\n") == change.text.count("\r\n") == 9
    write(change.path, change.text)
    assert load(tmp_path, {}).server.env == {"DB_HOST": "{db.host}"}


def test_a_table_of_pyproject_is_the_settings_file(tmp_path: Path) -> None:
    old = '[project]\nname = "x"\n[tool.dartsctl]\nname = "shop"\n'
    write(tmp_path / "pyproject.toml", old)
    [change] = planned(tmp_path).changes
    assert change.path == tmp_path / "pyproject.toml"
    assert change.text.startswith(old)
    write(change.path, change.text)
    settings = load(tmp_path, {})
    assert settings.environments["prod"].files == (tmp_path / "compose.yaml",)
    assert settings.server.health == "/health"
    assert [change.action for change in planned(tmp_path).changes] == ["keep"]


def test_a_pyproject_without_our_table_stays_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", '[project]\nname = "x"\n')
    [change] = planned(tmp_path).changes
    assert (change.action, change.path) == ("create", tmp_path / "dartsctl.toml")


@pytest.mark.parametrize(
    "old",
    [
        'server = {health = "/health"}\n',
        '[tool]\ndartsctl = {server = {health = "/health"}}\n',
        '[tool.dartsctl]\nserver = {health = "/health"}\n',
    ],
)
def test_where_toml_allows_no_table_at_the_end_the_lines_are_left_to_a_person(
    tmp_path: Path, old: str
) -> None:
    name = "pyproject.toml" if "tool" in old else "dartsctl.toml"
    write(tmp_path / name, old)
    proposal = planned(tmp_path, FINDINGS[2:4])
    assert [change.action for change in proposal.changes] == ["keep"]
    [task] = proposal.tasks
    assert task.text == f"add [server.env] to {tmp_path / name}"
    assert task.paste[-1] == 'DB_HOST = "{db.host}"  # app.py:9'


def test_a_single_port_is_the_same_as_a_list_of_it(tmp_path: Path) -> None:
    write(tmp_path / "dartsctl.toml", "[ports.production]\nweb = 80\nproxy = [443]\n")
    settings = (
        ProposedSetting("ports.production", "web", [80]),
        ProposedSetting("ports.production", "proxy", 443),
    )
    assert planned(tmp_path, settings).notes == ()


def test_a_project_whose_names_say_everything_needs_no_minimal_file(tmp_path: Path) -> None:
    request = InitRequest(load(tmp_path, {}), minimal=True)
    project = Project(request, {}, bundled=False, deps=fake_deps(tmp_path, FakeClock()))
    proposal = plan_settings(project, FINDINGS[4:])
    assert proposal.changes == ()
    assert proposal.notes == ("no settings are needed: everything has its conventional name",)


@pytest.mark.parametrize("old", ["", 'name = "shop"\n'])
def test_settings_that_every_verb_would_refuse_are_not_planned(tmp_path: Path, old: str) -> None:
    if old:
        write(tmp_path / "dartsctl.toml", old)
    with pytest.raises(DartsctlError, match=r"not accepted: .* port 5001 lies in the dev range"):
        planned(tmp_path, (ProposedSetting("ports.production", "web", [5001]),))
