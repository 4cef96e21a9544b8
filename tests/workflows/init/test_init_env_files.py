"""The env files that services have by themselves: `env_file`, and a folder of them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dartsctl.config.load_settings import load
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.stack_facts import StackFacts
from dartsctl.edges.project import env_files
from dartsctl.errors import DockerUnavailable
from dartsctl.records import replace
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import ComposeVariable
from dartsctl.workflows.init.env_files import find_env_files
from dartsctl.workflows.init.literals import find_literals
from dartsctl.workflows.init.project import InitRequest, Project
from fakes.compose import WrittenCompose
from fakes.deps import FakeClock, fake_deps
from fakes.engine import FakeEngine
from fakes.init_projects import container


def no_engine() -> Any:
    raise DockerUnavailable("no answer")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project whose app has the database's password in an env file of its own."""
    file = tmp_path / "prod.env"
    file.write_text("DEBUG=0\nDATABASE_URL=postgresql://shop:postgres@db/shop\n")
    (tmp_path / "compose.prod.yaml").write_text(
        "services:\n  web:\n  db:\n    environment:\n      POSTGRES_PASSWORD: postgres\n"
    )
    model: dict[str, Any] = {
        "name": "shop",
        "services": {
            "web": {"image": "shop", "env_file": [{"path": str(file)}]},
            "db": {"image": "postgres:16", "environment": {"POSTGRES_PASSWORD": "postgres"}},
        },
    }
    compose: Any = lambda *_, **__: WrittenCompose(model)  # noqa: E731
    deps = replace(fake_deps(tmp_path, FakeClock(), engine=no_engine), compose_on=compose)
    files = (tmp_path / "compose.prod.yaml",)
    facts = StackFacts(PRODUCTION, files, model=model, stack=read_stack(model))
    request = InitRequest(load(tmp_path, {}))
    return Project(request, {PRODUCTION: facts}, bundled=False, deps=deps)


def test_a_url_in_an_env_file_gets_the_databases_new_password(project: Project) -> None:
    proposal = find_literals(project).proposal
    [change] = proposal.changes
    assert change.text.endswith(
        "services:\n"
        "  web:\n"
        "    environment:\n"
        "      DATABASE_URL: postgresql://shop:${POSTGRES_PASSWORD:?}@db/shop\n"
        "  db:\n"
        "    environment:\n"
        "      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}\n"
    )
    assert "DATABASE_URL (prod.env:2), db.POSTGRES_PASSWORD (compose.prod.yaml:5)" in str(
        proposal.notes
    )


def left_by_hand(project: Project) -> str:
    """Return the tasks about fixed secrets, where no file is written."""
    proposal = find_literals(project).proposal
    assert proposal.changes == ()
    assert proposal.settings == ()
    return "\n".join(task.text for task in proposal.tasks)


@pytest.mark.parametrize("name", ["dartsctl.toml", "compose.dartsctl-secrets.yaml"])
def test_no_override_is_written_that_would_not_be_read(project: Project, name: str) -> None:
    (project.root / name).touch()
    request = InitRequest(load(project.root, {}))
    project = Project(request, project.stacks, bundled=False, deps=project.deps)
    assert "db.POSTGRES_PASSWORD (compose.prod.yaml:5)" in left_by_hand(project)


def test_a_stack_that_exists_keeps_its_fixed_secrets(project: Project) -> None:
    engine: Any = FakeEngine((container("web", "shop", *project.files_of(PRODUCTION)),))
    deps = replace(project.deps, engine=lambda **_: engine)
    project = Project(project.request, project.stacks, bundled=False, deps=deps)
    assert "set POSTGRES_PASSWORD in .env.production" in left_by_hand(project)


