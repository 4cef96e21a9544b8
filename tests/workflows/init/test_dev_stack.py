"""The dev stack beside production: when it gets an override file, and when that one is changed."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.discovery.dev_stack.dev_override import OVERRIDE_NAME
from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.state.compose_versions import ComposeVersions
from dartsctl.workflows.init.dev_stack import DevStack, find_dev_stack, without_override
from dartsctl.workflows.init.project import InitRequest, Project
from dartsctl.workflows.init.read_project import read_project
from dartsctl.workflows.init.server import find_app
from fakes.deps import FakeClock, fake_deps
from fakes.engine import FakeEngine
from fakes.kernel import FakeKernel
from live.darts_server import SOURCE
from real_engine import has_compose

pytestmark = pytest.mark.skipif(not has_compose(), reason="needs Compose")
VERSIONS = ComposeVersions(Path(tempfile.mkdtemp(prefix="dartsctl-test-")))
"""So that Compose is asked for its version once."""


def look(root: Path, *, prod: str = "compose.prod.yaml", dev: str = "") -> DevStack:
    """Return the dev stack of a folder. `prod` and `dev` are named on the command line."""
    project = opened(root, prod, dev)
    plain = without_override(project)
    return find_dev_stack(project, plain, find_app(plain))


def opened(root: Path, prod: str = "compose.prod.yaml", dev: str = "") -> Project:
    settings = load(root, {}, project_dir=root)
    named = {"prod": (root / prod,) if prod else (), "dev": (root / dev,) if dev else ()}
    deps = fake_deps(
        root / "state",
        FakeClock(),
        compose_on=lambda environment, **_: Compose(environment, known=VERSIONS),
        engine=lambda **_: FakeEngine(),
        host=FakeKernel,
    )
    request = InitRequest(settings, named={} if settings.source else named)
    return read_project(request, deps=deps)


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        (root / f"{name}.yaml").write_text(text)


def apply(root: Path, dev: DevStack) -> None:
    """Write what was found, as `init` does."""
    for change in dev.proposal.changes:
        if change.action != "keep":
            change.path.write_text(change.text)
    (files,) = [line.value for line in dev.proposal.settings if line.key == "files"]
    names = ", ".join(f'"{name}"' for name in files)  # type: ignore[union-attr]
    production = '[prod]\nfiles = ["compose.prod.yaml"]\n'
    (root / "dartsctl.toml").write_text(f"{production}[dev]\nfiles = [{names}]\n")


APP = """
from flask import Flask

app = Flask(__name__)
if __name__ == "__main__":
    app.run()
"""
PRODUCTION = """
services:
  app:
    build: .
    container_name: shop-app
    ports: ["5000:5000"]
    environment: {DATABASE_URL: "postgresql://shop@db/shop"}
  db:
    image: postgres:16
    container_name: shop-db
  web:
    image: nginx
    ports: ["80:80"]
    depends_on: [app]
"""


def test_the_real_servers_layout(tmp_path: Path) -> None:
    """A second stack with production's names and ports: six services, two of them needed."""
    shutil.copytree(SOURCE, tmp_path, dirs_exist_ok=True)
    dev = look(tmp_path, prod="docker-compose-wso2.yml", dev="docker-compose-localhost.yml")
    (change,) = dev.proposal.changes
    assert (change.action, change.path) == ("create", tmp_path / OVERRIDE_NAME)
    (files,) = dev.proposal.settings
    assert files.value == ["docker-compose-localhost.yml", OVERRIDE_NAME]
    assert set(dev.project.stacks["dev"].stack.services) == {"postgres", "rabbitmq"}
    assert dev.services is not None
    assert dev.services.ports == {"postgres": (5432,), "rabbitmq": (5672,)}
    assert dev.proposal.notes[0] == (
        "dev: docker-compose-localhost.yml has production's container names, host ports; "
        f"{OVERRIDE_NAME} gives it its own"
    )


def test_productions_file_is_dev_too_where_there_is_no_other_and_its_database_is_published(
    tmp_path: Path,
) -> None:
    jobs = "  jobs: {build: ., command: python jobs.py}\n"  # not the app, which has the port
    write(tmp_path, **{"compose.prod": f"{PRODUCTION}{jobs}"})
    (tmp_path / "run.py").write_text(APP)
    dev = look(tmp_path)
    assert dev.services is not None
    assert dev.services.left_out == {
        "app": "runs on the host",
        "jobs": "not used by the app",
        "web": "proxy",
    }
    assert dev.proposal.settings[0].value == ["compose.prod.yaml", OVERRIDE_NAME]
    (database,) = dev.project.stacks["dev"].stack.services.values()
    assert (database.name, database.container_name) == ("db", "")
    (entry,) = database.ports
    assert (entry.host_ip, entry.target, entry.span[0] % 1000) == ("127.0.0.1", 5432, 432)

    apply(tmp_path, dev)
    again = look(tmp_path)
    (kept,) = again.proposal.changes
    assert (kept.action, again.proposal.notes) == ("keep", ())
    service = find_app(without_override(opened(tmp_path))).service
    assert service is not None
    assert service.name == "app"  # not what the override leaves
    assert set(again.project.stacks["dev"].stack.services) == {"db"}


