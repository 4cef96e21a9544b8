"""Data that exists keeps its password: volumes, folders, containers of this folder's stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dartsctl.config.load_settings import load
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.written_model import DataPlace, WrittenService
from dartsctl.errors import DockerUnavailable
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.workflows.init.env_facts import EnvFacts
from dartsctl.workflows.init.existing_data import UNKNOWN, StackIdentity, existing_data
from dartsctl.workflows.init.project import InitRequest, Project
from dartsctl.workflows.init.secret_files import find_secret_files
from fakes.deps import FakeClock, fake_deps
from two_users import ANN, BOB, as_user, needs_root, public_folder


@dataclass
class ListedEngine:
    """An engine with these containers and volumes; None: it does not answer."""

    volumes: tuple[str, ...] | None = ()
    listed: list[Container] = field(default_factory=list)

    def containers(self) -> tuple[Container, ...]:
        if self.volumes is None:
            raise DockerUnavailable("no answer")
        return tuple(self.listed)

    def control(self) -> Any:
        return self

    def has_volume(self, name: str) -> bool:
        return name in (self.volumes or ())


def container(folder: Path, project: str = "shop") -> Container:
    labels = {
        PROJECT_LABEL: project,
        "com.docker.compose.service": "db",
        "com.docker.compose.project.working_dir": str(folder),
    }
    return Container(id="1", name="shop-db-1", image="postgres", state="exited", labels=labels)


def seen(root: Path, engine: ListedEngine, *data: DataPlace) -> str:
    service = WrittenService("db", data=data)
    stack = StackIdentity(frozenset({"shop", "shop-prod"}), frozenset({str(root)}))
    deps = fake_deps(root, FakeClock(), engine=lambda: engine)
    return existing_data(service, stack, deps)


def test_nothing_exists_on_a_new_machine(tmp_path: Path) -> None:
    places = (DataPlace(volume="shop_data"), DataPlace(folder=tmp_path / "missing"))
    assert seen(tmp_path, ListedEngine(("other_data",)), *places) == ""


@pytest.mark.parametrize("volume", ["shop_data", "shop-prod_data"])
def test_a_volume_exists_under_any_name_of_the_project(tmp_path: Path, volume: str) -> None:
    place = DataPlace(volume="shop_data")
    assert seen(tmp_path, ListedEngine((volume,)), place) == f"volume {volume}"


def test_only_a_container_of_this_folder_counts(tmp_path: Path) -> None:
    assert seen(tmp_path, ListedEngine(listed=[container(tmp_path)])) == "container shop-db-1"
    assert seen(tmp_path, ListedEngine(listed=[container(tmp_path / "other")])) == ""
    assert seen(tmp_path, ListedEngine(listed=[container(tmp_path, "else")])) == ""


def test_a_folder_with_content_is_data_and_without_an_engine_the_rest_is_unknown(
    tmp_path: Path,
) -> None:
    place, silent = DataPlace(folder=tmp_path / "data"), ListedEngine(None)
    (tmp_path / "data").mkdir()
    assert seen(tmp_path, silent, place) == UNKNOWN
    (tmp_path / "data" / "PG_VERSION").write_text("16")
    assert seen(tmp_path, silent, place) == f"folder {tmp_path}/data"


def test_volumes_that_cannot_be_asked_for_are_unknown(tmp_path: Path) -> None:
    engine = ListedEngine()
    engine.control = lambda: None  # type: ignore[method-assign]
    assert seen(tmp_path, engine, DataPlace(volume="shop_data")) == UNKNOWN
    assert seen(tmp_path, engine) == ""


@needs_root
def test_a_folder_that_may_not_be_read_has_data() -> None:
    with public_folder(owner=BOB, mode=0o700) as folder:
        place = DataPlace(folder=folder)
        answer = as_user(ANN, lambda: seen(Path("/"), ListedEngine(), place))
    assert answer == f"folder {folder}"


def test_a_missing_secret_file_is_named_and_any_value_does_only_for_a_new_database(
    tmp_path: Path,
) -> None:
    own, issued = tmp_path / "s" / "pw.txt", tmp_path / "s" / "token.txt"
    database = WrittenService("db", secret_files={"POSTGRES_PASSWORD": own})
    web = WrittenService("web", secret_files={"DB_PASSWORD": own, "API_TOKEN": issued})
    services = {"db": database, "web": web}
    facts = EnvFacts(PRODUCTION, services=services, images={"db": "postgres:16", "web": "shop"})
    engine = ListedEngine()
    deps = fake_deps(tmp_path, FakeClock(), engine=lambda: engine)
    project = Project(InitRequest(load(tmp_path, {})), {}, bundled=False, deps=deps)
    first, second = find_secret_files(project, facts).tasks
    assert first.text == "s/pw.txt does not exist; secret of db, web"
    assert first.paste == (f"mkdir -p {own.parent} && openssl rand -hex 24 > {own}",)
    assert (second.text, second.paste) == ("s/token.txt does not exist; secret of web", ())
    engine.listed = [container(tmp_path, project.settings.environments[PRODUCTION].project)]
    assert find_secret_files(project, facts).tasks[0].paste == ()
    own.parent.mkdir()
    own.write_text("x")
    assert len(find_secret_files(project, facts).tasks) == 1
