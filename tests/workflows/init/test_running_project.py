"""The project name under which a stack exists, or would be started, is the one that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dartsctl.discovery.proposal import Proposal
from dartsctl.records import replace
from dartsctl.stack.containers import Container
from dartsctl.workflows.init.running_project import find_projects
from fakes.engine import FakeEngine
from fakes.init_projects import container, facts, init_project

WEB = {"web": {"image": "nginx"}, "db": {"image": "postgres"}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose name is dartsctl's default project."""
    return tmp_path / "shop"


def settings_of(proposal: Proposal) -> dict[str, Any]:
    return {f"{line.table}.{line.key}": line.value for line in proposal.settings}


def prod(root: Path, *names: str, **more: Any) -> Any:
    return facts("prod", *(root / name for name in names), services=WEB, **more)


def dev(root: Path, *names: str, **more: Any) -> Any:
    return facts("dev", *(root / name for name in names), services=WEB, **more)


def look(root: Path, *stacks: Any, running: tuple[Container, ...] = (), **more: Any) -> Proposal:
    engine = FakeEngine(running, volumes=more.pop("volumes", frozenset()))
    return find_projects(init_project(root, *stacks, engine=engine, **more))


def test_the_project_that_runs_from_productions_files_is_production(root: Path) -> None:
    file = root / "compose.prod.yaml"
    both = (container("web", "live", file), container("db", "live", file))
    proposal = look(root, prod(root, "compose.prod.yaml"), running=both)
    assert settings_of(proposal) == {"prod.project": "live"}
    said = "2 containers of project live run from compose.prod.yaml"
    assert proposal.notes == (said,)
    assert proposal.settings[0].why == said


def test_stopped_containers_count_because_their_volumes_do(root: Path) -> None:
    stopped = container("web", "live", root / "compose.prod.yaml", state="exited")
    proposal = look(root, prod(root, "compose.prod.yaml"), running=(stopped,))
    assert settings_of(proposal) == {"prod.project": "live"}
    assert proposal.notes == ("1 container of project live stopped, from compose.prod.yaml",)


def test_a_project_with_dartsctls_own_name_needs_no_line(root: Path) -> None:
    running = (container("web", "shop", root / "compose.prod.yaml"),)
    proposal = look(root, prod(root, "compose.prod.yaml"), running=running)
    assert proposal.settings == ()
    assert proposal.notes == ("1 container of project shop runs from compose.prod.yaml",)


def test_a_container_of_compose_run_is_no_sign_of_a_stack(root: Path) -> None:
    single = container("web", "live", root / "compose.prod.yaml")
    labels = {**single.labels, "com.docker.compose.oneoff": "True"}
    running = (replace(single, labels=labels),)
    assert look(root, prod(root, "compose.prod.yaml"), running=running) == Proposal()


def test_what_runs_wins_over_what_is_stopped(root: Path) -> None:
    file = root / "compose.prod.yaml"
    containers = (container("web", "old", file, state="exited"), container("web", "live", file))
    proposal = look(root, prod(root, "compose.prod.yaml"), running=containers)
    assert settings_of(proposal) == {"prod.project": "live"}


def test_of_two_that_run_none_is_chosen(root: Path) -> None:
    file = root / "compose.prod.yaml"
    containers = (container("web", "blue", file), container("web", "green", file))
    proposal = look(root, prod(root, "compose.prod.yaml"), running=containers)
    assert proposal.settings == ()
    assert proposal.notes[-1] == (
        "which of blue, green is production is unknown; [prod] project says it"
    )


def test_without_containers_it_is_the_name_that_compose_itself_uses(root: Path) -> None:
    """`docker compose -f deploy/compose.prod.yaml up` is project `deploy`: so are its volumes."""
    proposal = look(root, prod(root, "deploy/compose.prod.yaml", project="deploy"))
    assert settings_of(proposal) == {"prod.project": "deploy"}
    assert proposal.settings[0].why == "as Compose itself names the project of its files"
    assert look(root, prod(root, "compose.prod.yaml", project="shop")).settings == ()


