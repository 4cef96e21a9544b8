"""The files in compose/: valid in every combination, with the documented ports, no duplicates."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.once

COMPOSE = Path(__file__).parents[1] / "compose"
PROFILES = ("app", "gateway", "idp", "proxy")
SECRETS = dict.fromkeys(
    ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "SECRET_KEY", "WSO2_IS_INTROSPECT_PASSWORD"), "s"
)
PUBLISHED = {
    80: "",
    443: "",
    5000: "127.0.0.1",
    8080: "127.0.0.1",
    5672: "127.0.0.1",
    15672: "127.0.0.1",
    9443: "127.0.0.1",
    5432: "127.0.0.1",
}

COMBINATIONS = [
    (("prod.yml",), ()),
    (("prod.yml", "internal.yml"), ()),
    (("dev.yml",), ()),
    *((("dev.yml",), (profile,)) for profile in PROFILES),
    (("dev.yml",), PROFILES),
]


def compose(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`docker compose WORDS` with these variables and no env file."""
    environ = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG")
        if name in os.environ
    }
    argv = ["docker", "compose", "--env-file", "/dev/null", *words]
    return subprocess.run(
        argv,
        env=environ | variables,
        cwd=COMPOSE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@functools.cache
def resolved(files: tuple[str, ...], profiles: tuple[str, ...] = ()) -> Any:
    words = [word for file in files for word in ("-f", file)] + [
        word for profile in profiles for word in ("--profile", profile)
    ]
    done = compose(*words, "config", "--format", "json", **(SECRETS if "prod.yml" in files else {}))
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, "every variable has a default or is required"
    return json.loads(done.stdout)


def host_ports(files: tuple[str, ...], profiles: tuple[str, ...] = ()) -> dict[int, str]:
    services = resolved(files, profiles)["services"].values()
    return {
        int(port["published"]): port.get("host_ip", "")
        for service in services
        for port in service.get("ports", ())
    }


@pytest.mark.engine
@pytest.mark.parametrize(("files", "profiles"), COMBINATIONS, ids=str)
def test_every_combination_is_valid(files: tuple[str, ...], profiles: tuple[str, ...]) -> None:
    services = resolved(files, profiles)["services"]
    assert len(services) == (6 if files[0] == "prod.yml" else 2 + len(profiles))


@pytest.mark.engine
@pytest.mark.parametrize("name", SECRETS)
def test_production_names_the_missing_secret_and_its_file(name: str) -> None:
    done = compose(
        "-f", "prod.yml", "config", "-q", **{other: "s" for other in SECRETS if other != name}
    )
    assert done.returncode != 0
    assert name in done.stderr
    assert ".env.production" in done.stderr


@pytest.mark.engine
def test_production_has_the_documented_ports_and_only_nginx_is_public() -> None:
    assert host_ports(("prod.yml",)) == PUBLISHED
    assert host_ports(("prod.yml", "internal.yml")) == {80: "", 443: ""}


@pytest.mark.engine
def test_dev_avoids_production_ports_and_leased_ports_and_stays_on_loopback() -> None:
    ports = host_ports(("dev.yml",), PROFILES)
    assert len(ports) == 8
    assert set(ports.values()) == {"127.0.0.1"}
    assert not set(ports) & (set(PUBLISHED) | set(range(5001, 5100)))
    dev, prod = resolved(("dev.yml",), PROFILES), resolved(("prod.yml",))
    assert dev["name"] != prod["name"]
    for kind in ("networks", "volumes"):
        in_dev = {item["name"] for item in dev[kind].values()}
        in_prod = {item["name"] for item in prod[kind].values()}
        assert not in_dev & in_prod
    for service in (*dev["services"].values(), *prod["services"].values()):
        assert "container_name" not in service, "a fixed name exists once on a machine"


@pytest.mark.engine
def test_every_service_is_checked_for_health_limited_and_on_the_one_network() -> None:
    for name, service in {
        **resolved(("prod.yml",))["services"],
        **resolved(("dev.yml",), PROFILES)["services"],
    }.items():
        assert service["healthcheck"]["test"], name
        assert service["cap_drop"] == ["ALL"], name
        assert int(service["mem_limit"]) > 0, name
        assert list(service["networks"]) == ["darts-network"], name
        image = service.get("image", "")
        assert not image.endswith(":latest"), name
        assert ":" in image or "build" in service, name


@pytest.mark.engine
def test_limits_versions_and_the_source_of_the_app_are_variables() -> None:
    other = {
        "NGINX_VERSION": "1.29-alpine@sha256:0",
        "POSTGRES_MEMORY": "2g",
        "DARTSERVER_DIR": "/srv/app",
        "APP_READ_ONLY": "false",
    }
    done = compose("-f", "prod.yml", "config", "--format", "json", **SECRETS, **other)
    services = json.loads(done.stdout)["services"]
    assert services["nginx"]["image"] == "nginx:1.29-alpine@sha256:0"
    assert int(services["postgres"]["mem_limit"]) == 2 << 30
    assert {services[name]["build"]["context"] for name in ("darts-app", "api-gateway")} == {
        "/srv/app"
    }
    assert not services["darts-app"].get("read_only")


def test_no_definition_is_repeated() -> None:
    """prod.yml and dev.yml extend services.yml, and repeat neither it nor each other."""
    prod, dev, shared = (
        yaml.safe_load((COMPOSE / f"{name}.yml").read_text())["services"]
        for name in ("prod", "dev", "services")
    )
    assert set(prod) == set(dev) == set(shared)
    for name in prod:
        for service in (prod[name], dev[name]):
            assert service["extends"] == {"file": "services.yml", "service": name}
            assert set(service) <= {
                "extends",
                "restart",
                "ports",
                "environment",
                "depends_on",
                "profiles",
                "volumes",
            }
            assert (
                not service.get("environment", {}).keys()
                & shared[name].get("environment", {}).keys()
            )
        both = prod[name].get("environment", {}).items() & dev[name].get("environment", {}).items()
        assert not both, name


@pytest.mark.parametrize(
    ("file", "reasons"), [("prod.yml", ".compose-lint.yml"), ("dev.yml", ".compose-lint.dev.yml")]
)
def test_the_linter_has_no_unexplained_findings(tmp_path: Path, file: str, reasons: str) -> None:
    """In a copy: the linter rejects mounts below /root, where a checkout may be."""
    copy = shutil.copytree(
        COMPOSE,
        tmp_path / "compose",
        ignore=shutil.ignore_patterns("certs", "instance", "__pycache__"),
    )
    (copy / "nginx" / "certs").mkdir()
    argv = [
        sys.executable,
        "-m",
        "compose_lint",
        "check",
        "--strict-config",
        "--fail-on",
        "low",
        "--no-env",
        "--quiet",
        "--config",
        reasons,
        file,
    ]
    done = subprocess.run(argv, cwd=copy, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.engine
def test_the_identity_server_gets_every_variable_of_its_settings() -> None:
    text = (COMPOSE / "wso2is/repository/conf/deployment.toml").read_text()
    settings = tomllib.loads(text)
    asked = {part.partition("}")[0] for part in text.split("$env{")[1:]} - {""}
    for files, profiles in ((("prod.yml",), ()), (("dev.yml",), ("idp",))):
        given = resolved(files, profiles)["services"]["wso2is"]["environment"]
        assert asked == set(given), files
    assert settings["server"]["proxy_context_path"] == "auth"
    assert settings["super_admin"]["password"] == "$env{WSO2_ADMIN_PASSWORD}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("darts.example.org", "DNS:"), ("192.168.1.7", "IP Address:"), ("2001:db8::1", "IP Address:")],
)
def test_a_certificate_is_created_once_private_and_for_the_name(
    tmp_path: Path, name: str, kind: str
) -> None:
    script = ["sh", str(COMPOSE / "nginx/make-certificate.sh"), str(tmp_path)]
    made = subprocess.run(
        script, env=os.environ | {"TLS_NAME": name}, capture_output=True, text=True, check=True
    )
    assert "made a self-signed certificate" in made.stdout
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "tls.crt": 0o644,
        "tls.key": 0o600,
    }
    shown = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "tls.crt", "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{kind}{name}" in shown.stdout.replace("2001:DB8:0:0:0:0:0:1", "2001:db8::1")
    before = (tmp_path / "tls.key").read_bytes()
    assert (
        "certificate found"
        in subprocess.run(script, capture_output=True, text=True, check=True).stdout
    )
    (tmp_path / "tls.crt").unlink()
    half = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (half.returncode, "only one of" in half.stderr) == (1, True)
    assert (tmp_path / "tls.key").read_bytes() == before, "a key that is there is never touched"


def test_a_failed_certificate_leaves_no_files(tmp_path: Path) -> None:
    script = ["sh", str(COMPOSE / "nginx/make-certificate.sh"), str(tmp_path)]
    done = subprocess.run(
        script,
        env=os.environ | {"TLS_NAME": "x" * 300},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "example"),
    [(("services.yml", "prod.yml"), ".env.production.example"), (("dev.yml",), ".env.example")],
    ids=["production", "dev"],
)
def test_every_variable_is_in_the_example(files: tuple[str, ...], example: str) -> None:
    used = {
        name
        for file in files
        for name in re.findall(r"(?<!\$)\$\{(\w+)", (COMPOSE / file).read_text())
    }
    named = set(re.findall(r"^#?(\w+)=", (COMPOSE.parent / example).read_text(), re.MULTILINE))
    assert used <= named