def test_a_fixed_password_of_data_is_changed_there_too(project: Project) -> None:
    (project.root / "data").mkdir()
    (project.root / "data" / "PG_VERSION").touch()
    mount = {"type": "bind", "source": str(project.root / "data"), "target": "/var/lib/postgresql"}
    project.stacks[PRODUCTION].model["services"]["db"]["volumes"] = [mount]
    text = left_by_hand(project)
    assert f"folder {project.root}/data was made with the old one" in text


def test_a_password_that_is_also_somewhere_unclear_stays_everywhere(project: Project) -> None:
    web = project.stacks[PRODUCTION].model["services"]["web"]
    web["environment"] = {"OTHER_URL": "postgresql://shop:postgres@elsewhere/shop"}
    assert "which server it is for is not clear" in left_by_hand(project)


def test_productions_own_env_file_is_looked_at_elsewhere(project: Project) -> None:
    (project.root / "prod.env").rename(project.root / ".env.production")
    model = project.stacks[PRODUCTION].model
    model["services"]["web"]["env_file"] = [{"path": str(project.root / ".env.production")}]
    [change] = find_literals(project).proposal.changes
    assert "DATABASE_URL" not in change.text


def test_a_folder_of_env_files_is_no_env_file(project: Project) -> None:
    (project.root / ".env").mkdir()
    stack = replace(project.stacks[PRODUCTION], name="dev")
    dev = Project(project.request, {"dev": stack}, bundled=False, deps=project.deps)
    assert find_env_files(dev, {}).changes == ()


def test_facts_that_are_known_are_not_asked_of_compose_again(project: Project) -> None:
    facts = find_literals(project).facts
    deps = fake_deps(project.root, FakeClock(), engine=no_engine)  # a question fails
    again = Project(project.request, project.stacks, bundled=False, deps=deps)
    [change] = find_env_files(again, facts).changes
    assert change.path.name == ".env.production"


def test_a_new_password_reaches_the_urls_of_the_other_new_env_files(project: Project) -> None:
    root = project.root
    examples = {
        "db.env.example": "POSTGRES_USER=shop\nPOSTGRES_PASSWORD=shop\n",
        "web.env.example": "DB_URL=postgresql://shop:shop@db/shop\nOTHER=redis://a:shop@cache\n"
        "DB_PASSWORD=shop\nSQL_PASSWORD=shop\nSQL_HOST=db\nSMTP_PASSWORD=shop\nSECRET_KEY=shop\n",
    }
    for name, text in examples.items():
        (root / name).write_text(text)
    services = project.stacks[PRODUCTION].model["services"]
    services["db"].pop("environment")
    services["db"]["env_file"] = [{"path": str(root / "db.env")}]
    services["web"]["env_file"] = [{"path": str(root / "web.env")}]
    proposal = find_env_files(project, {})
    changes = {change.path.name: change for change in proposal.changes}
    password = changes["db.env"].text.split("POSTGRES_PASSWORD=")[1].strip()
    assert password != "shop"
    web = env_files.values_in(changes["web.env"].text)
    assert web.pop("SECRET_KEY") not in ("shop", password)  # its own
    assert web == {
        "DB_URL": f"postgresql://shop:{password}@db/shop",
        "OTHER": "redis://a:shop@cache",
        "DB_PASSWORD": password,
        "SQL_PASSWORD": password,
        "SQL_HOST": "db",
        "SMTP_PASSWORD": "shop",  # equal by chance: the mail service's
    }
    assert changes["web.env"].generated == ("SECRET_KEY", "DB_URL", "DB_PASSWORD", "SQL_PASSWORD")
    tasks = [task.text for task in proposal.tasks]
    assert [text for text in tasks if "DB_" in text or "SQL_" in text] == []
    assert any(text.startswith("set SMTP_PASSWORD in web.env") for text in tasks)


@pytest.fixture
def written() -> dict[str, Any]:
    """Return a model with a variable as the database's password, and one in its folder."""
    service = {"image": "postgres:16", "environment": {"POSTGRES_PASSWORD": "${PG:?}"}}
    mount = {"type": "volume", "source": "${DATA:-./data}/pg", "target": "/var/lib/postgresql/data"}
    return {"name": "shop", "services": {"db": {**service, "volumes": [mount]}}}


