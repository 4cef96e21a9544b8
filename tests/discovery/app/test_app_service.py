"""Which service of a stack is the app of a folder, and what its container runs."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.discovery.app.app_service import (
    AppService,
    app_services,
    best_service,
    possible_apps,
)
from dartsctl.discovery.app.health_path import path_of_check
from dartsctl.discovery.app.sources import Sources

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
SERVES = FLASK + "app.run()\n"
HERE = "/srv/shop"
BUILT = {"build": {"context": HERE, "dockerfile": "Dockerfile"}}


def services(files: dict[str, str], **bodies: dict[str, Any]) -> tuple[AppService, ...]:
    model = {"services": bodies}
    return app_services(model, HERE, Sources(files), lambda name, key: f"compose.yaml {name} {key}")


def best(files: dict[str, str], **bodies: dict[str, Any]) -> str:
    service = best_service(services(files, **bodies))
    return service.name if service else ""


def gateway(**more: Any) -> dict[str, Any]:
    return {"build": {"context": HERE, "dockerfile": "Dockerfile.gateway"}, **more}


def test_the_gateway_and_the_worker_of_the_same_folder_are_not_the_app() -> None:
    files = {
        "run.py": SERVES,
        "gateway.py": SERVES,
        "Dockerfile": 'FROM x\nCMD ["python", "run.py"]',
        "Dockerfile.gateway": "FROM x\nCMD python gateway.py",
    }
    worker = {**BUILT, "command": ["celery", "-A", "tasks", "worker"]}
    assert best(files, gateway=gateway(), web=BUILT, worker=worker) == "web"
    served = services(files, gateway=gateway(), web=BUILT)
    assert [service.entry.command[1] for service in served if service.entry] == [
        "gateway.py",
        "run.py",
    ]


def test_of_two_servers_without_a_script_that_dev_starts_the_plain_dockerfile_counts() -> None:
    files = {
        "web.py": SERVES,
        "gateway.py": SERVES,
        "Dockerfile": "FROM x\nCMD python web.py",
        "Dockerfile.gateway": "FROM x\nCMD python gateway.py",
    }
    assert best(files, gateway=gateway(), web=BUILT) == "web"


def test_two_equal_services_are_left_to_a_person() -> None:
    files = {"a.py": SERVES, "b.py": SERVES, "Dockerfile": "FROM x"}
    first = {**BUILT, "command": ["python", "a.py"]}
    second = {**BUILT, "command": ["python", "b.py"]}
    assert best(files, first=first, second=second) == ""
    assert best(files, first={**first, "expose": ["80"]}, second=second) == "first"


def test_a_script_that_serves_goes_before_one_of_which_that_is_not_seen() -> None:
    files = {"web.py": SERVES, "sync.py": "import time\ntime.sleep(9)\n", "Dockerfile": "FROM x"}
    web = {**BUILT, "command": ["python", "web.py"]}
    sync = {**BUILT, "command": ["python", "sync.py"], "ports": [{"target": 80}]}
    assert best(files, sync=sync, web=web) == "web"


def test_a_worker_and_a_proxy_are_not_the_app_where_no_server_is_seen() -> None:
    other = {"build": {"context": HERE, "dockerfile": "docker/Dockerfile"}}
    worker = {**other, "command": ["celery", "-A", "shop", "worker"]}
    nginx = {**other, "ports": [{"target": 80}]}
    bodies: dict[str, dict[str, Any]] = {
        "api": other,
        "jobs": worker,
        "celery_beat": other,
        "nginx": nginx,
    }
    assert best({}, **bodies) == "api"
    assert best({}, **bodies, web=other) == ""
    names = [service.name for service in possible_apps(services({}, **bodies, web=other))]
    assert names == ["api", "web"]


def test_services_of_other_folders_and_images_do_not_count() -> None:
    other = {"build": {"context": "/srv/other"}}
    assert services({}, other=other, db={"image": "postgres:16"}) == ()


@pytest.mark.parametrize("base", ["docker.io/postgres:16", "traefik:2.11", "redis as cache"])
def test_a_store_or_proxy_that_is_built_from_the_apps_folder_is_not_the_app(base: str) -> None:
    files = {"compose/other/Dockerfile": f"FROM {base}\n", "Dockerfile": "FROM python:3.12\n"}
    other = {"build": {"context": HERE, "dockerfile": "./compose/other/Dockerfile"}}
    assert [service.name for service in services(files, other=other, web=BUILT)] == ["web"]


@pytest.mark.parametrize(
    ("context", "dockerfile", "is_ours"),
    [
        ("/srv", "shop/Dockerfile", True),
        ("/", "srv/shop/Dockerfile.web", True),
        ("/srv", f"{HERE}/Dockerfile", True),
        ("/srv", "Dockerfile", False),
        ("/srv", "other/Dockerfile", False),
        ("/other", f"{HERE}/Dockerfile", False),
    ],
)
def test_an_app_of_a_monorepo_is_built_from_above_with_its_own_dockerfile(
    context: str, dockerfile: str, is_ours: bool
) -> None:
    files = dict.fromkeys(("Dockerfile", "Dockerfile.web"), "FROM x\nCMD python app.py")
    web = {"build": {"context": context, "dockerfile": dockerfile}}
    assert best({**files, "app.py": SERVES}, web=web) == ("web" if is_ours else "")


def test_an_image_that_runs_the_mounted_folder_counts() -> None:
    mount = {"type": "bind", "source": HERE, "target": "/app"}
    body = {"image": "python:3.12", "volumes": [mount], "command": ["flask", "run"]}
    assert best({"app.py": FLASK}, web=body) == "web"


def test_a_single_service_that_is_built_here_is_the_app_whatever_it_runs() -> None:
    files = {"Dockerfile": "FROM x\nCMD node server.js"}
    assert best(files, web=BUILT, db={"image": "postgres"}) == "web"


@pytest.mark.parametrize(
    ("body", "command", "where"),
    [
        ({}, ("{python}", "a.py"), "Dockerfile:3"),
        ({"command": ["python", "b.py"]}, ("{python}", "b.py"), "compose.yaml web command"),
        (
            {"entrypoint": ["python", "b.py"]},
            ("{python}", "b.py"),
            "compose.yaml web entrypoint",
        ),
    ],
)
def test_composes_command_goes_before_the_images(
    body: dict[str, Any], command: tuple[str, ...], where: str
) -> None:
    files = {"a.py": SERVES, "b.py": SERVES, "Dockerfile": 'FROM x\n\nCMD ["python", "a.py"]'}
    (service,) = services(files, web={**BUILT, **body})
    assert service.entry is not None
    assert (service.entry.command, service.entry.where) == (command, where)


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ('ENTRYPOINT ["python"]\nCMD ["a.py"]', "a.py"),
        ('ENTRYPOINT ["./docker/entrypoint.sh"]\nCMD ["python", "a.py"]', "a.py"),
        ("ENTRYPOINT python a.py", "a.py"),
        ('CMD ["python", "b.py"]\nCMD ["python", "a.py"]', "a.py"),
        ("CMD exec python \\\n  # why\n  a.py", "a.py"),
        ('ENV FLASK_APP=a.py\nCMD ["flask", "run", "--host", "0.0.0.0"]', "a.py"),
        ("ENV FLASK_APP a.py\ncmd flask run", "a.py"),
        ('FROM y AS other\nCMD ["python", "b.py"]\nFROM x\nCMD ["python", "a.py"]', "a.py"),
        ('FROM x AS base\nCMD ["python", "a.py"]\nFROM base AS final\nUSER app', "a.py"),
    ],
)
def test_what_the_last_stage_runs(text: str, file: str) -> None:
    files = {"a.py": SERVES, "b.py": SERVES, "Dockerfile": f"FROM x\n{text}\n"}
    (service,) = services(files, web=BUILT)
    assert service.entry is not None
    assert service.entry.file == file


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("CMD", "curl", "-f", "http://localhost:5000/health"), "/health"),
        (("CMD-SHELL", "wget -qO- http://127.0.0.1:5000/healthz || exit 1"), "/healthz"),
        (("CMD", "python", "-c", "urlopen('http://localhost:5000/up')"), "/up"),
        (("CMD-SHELL", "curl -fs localhost:5000 || exit 1"), ""),
        (("CMD", "curl", "http://localhost:5000"), "/"),
        (("CMD", "curl", "http://localhost:9100/metrics"), ""),
        (("CMD", "curl", "http://api:5000/health"), ""),
        (("CMD", "curl", "http://localhost:${PORT:-5000}/health"), "/health"),
        (("CMD", "pg_isready"), ""),
    ],
)
def test_the_path_of_a_health_check(words: tuple[str, ...], path: str) -> None:
    assert path_of_check(words, {5000}) == path