def test_a_base_that_grew_leads_to_an_edit_and_the_numbers_stay(tmp_path: Path) -> None:
    write(tmp_path, **{"compose.prod": PRODUCTION})
    (tmp_path / "run.py").write_text(APP)
    dev = look(tmp_path)
    apply(tmp_path, dev)
    override = tmp_path / OVERRIDE_NAME
    own = re.sub(r"1:\d+432:5432", "1:31999:5432", override.read_text())
    override.write_text(own)
    cache = "  cache:\n    image: redis\n    container_name: shop-cache\n"
    write(tmp_path, **{"compose.prod": PRODUCTION + cache})
    before = override.read_bytes()
    (change,) = look(tmp_path).proposal.changes
    assert (change.action, change.old) == ("edit", before)
    assert "127.0.0.1:31999:5432" in change.text
    assert re.search(r"127\.0\.0\.1:\d+379:6379", change.text)


def test_without_a_server_on_the_host_every_service_is_started(tmp_path: Path) -> None:
    write(tmp_path, **{"compose.prod": PRODUCTION, "compose.dev": PRODUCTION})
    dev = look(tmp_path, dev="compose.dev.yaml")
    stack = dev.project.stacks["dev"].stack
    assert set(stack.services) == {"app", "db", "web"}
    assert stack.services["db"].ports == ()
    assert {service.container_name for service in stack.services.values()} == {""}
    (tmp_path / "compose.dev.yaml").unlink()
    assert look(tmp_path).proposal.changes == ()


def test_a_dev_stack_that_shares_nothing_needs_no_file(tmp_path: Path) -> None:
    apart = PRODUCTION.replace("shop-", "dev-").replace('"5000:', '"127.0.0.1:15000:')
    apart = apart.replace('"80:80"', '"18080:80"').replace("image: postgres:16", PUBLISHED)
    write(tmp_path, **{"compose.prod": PRODUCTION, "compose.dev": apart})
    (tmp_path / "run.py").write_text(APP)
    dev = look(tmp_path, dev="compose.dev.yaml")
    assert (dev.proposal.changes, dev.proposal.settings) == ((), ())


PUBLISHED = 'image: postgres:16\n    ports: ["127.0.0.1:15432:5432"]'


def test_a_lone_dev_stack_publishes_what_the_server_on_this_host_needs(tmp_path: Path) -> None:
    """The usual file for an app in Docker: its database is reached inside the network alone."""
    database = "  db: {image: 'postgres:16', volumes: ['data:/var/lib/postgresql/data']}\n"
    kafka = "  kafka: {image: apache/kafka, environment: {KAFKA_ADVERTISED_LISTENERS: 'k:9092'}}\n"
    app = "  app: {build: ., depends_on: [db, kafka]}\n"
    write(tmp_path, compose=f"services:\n{app}{database}{kafka}volumes: {{data: {{}}}}\n")
    (tmp_path / "run.py").write_text(APP)
    dev = look(tmp_path, prod="", dev="compose.yaml")
    files, project = dev.proposal.settings
    assert files.value == ["compose.yaml", OVERRIDE_NAME]
    assert project.value == load(tmp_path, {}, project_dir=tmp_path).environments["dev"].project
    stack = dev.project.stacks["dev"].stack
    published = {name: service.ports[0].target for name, service in stack.services.items()}
    assert published == {"db": 5432, "kafka": 9092}
    assert dev.proposal.notes[0] == (
        f"dev: {OVERRIDE_NAME} publishes db, kafka for the server on this host"
    )
    assert dev.proposal.notes[-1].startswith("kafka sends its clients to KAFKA_ADVERTISED_")


def test_files_of_the_settings_are_not_changed_but_the_way_out_is_said(tmp_path: Path) -> None:
    write(tmp_path, **{"compose.prod": PRODUCTION})
    settings = '[prod]\nfiles = ["compose.prod.yaml"]\n[dev]\nfiles = ["compose.prod.yaml"]\n'
    (tmp_path / "dartsctl.toml").write_text(settings)
    dev = look(tmp_path)
    assert dev.proposal.changes == ()
    (task,) = dev.proposal.tasks
    assert (task.paste, task.is_required) == (("dartsctl dev up --on-conflict remap",), False)


@pytest.mark.parametrize(
    "text", ["services: [", "services:\n  db:\n    image: mine\n"], ids=["no YAML", "not ours"]
)
def test_a_file_of_that_name_that_somebody_else_wrote_stays(tmp_path: Path, text: str) -> None:
    write(tmp_path, **{"compose.prod": PRODUCTION})
    (tmp_path / "run.py").write_text(APP)
    (tmp_path / OVERRIDE_NAME).write_text(text)
    dev = look(tmp_path)
    assert dev.proposal.changes == ()
    assert len(dev.proposal.tasks) == 1


def test_included_services_are_separated_too(tmp_path: Path) -> None:
    including = "include: [parts.yaml]\nservices:\n  app:\n    build: .\n"
    database = "services:\n  db:\n    image: postgres\n    container_name: shop-db\n"
    write(tmp_path, **{"compose.prod": PRODUCTION, "compose.dev": including, "parts": database})
    dev = look(tmp_path, dev="compose.dev.yaml")
    assert dev.proposal.tasks == ()
    assert dev.project.stacks["dev"].stack.services["db"].container_name == ""


def test_settings_without_services_in_dev_get_none(tmp_path: Path) -> None:
    write(tmp_path, **{"compose.prod": PRODUCTION})
    (tmp_path / "run.py").write_text(APP)
    settings = '[prod]\nfiles = ["compose.prod.yaml"]\n[dev]\nfiles = []\n'
    (tmp_path / "dartsctl.toml").write_text(settings)
    dev = look(tmp_path)
    assert (dev.proposal.changes, dev.proposal.tasks, dev.services) == ((), (), None)
