"""The cases: a healthy machine, and random changes of one part of it.

A case follows from the seed, the kind and the number.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import Case, frames, http
from mutation import CANARY, WEIRD, dumped, of_bytes, of_document, shown

DATA = Path(__file__).parents[1] / "data"
MOST_STEPS = 3
Kept = Collection[int] | None
"""The numbers of the changes to make, None for all."""

# --- a healthy machine ---

SETTINGS = b"""\
name = "shop"
[dev]
files = ["compose.yml"]
project = "shop-dev"
[prod]
files = ["compose.yml"]
env_files = [".env.production"]
project = "shop"
unsafe = "warn"
wait_timeout = 1
[ports]
dev_range = "45101-45110"
[ports.production]
web = [45180, 45443]
app = 45100
[server]
command = ["true"]
health = "/health"
replaces = ["app"]
services = "optional"
ready_timeout = 1
[server.env]
API_TOKEN = "cAnAry-in-the-settings"
BROKER = "{app.host}:{app.port:80}"
[doctor]
url = "http://127.0.0.1:45180/"
"""
ENV = b"""\
# production
DB_PASSWORD=cAnAry-of-the-database-8f1c
SECRET_KEY="cAnAry of the application 77"
API_TOKEN='cAnAry-token-51'
DOMAIN=shop.example.org
URL=https://user:cAnAry-in-a-url@example.org/${DOMAIN}
"""
NGINX = b"""\
# configuration file /etc/nginx/nginx.conf:
events {}
http {
  upstream app { server app:8080; }
  server {
    listen 80; listen 443 ssl; server_name shop.example.org;
    location / { proxy_pass http://app; }
    location /api/ { set $up http://app:8080; proxy_pass $up; }
  }
  include /etc/nginx/conf.d/*.conf;
}
"""
ERRORS = b"""\
2026/11/23 23:30:37 [error] 29#29: *1 connect() failed (111: Connection refused) \
while connecting to upstream, client: 127.0.0.1, server: shop, \
request: "GET /callback?code=cAnAry-code HTTP/1.1", upstream: "http://127.0.0.2:8080/", host: "shop"
2026/11/23 23:30:38 [emerg] 1#1: host not found in upstream "app" in /etc/nginx/nginx.conf:4
"""
TABLE = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\
 0000000000000000 100 0 0 10 0
   1: 0100007F:0050 0200007F:1F90 02 00000000:00000000 00:00000000 00000000     0        0 4712 1\
 0000000000000000 100 0 0 10 0
"""
_ID = {"web": "5f" * 32, "app": "60" * 32, "other": "61" * 32}


def _model() -> dict[str, Any]:
    network = {
        "default": {"name": "shop_default", "driver": "bridge", "ipam": {}},
        "edge": {"name": "edge", "external": True},
    }
    secrets = {
        "DB_PASSWORD": f"{CANARY}-db",
        "SECRET_KEY": f"{CANARY}-key",
        "PLAIN": "1",
        "EMPTY": None,
    }
    web = {
        "image": "nginx:1.28",
        "networks": {"default": None, "edge": {"gw_priority": 1}},
        "ports": [
            {
                "mode": "ingress",
                "target": 80,
                "published": "45180",
                "protocol": "tcp",
                "host_ip": "127.0.0.1",
            },
            {"mode": "ingress", "target": 443, "published": "45443-45445", "protocol": "tcp"},
            {"mode": "ingress", "target": 53, "protocol": "udp"},
        ],
        "depends_on": {"app": {"condition": "service_healthy", "required": True}},
        "volumes": [
            {
                "type": "bind",
                "source": "/srv/certs",
                "target": "/etc/nginx/certs",
                "read_only": True,
                "bind": {},
            }
        ],
        "environment": secrets,
        "command": ["nginx", f"--token={CANARY}-argument"],
    }
    app = {
        "image": "shop/app:1",
        "build": {"context": "/srv/app", "args": {"BUILD_TOKEN": f"{CANARY}-build"}},
        "container_name": "shop-app",
        "scale": 1,
        "deploy": {"replicas": 1},
        "networks": {"default": {"aliases": ["backend"]}},
        "healthcheck": {"test": ["CMD", "true"], "interval": "10s"},
        "ports": [{"mode": "ingress", "target": 8080, "published": "45100", "protocol": "tcp"}],
        "environment": secrets,
    }
    host = {
        "image": "x",
        "network_mode": "host",
        "ports": [{"target": 81, "published": "45181", "protocol": "tcp"}],
    }
    return {
        "name": "shop",
        "networks": network,
        "services": {"web": web, "app": app, "host": host},
        "configs": {"c": {"content": f"{CANARY}-content"}},
    }


def _models() -> list[dict[str, Any]]:
    recorded = [json.loads(file.read_text()) for file in sorted((DATA / "compose").glob("*.json"))]
    return [
        _model(),
        *(document["model"] for document in recorded if isinstance(document.get("model"), dict)),
    ]


def _row(
    service: str, project: str, state: str, status: str, ports: list[dict[str, Any]]
) -> dict[str, Any]:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.config-hash": "0" * 64,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project.config_files": "{work}/compose.yml",
        "com.docker.compose.project.working_dir": "{work}",
    }
    return {
        "Id": _ID[service],
        "Names": [f"/{project}-{service}-1"],
        "Image": "nginx:1.28",
        "State": state,
        "Status": status,
        "Created": 1795476637,
        "Ports": ports,
        "Labels": labels,
        "HostConfig": {"NetworkMode": f"{project}_default"},
        "Mounts": [],
    }


def _engine() -> dict[str, Any]:
    """Return a healthy engine's answers by route: a document or bytes."""
    inspected = json.loads((DATA / "engine" / "running.json").read_text())
    inspected["Config"]["Env"] = [f"DB_PASSWORD={CANARY}-in-the-container", "PATH=/bin"]
    inspected["State"] |= {
        "Health": {
            "Status": "unhealthy",
            "Log": [{"ExitCode": 1, "Output": "connection refused\n"}],
        },
        "Error": "",
    }
    inspected["NetworkSettings"]["Networks"]["bridge"] |= {
        "IPAddress": "127.0.0.2",
        "Aliases": ["web"],
    }
    rows = [
        _row(
            "web",
            "shop",
            "running",
            "Up 3 minutes",
            [{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 45180, "Type": "tcp"}],
        ),
        _row("app", "shop", "restarting", "Restarting (1) 2 seconds ago", []),
        _row(
            "other",
            "other",
            "running",
            "Up 2 hours (healthy)",
            [
                {"PrivatePort": 80, "PublicPort": 45100, "Type": "tcp"},
                {"PrivatePort": 9, "Type": "tcp"},
            ],
        ),
    ]
    return {
        "version": {
            "Platform": {"Name": "Docker Engine - Community"},
            "Version": "28.5.2",
            "ApiVersion": "1.51",
            "MinAPIVersion": "1.24",
        },
        "_ping": b"OK",
        "info": {
            "SystemTime": "2026-11-23T23:30:37.32160381Z",
            "Name": "host",
            "ServerVersion": "28.5.2",
        },
        "containers json": rows,
        "containers json of one": inspected,
        "containers logs": frames(
            b"2026-11-23T23:30:37.32160381Z listening\n",
            b"2026-11-23T23:30:38.0Z " + ERRORS.splitlines()[0] + b"\n",
        ),
        "containers archive": _tar(),
        "POST exec": {"Id": "e" * 64},
        "exec json": {"ExitCode": 0, "Running": False},
        "exec nginx": frames(NGINX),
        "exec cat": frames(TABLE),
        "exec date": frames(b"+0200\n"),
        "exec test": frames(b""),
        "exec tail": frames(ERRORS),
        "networks one": {
            "Name": "edge",
            "Driver": "bridge",
            "Internal": False,
            "EnableIPv4": True,
            "EnableIPv6": False,
            "Options": {"x": "y"},
            "Labels": {},
        },
    }


def _tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        about = tarfile.TarInfo("nginx.conf")
        about.size = len(NGINX)
        tar.addfile(about, io.BytesIO(NGINX))
    return made.getvalue()


def _answers(engine: Mapping[str, Any]) -> dict[str, bytes]:
    answers = {}
    for route, body in _bodies(engine).items():
        answers[route] = body if body.startswith(b"HTTP/") else http(body)
    return answers


def _bodies(engine: Mapping[str, Any]) -> dict[str, bytes]:
    bodies = {}
    for route, answer in engine.items():
        bodies[route] = answer if isinstance(answer, bytes) else dumped(answer)
    return bodies


def _compose(model: bytes) -> dict[str, bytes]:
    return {
        "model": model,
        "errors": (
            b'time="2026-11-23T23:30:37Z" level=warning '
            b'msg="The \\"X\\" variable is not set. Defaulting to a blank string."\n'
        ),
        "hashes": b"web " + b"0" * 64 + b"\napp " + b"1" * 64 + b"\n",
        "services": b"web\napp\nhost\n",
        "variables": (
            b'{"X": {"Name": "X", "DefaultValue": "", "PresenceValue": "", "Required": false}}'
        ),
        "progress": b" Container shop-web-1  Creating\n Container shop-web-1  Started\n",
    }


FILES: Mapping[str, bytes] = {
    "dartsctl.toml": SETTINGS,
    "compose.yml": b"services: {}\n",
    ".env.production": ENV,
    ".env": ENV,
}
_STACK_VERBS: tuple[tuple[str, ...], ...] = (
    ("check", "-f", "compose.yml"),
    ("check", "-f", "compose.yml", "--json"),
    ("prod", "check"),
    ("prod", "check", "--json"),
    ("prod", "ps"),
    ("prod", "ps", "--json"),
    ("prod", "config"),
    ("prod", "config", "--json"),
    ("prod", "up", "--dry-run"),
    ("prod", "down", "--dry-run"),
    ("dev", "check"),
    ("dev", "up", "--dry-run", "--on-conflict", "remap"),
    ("dev", "url"),
    ("dev", "list"),
    ("ports",),
    ("ports", "--json"),
    ("doctor",),
    ("doctor", "--json"),
)
_SLOW_VERBS: tuple[tuple[str, ...], ...] = (
    ("prod", "up"),
    ("prod", "up", "--skip-port-check"),
    ("prod", "restart"),
    ("dev", "up", "--on-conflict", "remap", "--wait-timeout", "1"),
    ("prod", "down", "--no-input"),
    ("prod", "logs"),
    ("run", "--", "true"),
    ("dev",),
    ("history",),
    ("guard", "status"),
)


def _verb(chance: random.Random) -> tuple[str, ...]:
    return chance.choice(_SLOW_VERBS if chance.random() < 0.1 else _STACK_VERBS)


def healthy(words: tuple[str, ...]) -> Case:
    """Return a case without a change."""
    return Case(
        words=words, files=FILES, compose=_compose(dumped(_model())), engine=_answers(_engine())
    )


# --- changes ---


def _chances(seed: int, kind: str, number: int, kept: Kept) -> list[random.Random]:
    """Return a random generator for each change."""
    count = random.Random(f"{seed}/{kind}/{number}/count").choice((1, 1, 2, MOST_STEPS))
    steps = [step for step in range(count) if kept is None or step in kept]
    return [random.Random(f"{seed}/{kind}/{number}/{step}") for step in steps]


def models(chance: random.Random, steps: list[random.Random]) -> Case:
    """Compose answers with a changed model."""
    case = healthy(_verb(chance))
    document: Any = chance.choice([_model(), chance.choice(_models())])
    compose, changes = dict(case.compose), []
    raw = dumped(document)
    for step in steps:
        if step.random() < 0.85:
            document, what = of_document(document, step)
            raw = dumped(document)
            changes.append(f"model{what}")
        else:
            part = step.choice(
                (
                    "model",
                    "hashes",
                    "services",
                    "variables",
                    "errors",
                    "version",
                    "progress",
                    "code",
                )
            )
            if part == "code":
                compose[part] = step.choice((b"1", b"14", b"130", b"255"))
                what = "another exit code"
            else:
                current = {**compose, "version": b"2.40.0\n", "model": raw}
                compose[part], what = of_bytes(current[part], step)
            if part == "model":
                raw = compose[part]
            changes.append(f"{part}: {what}")
    return replace(case, compose={**compose, "model": raw}, steps=tuple(changes))


def engine(chance: random.Random, steps: list[random.Random]) -> Case:
    """The engine gives changed answers."""
    case = healthy(_verb(chance))
    documents, changes = _engine(), []
    whole: dict[str, bytes] = {}
    for step in steps:
        route = step.choice(list(documents))
        answer = documents[route]
        kind = step.random()
        if kind < 0.1:
            whole[route], what = of_bytes(http(_bodies(documents)[route]), step)
        elif kind < 0.15:
            status = step.choice(
                (
                    b"500 Oops",
                    b"404 Not Found",
                    b"409 Conflict",
                    b"204 No Content",
                    b"9" * 4301,
                    b"-1",
                    b"101 UPGRADED",
                )
            )
            whole[route] = http(b'{"message": "cannot\\u001b[31m do that"}', status)
            what = f"status {shown(status)}"
        elif isinstance(answer, bytes) or kind < 0.25:
            documents[route], what = of_bytes(_bodies(documents)[route], step)
        else:
            documents[route], what = of_document(answer, step)
        changes.append(f"{route}{'' if what.startswith('.') else ': '}{what}")
    return replace(case, engine={**_answers(documents), **whole}, steps=tuple(changes))


def settings(chance: random.Random, steps: list[random.Random]) -> Case:
    """The settings file is changed."""
    case = healthy(_verb(chance))
    text, changes = SETTINGS, []
    for step in steps:
        lines = text.decode(errors="surrogateescape").splitlines()
        if step.random() < 0.3 or not lines:
            text, what = of_bytes(text, step)
        else:
            index = step.randrange(len(lines))
            key = lines[index].partition("=")[0]
            lines[index] = step.choice(
                (
                    f"{key} = {_toml(step)}",
                    f"{key} = {_toml(step)}",
                    _toml(step),
                    f"[{_toml(step)}]",
                    f"{_toml(step)} = 1",
                    "",
                )
            )
            text = "\n".join(lines).encode(errors="surrogateescape")
            what = f"line {index + 1} -> {shown(lines[index])}"
        changes.append(f"settings: {what}")
    name = chance.choice(("dartsctl.toml", "dartsctl.toml", "pyproject.toml"))
    files = {file: data for file, data in case.files.items() if file != "dartsctl.toml"}
    if name == "pyproject.toml":
        text = text.replace(b"[", b"[tool.dartsctl.", 9)
        text = text.replace(b"name", b"[tool.dartsctl]\nname", 1)
    return replace(case, files={**files, name: text}, steps=tuple(changes))


def _toml(chance: random.Random) -> str:
    value = chance.choice(WEIRD)
    if isinstance(value, str):
        text = chance.choice((json.dumps(value), f"'{value}'", value))
        return text.encode(errors="replace").decode()
    plain = (
        "1979-05-27T07:32:00Z", "0x1F", "1e999", "inf", "[[", "{a=1}", '"""x', "[1, 'a', [{}]]",
        "[" * 3000, "a." * 2000 + "b", "9" * 5000, '["{python}", "{nope}"]',
        '"{app.port:99999999999}"', '{"" = 1}',
    )  # fmt: skip
    return chance.choice((json.dumps(value) if value is not None else "null", chance.choice(plain)))


def env_files(chance: random.Random, steps: list[random.Random]) -> Case:
    """An env file is changed."""
    case = healthy(_verb(chance))
    files, changes = dict(case.files), []
    for step in steps:
        name = step.choice((".env.production", ".env"))
        files[name], what = of_bytes(files[name], step)
        changes.append(f"{name}: {what}")
    return replace(case, files=files, steps=tuple(changes))


_WORDS = (
    "check", "prod", "dev", "ports", "doctor", "guard", "history", "init", "run", "up", "down",
    "ps", "logs", "config", "restart", "url", "list", "stop", "install", "remove", "status",
    "web", "app", "45101", "--", "true", "--json", "--dry-run", "--no-input", "-q", "-v",
    "--no-color", "-f", "--file", "compose.yml", "-p", "--project", "--profile", "--env-file",
    ".env", "--port", "--host", "127.0.0.1", "--on-conflict", "remap", "fail", "wait", "ask",
    "--wait-timeout", "1", "--scale", "web=2", "--no-engine", "--project-dir", ".", "--venv",
    "--last", "--timeout", "--pull", "--skip-port-check", "--no-services", "--help",
    "--version", "--proxy", "--url", "http://127.0.0.1:1/", "--health", "/x", "--volumes",
    "--remove-orphans", "--enforce", "--handover", "--tail", "--unknown", "stagin",
)  # fmt: skip


def arguments(chance: random.Random, steps: list[random.Random]) -> Case:
    """The arguments are changed."""
    words, changes = list(chance.choice(_STACK_VERBS + _SLOW_VERBS)), []
    for step in steps:
        index = step.randrange(len(words) + 1)
        word = step.choice(
            (
                step.choice(_WORDS),
                step.choice(_WORDS),
                step.choice(_WEIRD_WORDS),
                "\udcff",
                "x/" * 200,
                f"--{step.choice(_WEIRD_WORDS)}",
            )
        )
        words[index : index + step.choice((0, 1))] = [word]
        changes.append(f"word {index} -> {shown(word)}")
    return replace(healthy(_harmless(words)), steps=tuple(changes))


def _is_argument(word: object) -> bool:
    """Return whether a value can be an argument: a text without NUL, and no absolute path."""
    if not isinstance(word, str) or "\0" in word or "\ud800" in word:
        return False
    return not word.startswith("/")


_WEIRD_WORDS = [word for word in WEIRD if _is_argument(word)]


def _harmless(words: list[str]) -> tuple[str, ...]:
    """Return the words without those that could do harm on this machine.

    A random command must not answer yes, repair, stop, open a browser, or start anything but
    `true`.
    """
    command = []
    if "--" in words:
        words, command = words[: words.index("--")], ["--", "true"]
    harmful = ("--yes", "-y", "--fix", "--open")
    return (*(word for word in words if word not in harmful), *command)


_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "DARTSCTL_DEV_RANGE": ("1-2", "x", "5001-", "\u00b2-\u00b3", "9" * 5000 + "-1"),
    "DARTSCTL_DEV_FILES": (":", "nope.yml", "x" * 300, ".", "compose.yml:compose.yml"),
    "DARTSCTL_PROD_FILES": ("nope.yml", "/dev/null", "\udcff.yml", "a\nb"),
    "DARTSCTL_DEV_PROJECT": ("", "X", "shop", "x" * 300),
    "DARTSCTL_PROD_PROJECT": ("-", "\x1b[31m"),
    "DARTSCTL_ON_CONFLICT": ("fali", "\u202e", "remap"),
    "DARTSCTL_WAIT_TIMEOUT": ("nan", "inf", "-1", "1e999", "9" * 5000, "\u0661", "1_0"),
    "DARTSCTL_PROJECT_DIR": ("nope", "x" * 300, "\udcff", "compose.yml", "a/" * 3000),
    "DARTSCTL_STATE_DIR": (
        "compose.yml",
        "compose.yml/x",
        "x" * 300,
        "\udcff",
        "\x1b[31m",
        "a/" * 100,
    ),
    "DOCKER_HOST": (
        "tcp://",
        "unix://",
        "unix://nope",
        "unix:///" + "x" * 300,
        "bogus",
        "npipe://x",
        "fd://",
        "tcp://127.0.0.1:1",
        "\x1b[31m",
        "\udcff",
        "unix://.",
    ),
    "DOCKER_CONTEXT": ("nope", "default", "../..", "\udcff", "x" * 300),
    "DOCKER_CONFIG": ("nope", "compose.yml", "x" * 300, "\udcff", "a/" * 3000),
    "COMPOSE_FILE": ("nope.yml", ":", "\udcff", "x" * 300),
    "COMPOSE_PROJECT_NAME": ("X Y", "\udcff", ""),
    "COMPOSE_PROFILES": (",", "*", "\udcff"),
    "COMPOSE_ENV_FILES": ("nope", ","),
    "HOME": ("", "nope", "{folder}/" + "x" * 300, "\udcff", "compose.yml"),
    "XDG_STATE_HOME": ("", "relative", "{folder}/\x1b[31m"),
    "SUDO_UID": ("x", "-1", "4294967295", "9" * 30, "\u00b2", "1000"),
    "SUDO_GID": ("x", "1000", "9" * 30),
    "SUDO_USER": ("nobody-here", "\x1b[31m"),
    "VIRTUAL_ENV": ("nope", "compose.yml", "x" * 300, "\udcff", "."),
    "COLUMNS": ("0", "-1", "x", "9" * 30, "\u00b2"),
    "TERM": ("", "dumb", "\udcff", "x" * 300),
    "LANG": ("C", "nope", "\udcff"),
    "TMPDIR": ("nope", "compose.yml", "\udcff"),
    "PATH": ("", "nope", "\udcff", ":", "x" * 300),
    "CI": ("", "true"),
    "NO_COLOR": ("", "1"),
    "FORCE_COLOR": ("1",),
    "_DARTSCTL_COMPLETE": ("complete_bash", "nope", "source_zsh"),
    "HTTP_PROXY": ("x", "\udcff"),
}


def variables(chance: random.Random, steps: list[random.Random]) -> Case:
    """Environment variables have wrong values."""
    case = healthy(_verb(chance))
    if chance.random() < 0.3:
        case = replace(case, variables={"DARTSCTL_STATE_DIR": "", "HOME": "{folder}/home"})
    given, changes = dict(case.variables), []
    for step in steps:
        name = step.choice(list(_VARIABLES))
        given[name] = step.choice(_VARIABLES[name])
        changes.append(f"{name}={shown(given[name])}")
    return replace(case, variables=given, steps=tuple(changes))


_DIGEST = "37a8eec1ce19687d132fe29051dca629d164e2c4958ba141d5f4133a33f0688f"
"""Of the context "default2"."""
_META = f"contexts/meta/{_DIGEST}/meta.json"
_STATE_FILES: Mapping[str, bytes] = {
    "history.jsonl": b'{"when": 1795476637.0, "action": "stop", "what": "x", "why": "y", "by": "z",'
    b' "details": {"port": 5000}}\n',
    "guards/x.json": b'{"venv": "/srv/x", "project": "shop"}',
    "overrides/shop-dev.json": b'[{"service": "web", "target": 80, "protocol": "tcp",'
    b' "old": "45180", "new": 45191},'
    b' {"service": "app", "old": "shop-app"}]',
    "overrides/shop-dev.yml": b"services: {}\n",
    "ports/45101.lock": b'{"port": 45101, "kind": "run", "pid": 1, "checkout": "/srv/x",'
    b' "command": ["true"], "url": "http://127.0.0.1:45101"}',
    "compose-versions.json": (
        b'{"/srv/docker-compose": {"file": [1, 2, 3, 4], "version": "2.40.0"}}'
    ),
    "compose-answers.json": b'{"5f": true, "6a": false}',
    "trusted.0.json": b'["/srv"]',
}
_FOLDERS = ("w\udcff", "w\x1b[31m", "w w,w", "w\nw", "x" * 200, "\u202ew", "%s{0}$X")


def files(chance: random.Random, steps: list[random.Random]) -> Case:
    """A file is a special file, has an odd name, or is changed."""
    case = healthy(_verb(chance))
    own, special, changes, folder = dict(case.files), {}, [], case.folder
    docker = {
        "docker/config.json": b'{"currentContext": "default2", "credsStore": "x"}',
        f"docker/{_META}": b'{"Endpoints": {"docker": {"Host": "unix://x"}}}',
    }
    state = {f"state/{name}": data for name, data in _STATE_FILES.items()}
    given = {"DARTSCTL_STATE_DIR": "{work}/state"}
    for step in steps:
        part = step.choice(("own", "own", "state", "docker", "folder"))
        if part == "folder":
            folder = step.choice(_FOLDERS)
            changes.append(f"the working folder is {shown(folder)}")
            continue
        names = {
            "own": [*FILES, "compose.override.yml", "pyproject.toml", ".venv"],
            "state": list(state),
            "docker": list(docker),
        }[part]
        name = step.choice(names)
        if part == "state":
            own |= state
        elif part == "docker":
            own |= docker
            given |= {"DOCKER_CONFIG": "{work}/docker", "DOCKER_HOST": ""}
        if step.random() < 0.5:
            kind = step.choice(("fifo", "folder", "dangling", "loop", "device"))
            own.pop(name, None)
            special[name] = kind
            changes.append(f"{name} is a {kind}")
        else:
            data = own.get(name, b"{}")
            try:
                changed, what = of_document(json.loads(data), step)
                own[name] = dumped(changed)
            except (ValueError, RecursionError):  # an earlier change may have nested it too deeply
                own[name], what = of_bytes(data, step)
            changes.append(f"{name}: {what}")
    plain = {name: data for name, data in own.items() if name not in special}
    return replace(
        case,
        files=plain,
        special_files=tuple(special.items()),
        variables=given,
        folder=folder,
        steps=tuple(changes),
    )


KINDS: Mapping[str, Callable[[random.Random, list[random.Random]], Case]] = {
    "models": models,
    "engine": engine,
    "settings": settings,
    "env": env_files,
    "arguments": arguments,
    "variables": variables,
    "files": files,
}
_WEIGHTS = (30, 30, 10, 6, 10, 7, 7)


def draw(seed: int, number: int) -> str:
    """Return the kind of the case with this number."""
    return random.Random(f"{seed}/{number}").choices(list(KINDS), _WEIGHTS)[0]


def make(seed: int, kind: str, number: int, kept: Kept = None) -> Case:
    """Return the case, with only the `kept` changes."""
    return KINDS[kind](random.Random(f"{seed}/{kind}/{number}"), _chances(seed, kind, number, kept))