@pytest.fixture
def database(project: Project, written: dict[str, Any]) -> Project:
    """Return a project whose files are this model."""
    file = project.stacks[PRODUCTION].files[0]
    file.write_text("services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: ${PG:?}\n")
    resolved = deepcopy(written)
    [mount] = resolved["services"]["db"]["volumes"]
    mount |= {"type": "bind", "source": str(project.root / "data" / "pg")}
    compose: Any = lambda *_, **__: WrittenCompose(written)  # noqa: E731
    variables = {"PG": ComposeVariable("PG", is_required=True)}
    stack = replace(project.stacks[PRODUCTION], model=resolved, variables=variables)
    deps = replace(project.deps, compose_on=compose)
    return Project(project.request, {PRODUCTION: stack}, bundled=False, deps=deps)


def test_data_in_a_folder_that_a_variable_names_keeps_its_password(database: Project) -> None:
    (database.root / "data" / "pg").mkdir(parents=True)
    (database.root / "data" / "pg" / "PG_VERSION").touch()
    proposal = find_env_files(database, {})
    assert proposal.changes[0].generated == ()
    [task] = proposal.tasks
    assert task.text.startswith("set PG in .env.production to the current password of db")
    assert f"folder {database.root}/data/pg exists" in task.text


def test_a_new_password_is_left_to_compare_where_data_may_exist(database: Project) -> None:
    proposal = find_env_files(database, {})
    assert proposal.changes[0].generated == ("PG",)
    [task] = proposal.tasks
    assert not task.is_required
    assert task.text == (
        "PG is new, and no Docker engine answers: if db has data there already, write its current "
        "password into .env.production instead"
    )


def test_a_new_password_of_the_variables_own_file_reaches_the_services_files(
    database: Project, written: dict[str, Any]
) -> None:
    services, web_env = written["services"], database.root / "web.env"
    services["web"] = {"image": "shop", "env_file": [{"path": str(web_env)}]}
    (database.root / ".env.production.example").write_text(
        "DB_PASSWORD=changeme\nDATABASE_URL=postgresql://shop:changeme@db/shop\n"
    )
    (database.root / "web.env.example").write_text("URL=postgresql://shop:changeme@db/shop\n")
    services["web"]["environment"] = {"DATABASE_URL": "${DATABASE_URL}"}
    services["db"]["environment"] = {"POSTGRES_PASSWORD": "${DB_PASSWORD}"}
    own, web = (env_files.values_in(change.text) for change in find_env_files(database, {}).changes)
    assert own["DB_PASSWORD"] != "changeme"
    assert own["DATABASE_URL"] == f"postgresql://shop:{own['DB_PASSWORD']}@db/shop"
    assert web == {"URL": own["DATABASE_URL"]}


def test_a_password_that_fits_two_servers_is_left_as_it_is(
    database: Project, written: dict[str, Any]
) -> None:
    examples = {
        "db.env": "POSTGRES_PASSWORD=changeme\n",
        "stats.env": "POSTGRES_PASSWORD=changeme\n",
        "web.env": "POSTGRES_PASSWORD=changeme\nSTATS_PASSWORD=changeme\n",
    }
    for name, text in examples.items():
        (database.root / f"{name}.example").write_text(text)
        image = "shop" if name == "web.env" else "postgres:16"
        service = {"image": image, "env_file": [{"path": str(database.root / name)}]}
        written["services"][name.removesuffix(".env")] = service
    changes = {change.path.name: change for change in find_env_files(database, {}).changes}
    stats, web = (env_files.values_in(changes[name].text) for name in ("stats.env", "web.env"))
    assert web == {
        "POSTGRES_PASSWORD": "changeme",
        "STATS_PASSWORD": stats["POSTGRES_PASSWORD"],
    }