def test_the_files_of_dev_decide_for_dev(root: Path) -> None:
    stacks = (prod(root, "compose.yaml", "compose.prod.yaml"), dev(root, "compose.yaml"))
    running = (container("db", "shop-local", root / "compose.yaml"),)
    assert settings_of(look(root, *stacks, running=running)) == {"dev.project": "shop-local"}


def test_a_file_that_both_have_does_not_tell_whose_containers_they_are(root: Path) -> None:
    stacks = (prod(root, "compose.yaml", "compose.prod.yaml"), dev(root, "compose.yaml"))
    other = container("db", "else", root / "compose.yaml", root / "compose.test.yaml")
    assert look(root, *stacks, running=(other,)) == Proposal()
    more = container("db", "live", root / "compose.prod.yaml", root / "compose.tls.yaml")
    assert settings_of(look(root, *stacks, running=(more,))) == {"prod.project": "live"}


def test_dev_under_productions_name_is_told_and_production_keeps_it(root: Path) -> None:
    """The settings are committed: on the server, production has this name and its volumes."""
    stacks = (prod(root, "compose.prod.yaml"), dev(root, "compose.yaml"))
    running = (container("db", "shop", root / "compose.yaml"),)
    proposal = look(root, *stacks, running=running)
    assert proposal.settings == ()
    (task,) = proposal.tasks
    assert not task.is_required
    assert task.text.startswith("1 container of project shop runs from compose.yaml, but")
    assert task.paste == ("docker compose -p shop down",)


@pytest.mark.parametrize("has_containers", [True, False])
def test_a_lone_dev_stack_keeps_its_data(root: Path, *, has_containers: bool) -> None:
    """`docker compose -f compose.dev.yaml up` has named it after the folder."""
    services = {"db": {"image": "postgres", "volumes": [volume("data")]}}
    lone = facts("dev", root / "compose.dev.yaml", services=services)
    running = (container("db", "shop", root / "compose.dev.yaml"),)
    if has_containers:
        proposal = look(root, lone, running=running)
    else:
        proposal = look(root, lone, volumes=frozenset({"shop_data", "other_data"}))
    assert settings_of(proposal) == {"dev.project": "shop"}


def test_data_under_the_folders_name_is_productions_where_there_is_one(root: Path) -> None:
    services = {"db": {"image": "postgres", "volumes": [volume("data")]}}
    beside = facts("dev", root / "compose.dev.yaml", services=services)
    stacks = (prod(root, "compose.prod.yaml"), beside)
    assert look(root, *stacks, volumes=frozenset({"shop_data"})) == Proposal()


def test_a_plain_file_alone_has_composes_name_by_default(root: Path) -> None:
    root.mkdir()
    (root / "compose.yaml").touch()
    running = (container("db", "shop", root / "compose.yaml"),)
    proposal = look(root, dev(root, "compose.yaml"), running=running)
    assert proposal.settings == ()
    assert proposal.notes == ("1 container of project shop runs from compose.yaml",)


def volume(key: str) -> dict[str, str]:
    return {"type": "volume", "source": key, "target": "/data"}


def test_a_lone_dev_stack_without_data_has_dartsctls_default(root: Path) -> None:
    services = {"db": {"image": "postgres", "volumes": [volume("data")]}}
    lone = facts("dev", root / "compose.yaml", services=services)
    assert look(root, lone, volumes=frozenset({"another_data"})) == Proposal()


def test_a_name_in_devs_own_files_is_kept_and_a_folders_name_is_not(root: Path) -> None:
    named = dev(root, "docker/compose.yaml", project="shop-local")
    assert settings_of(look(root, prod(root, "p.yaml"), named)) == {"dev.project": "shop-local"}
    derived = dev(root, "docker/compose.yaml", project="docker")
    assert look(root, prod(root, "p.yaml"), derived).settings == ()


