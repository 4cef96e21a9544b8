"""What `init` finds out about the host server: facts as data, no Compose."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from dartsctl.config.load_settings import load
from dartsctl.discovery.proposal import Proposal
from dartsctl.discovery.stack_facts import StackFacts
from dartsctl.errors import DartsctlError
from dartsctl.records import replace
from dartsctl.stack.compose_model import read_stack
from dartsctl.workflows.init.project import InitRequest, Project
from dartsctl.workflows.init.server import find_app, find_server
from dartsctl.workflows.init.server_env import find_server_env
from fakes.compose import WrittenCompose
from fakes.deps import FakeClock, fake_deps

SERVES = "from flask import Flask\napp = Flask(__name__)\n@app.get('/health')\ndef up(): ...\n"
MAIN = "if __name__ == '__main__':\n    app.run(port=int(os.environ['PORT']))\n"
MANAGE = (
    "from django.core.management import execute_from_command_line\nexecute_from_command_line([])\n"
)
RUNS = f"import os\n{SERVES}{MAIN}"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def project_in(root: Path, services: dict[str, Any] | None = None) -> Project:
    """Return the project; `services` are those of its compose.yaml, as Compose resolves them."""
    stacks: dict[str, StackFacts] = {}
    if services is not None:
        file = root / "compose.yaml"
        if not file.exists():
            file.write_text("services:\n" + "".join(f"  {name}:\n" for name in services))
        stacks["dev"] = StackFacts("dev", (file,), model={"services": services})
    deps = fake_deps(root, FakeClock())
    return Project(InitRequest(load(root, {})), stacks, bundled=False, deps=deps)


def found(project: Project) -> Proposal:
    return find_server(project, find_app(project))


def settings_of(proposal: Proposal) -> dict[str, Any]:
    return {
        f"{setting.table}.{setting.key}": setting.value
        for setting in proposal.settings
        if not setting.is_default
    }


def built(folder: Path, **more: Any) -> dict[str, Any]:
    return {"build": {"context": str(folder), "dockerfile": "Dockerfile"}, **more}


def test_what_dev_does_by_itself_needs_no_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"run.py": RUNS.replace("/health", "/"), "Dockerfile": "FROM x\nCMD python run.py"},
    )
    proposal = found(project_in(tmp_path, {"web": built(tmp_path), "db": {"image": "postgres"}}))
    assert settings_of(proposal) == {"server.replaces": ["web"]}
    assert [setting.why for setting in proposal.settings] == [
        "Dockerfile:2: Flask",
        "compose.yaml:2",
    ]


def test_everything_that_dev_does_not_do_by_itself_has_its_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"portal.py": SERVES, "Dockerfile": "FROM x\nCMD gunicorn -b :80 portal:app"},
    )
    check = {"test": ["CMD", "curl", "-f", "http://localhost/status"]}
    assert settings_of(
        found(project_in(tmp_path, {"web": built(tmp_path, healthcheck=check)}))
    ) == {
        "server.command": ["{python}", "-m", "flask", "--app", "portal:app", "run"],
        "server.health": "/status",
        "server.replaces": ["web"],
    }
    assert settings_of(found(project_in(tmp_path, {"web": built(tmp_path)})))["server.health"] == (
        "/health"
    )


def test_app_py_that_dev_would_start_in_vain_has_a_line(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": SERVES})
    assert settings_of(found(project_in(tmp_path)))["server.command"] == [
        *("{python}", "-m", "flask", "--app", "app:app", "run")
    ]


def test_a_fixed_port_is_replaced_by_the_sockets_hand_over(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": SERVES + "app.run(port=5000)"})
    assert settings_of(found(project_in(tmp_path))) == {
        "server.handover": "werkzeug",
        "server.health": "/health",
    }


def test_the_app_may_be_in_the_only_folder_from_which_one_is_built(tmp_path: Path) -> None:
    write(tmp_path, {"backend/app.py": RUNS, "frontend/package.json": "{}"})
    model = {"api": built(tmp_path / "backend"), "ui": built(tmp_path / "frontend")}
    assert settings_of(found(project_in(tmp_path, model))) == {
        "server.directory": "backend",
        "server.health": "/health",
        "server.replaces": ["api"],
    }
    write(tmp_path, {"frontend/app.py": RUNS})
    proposal = found(project_in(tmp_path, model))
    assert settings_of(proposal) == {}
    assert proposal.tasks[0].text == "choose the app that `dartsctl dev` starts: backend, frontend"
    assert proposal.tasks[0].paste == (
        "[server]",
        'directory = "backend"',
        'directory = "frontend"',
    )


def test_of_services_that_start_something_unknown_the_one_with_a_port_is_the_app(
    tmp_path: Path,
) -> None:
    write(tmp_path, {"manage.py": MANAGE, "Dockerfile": "FROM python"})
    ports = [{"target": 8000, "published": "8000"}]
    web = built(tmp_path, command=["/start"], ports=ports)
    model = {"web": web, "worker": built(tmp_path, command=["/start-worker"])}
    assert settings_of(found(project_in(tmp_path, model)))["server.replaces"] == ["web"]


def test_of_equal_services_the_one_that_runs_the_entry_point_is_the_app(tmp_path: Path) -> None:
    write(tmp_path, {"jobs.py": RUNS, "main.py": RUNS, "Dockerfile": "FROM python"})
    model = {
        "jobs": built(tmp_path, command=["python", "jobs.py"]),
        "shop": built(tmp_path, command=["python", "main.py"]),
        "tool": built(tmp_path, command=["/tool"]),
    }
    assert settings_of(found(project_in(tmp_path, model)))["server.replaces"] == ["shop"]


def test_of_equal_services_whose_program_is_unknown_it_is_the_published_one(tmp_path: Path) -> None:
    write(tmp_path, {"manage.py": MANAGE, "Dockerfile": "FROM python"})
    inside = built(tmp_path, command=["/start"], ports=[{"target": 8000}])
    published = built(tmp_path, command=["/go"], ports=[{"target": 80, "published": "8000"}])
    model = {"api": inside, "web": published}
    assert settings_of(found(project_in(tmp_path, model)))["server.replaces"] == ["web"]
    model["api"] = {**published, "command": ["/other"]}
    assert "server.replaces" not in settings_of(found(project_in(tmp_path, model)))


def test_without_an_app_nothing_is_said(tmp_path: Path) -> None:
    write(tmp_path, {"server.js": "", "Dockerfile": "FROM node\nCMD node server.js"})
    proposal = found(project_in(tmp_path, {"web": built(tmp_path)}))
    assert proposal == Proposal()


def test_two_frameworks_are_a_task_with_the_lines(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "app.py": RUNS,
            "manage.py": MANAGE,
        },
    )
    proposal = found(project_in(tmp_path))
    assert settings_of(proposal) == {}
    (task,) = proposal.tasks
    assert task.text == "choose what `dartsctl dev` starts: app.py (Flask), manage.py (Django)"
    assert task.paste == (
        "[server]",
        'command = ["{python}", "app.py"]  # app.py:7',
        'command = ["{python}", "manage.py", "runserver", "{host}:{port}"]  # manage.py:2',
    )


def test_a_port_that_nothing_can_change_is_a_task(tmp_path: Path) -> None:
    text = "from flask import Flask\nfrom flask_socketio import SocketIO\nimport eventlet\n"
    text += "app = Flask(__name__)\nio = SocketIO(app)\nio.run(app, port=5000)\n"
    write(tmp_path, {"app.py": text})
    proposal = found(project_in(tmp_path))
    assert settings_of(proposal) == {}
    assert proposal.tasks[0].text == (
        "app.py:6 listens on the port 5000 and reads no variable, so `dartsctl dev` cannot give it "
        "a port of its own; let it read one"
    )


@pytest.mark.parametrize("override", ["", "override=False", "override=True"])
def test_a_production_port_in_an_env_file_is_said_in_the_settings(
    tmp_path: Path, override: str
) -> None:
    write(
        tmp_path,
        {
            "app.py": f"from dotenv import load_dotenv\nload_dotenv({override})\n{RUNS}",
            ".env": "A=1\nPORT=5000\n",
        },
    )
    project = project_in(tmp_path)
    proposal = find_server_env(find_app(project), project, project)
    (setting,) = proposal.settings
    assert (setting.key, setting.value) == (
        "port_variables",
        ["FLASK_RUN_PORT", "FLASK_PORT", "PORT"],
    )
    assert setting.why == "PORT=5000 in .env:2: `dartsctl dev` sets the leased port instead"
    assert len(proposal.tasks) == (override == "override=True")
    for task in proposal.tasks:
        assert task.text == (
            "app.py:2 loads its env file over the environment, so PORT=5000 in .env:2 counts and "
            "not the port that `dartsctl dev` leases; let the environment count, or remove that "
            "line"
        )


def test_production_that_cannot_be_read_leaves_the_default_ports_reserved(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": RUNS, ".env": "PORT=5000\n"})
    error = DartsctlError("Compose cannot read p.yaml")
    unread = StackFacts("prod", (tmp_path / "p.yaml",), error=error)
    project = project_in(tmp_path).with_stack(unread)
    (setting,) = find_server_env(find_app(project), project, project).settings
    assert setting.key == "port_variables"


# --- the virtual environment -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        (
            {"requirements.txt": "fastapi"},
            ["python3 -m venv .venv", ".venv/bin/pip install -r requirements.txt"],
        ),
        (
            {"requirements.txt": "", "requirements/dev.txt": ""},
            ["python3 -m venv .venv", ".venv/bin/pip install -r requirements/dev.txt"],
        ),
        ({"pyproject.toml": ""}, ["python3 -m venv .venv", ".venv/bin/pip install -e ."]),
        ({"pyproject.toml": "", "uv.lock": ""}, ["uv sync"]),
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'"}, ["poetry install"]),
        ({"pyproject.toml": "", "poetry.lock": ""}, ["poetry install"]),
        ({"pyproject.toml": "", "pdm.lock": ""}, ["pdm install"]),
        ({"Pipfile": ""}, ["PIPENV_VENV_IN_PROJECT=1 pipenv install --dev"]),
    ],
)
def test_without_a_virtual_environment_its_commands_are_shown(
    tmp_path: Path, files: dict[str, str], commands: list[str]
) -> None:
    write(tmp_path, {"main.py": "from litestar import Litestar\napp = Litestar()", **files})
    (task,) = found(project_in(tmp_path)).tasks
    assert task.text == (
        f"no virtual environment in {tmp_path}: `dartsctl dev` would start the app with dartsctl's "
        "own interpreter, which does not have Litestar; to make one"
    )
    assert not task.is_required
    assert list(task.paste) == [f"cd {tmp_path}", *commands]


def test_of_a_framework_whose_package_is_unknown_nobody_says_that_it_is_missing(
    tmp_path: Path,
) -> None:
    serves = "import os\nfrom sanic import Sanic\napp = Sanic('a')\n"
    write(tmp_path, {"main.py": f"{serves}app.run(port=int(os.environ['PORT']))\n"})
    (task,) = found(project_in(tmp_path)).tasks
    assert task.text.endswith("would start the app with dartsctl's own interpreter; to make one")
    write(tmp_path, {".venv/pyvenv.cfg": "", ".venv/lib/python3.12/site-packages/readme": ""})
    assert found(project_in(tmp_path)).tasks == ()


def test_a_virtual_environment_without_the_framework_is_said(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "main.py": "from litestar import Litestar\napp = Litestar()",
            ".venv/pyvenv.cfg": f"home = {Path(sys.base_prefix) / 'bin'}\nversion = 3.12\n",
            ".venv/lib/python3.12/site-packages/readme": "",
            "requirements.txt": "",
        },
    )
    (task,) = found(project_in(tmp_path)).tasks
    assert task.text == (
        f"the virtual environment {tmp_path}/.venv does not have Litestar; to install it"
    )
    assert task.paste == (f"{tmp_path}/.venv/bin/pip install -r requirements.txt",)
    write(tmp_path, {".venv/lib/python3.12/site-packages/litestar/__init__.py": ""})
    assert found(project_in(tmp_path)).tasks == ()


# --- [server.env] ------------------------------------------------------------------------------


def test_the_variables_of_the_container_lead_to_the_dev_services(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(RUNS + "DB = os.environ.get('DB_URL', 'mysql://localhost')\n")
    (tmp_path / ".env.example").write_text("CACHE=redis://:s3cret@localhost:6379/0\n")
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    build: .\n    environment:\n      QUEUE: amqp://queue\n"
        "      BACK_URL: http://localhost:8000/x\n  queue:\n  cache:\n"
    )
    environment = {"QUEUE": "amqp://queue", "BACK_URL": "http://localhost:8000/x"}
    port = {"mode": "ingress", "target": 8000, "published": "8000", "protocol": "tcp"}
    model: dict[str, Any] = {
        "name": "shop",
        "services": {
            "web": built(tmp_path, environment=environment, ports=[port]),
            "queue": {"image": "rabbitmq", "ports": [{**port, "target": 5672}]},
            "cache": {"image": "redis", "ports": [{**port, "target": 6379}]},
        },
    }
    project = project_in(tmp_path, model["services"])
    stack = replace(project.stacks["dev"], model=model, stack=read_stack(model))
    compose: Any = lambda *_, **__: WrittenCompose(model)  # noqa: E731
    deps = replace(project.deps, compose_on=compose)
    project = Project(project.request, {"dev": stack}, bundled=False, deps=deps)
    proposal = find_server_env(find_app(project), project, project)
    assert {setting.key: (setting.value, setting.why) for setting in proposal.settings} == {
        "QUEUE": ("amqp://{queue.host}:{queue.port:5672}", "compose.yaml:5"),
        "BACK_URL": ("{url}/x", "compose.yaml:6"),
        "CACHE": ("{env.CACHE@cache:6379}", ".env.example:1"),
    }
    assert proposal.tasks == ()


def test_the_server_gets_the_env_file_of_its_container(tmp_path: Path) -> None:
    """Those that every server gets anyway are not named again."""
    write(tmp_path, {"app.py": RUNS, "config/web.env": "DB_URL=postgresql://a:b@db/x\nMODE=dev\n"})
    write(tmp_path, {".env": "A=1\n", ".flaskenv": "B=2\n"})
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    build: .\n    env_file: config/web.env\n  db:\n"
    )
    port = {"mode": "ingress", "target": 5432, "published": "5432", "protocol": "tcp"}
    paths = [{"path": str(tmp_path / name)} for name in (".env", ".flaskenv", "config/web.env")]
    model: dict[str, Any] = {
        "name": "shop",
        "services": {
            "web": built(tmp_path, env_file=paths, environment={"MODE": "dev"}),
            "db": {"image": "postgres", "ports": [port]},
        },
    }
    project = project_in(tmp_path, model["services"])
    stack = replace(project.stacks["dev"], model=model, stack=read_stack(model))
    written = {**model, "services": {**model["services"]}}
    written["services"]["web"] = built(tmp_path, env_file=paths)
    compose: Any = lambda *_, **__: WrittenCompose(written)  # noqa: E731
    deps = replace(project.deps, compose_on=compose)
    project = Project(project.request, {"dev": stack}, bundled=False, deps=deps)
    proposal = find_server_env(find_app(project), project, project)
    assert {(setting.table, setting.key): setting.value for setting in proposal.settings} == {
        ("server", "env_files"): ["config/web.env"],
        ("server.env", "DB_URL"): "{env.DB_URL@db:5432}",
    }
    assert [setting.why for setting in proposal.settings] == ["compose.yaml:4", "config/web.env:1"]