def test_dev_never_has_productions_name(root: Path) -> None:
    """Production's files say `name: shop-dev`, which is dev's default."""
    stacks = (prod(root, "p.yaml", project="shop-dev"), dev(root, "d.yaml", project="shop-dev"))
    assert settings_of(look(root, *stacks)) == {
        "prod.project": "shop-dev",
        "dev.project": "shop-dev-dev",
    }


def test_production_in_another_folder_is_found_by_its_container_names(root: Path) -> None:
    services = {
        "web": {"image": "nginx", "container_name": "shop-web"},
        "db": {"image": "postgres", "container_name": "shop-db"},
    }
    ours = facts("prod", root / "compose.prod.yaml", services=services)
    elsewhere = Path("/opt/live/compose.prod.yaml")
    running = tuple(
        container(name, "live", elsewhere, name=f"shop-{name}") for name in ("web", "db")
    )
    proposal = look(root, ours, running=running)
    assert settings_of(proposal) == {"prod.project": "live"}
    assert proposal.notes == (f"2 containers of project live run from {elsewhere}",)


def test_a_dev_stack_of_this_folder_is_not_production_by_its_container_names(root: Path) -> None:
    """dev and prod have the same fixed names; what runs comes from dev's file."""
    services = {
        "web": {"image": "nginx", "container_name": "shop-web"},
        "db": {"image": "postgres", "container_name": "shop-db"},
    }
    stacks = [
        facts("prod", root / "p.yaml", services=services),
        facts("dev", root / "d.yaml", services=services),
    ]
    running = tuple(
        container(name, "local", root / "d.yaml", name=f"shop-{name}") for name in ("web", "db")
    )
    assert settings_of(look(root, *stacks, running=running)) == {"dev.project": "local"}


def test_containers_of_compose_v1_have_relative_files(root: Path) -> None:
    old = container("web", "live", Path("compose.prod.yaml"))
    labels = {**old.labels, "com.docker.compose.project.working_dir": str(root)}
    old = Container(old.id, old.name, old.image, old.state, labels=labels)
    proposal = look(root, prod(root, "compose.prod.yaml"), running=(old,))
    assert settings_of(proposal) == {"prod.project": "live"}


def test_a_project_in_the_settings_is_not_written_again(root: Path) -> None:
    running = (container("web", "live", root / "p.yaml"),)
    settings = '[prod]\nproject = "live"\n'
    proposal = look(root, prod(root, "p.yaml"), running=running, settings=settings)
    assert proposal.settings == ()


def test_without_an_engine_compose_still_says_the_name(root: Path) -> None:
    engine = FakeEngine(is_gone=True)
    stack = prod(root, "p.yaml", project="live")
    proposal = find_projects(init_project(root, stack, engine=engine))
    assert settings_of(proposal) == {"prod.project": "live"}


def test_a_project_that_the_settings_name_is_only_contradicted_by_containers(root: Path) -> None:
    settings = '[prod]\nproject = "live"\n'
    stack = prod(root, "p.yaml", project="another")
    assert look(root, stack, settings=settings).settings == ()
    running = (container("web", "blue", root / "p.yaml"),)
    assert settings_of(look(root, stack, running=running)) == {"prod.project": "blue"}


def test_production_that_runs_from_other_files_than_the_picked_ones_is_told(root: Path) -> None:
    root.mkdir()
    (root / "compose.prod.yaml").touch()
    running = (container("web", "shop", root / "compose.prod.yaml"),)
    both = prod(root, "compose.prod.yaml", "compose.tls.yaml")
    (task,) = look(root, both, running=running).tasks
    assert not task.is_required
    assert task.text == (
        "1 container of project shop runs from compose.prod.yaml, "
        "and `prod up` uses compose.prod.yaml, compose.tls.yaml; to keep the former"
    )
    assert task.paste == ("[prod]", 'files = ["compose.prod.yaml"]')
