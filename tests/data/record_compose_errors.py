"""Record what Compose says about files that it refuses.

`python tests/data/record_compose_errors.py PLUGIN...` rewrites tests/data/compose/errors.json with
the plugins' answers, each under its version. No engine is needed. The rows are what users meet:
mistakes in YAML, in the specification, in env files and in variables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "compose" / "errors.json"
ROOT = "/srv/demo"
RAW = ("--no-interpolate", "--no-normalize", "--no-consistency")
"""The model before interpolation, as far as Compose can tell it."""
_LONGEST = 600
"""Characters of an answer that are kept: a crash of Compose prints its stack."""

Answer = dict[str, Any]
"""`stderr`, and `model`: that before interpolation, where Compose can tell it."""
Files = dict[str, str | None]
"""Name -> content; None: a folder. `compose.yml` is the Compose file, `.env` its env file."""

A = "services:\n  a:\n    image: busybox\n"
PORTS = A + "    ports: [{}]\n"


def ports(text: str) -> Files:
    """Return a file with one entry of `ports`."""
    return {"compose.yml": PORTS.format(f'"{text}"')}


def service(lines: str, rest: str = "") -> Files:
    """Return a file with a service `a` that has more `lines`, and the `rest` of the file."""
    return {"compose.yml": A + "".join(f"    {line}\n" for line in lines.split("\n")) + rest}


def bare(text: str) -> Files:
    """Return a file of this text."""
    return {"compose.yml": text}


ROWS: dict[str, Files] = {
    # variables
    "unset port": ports("${DB_PORT}:5432"),
    "unset address and port": ports("${IP}:${DB_PORT}:5432"),
    "unset address": ports("${IP}:5000:5000"),
    "unset range": ports("5000-${LAST}:80"),
    "unset container port": ports("8080:${DB_PORT}"),
    "unset protocol": ports("8080:80/${PROTO}"),
    "unset everything": ports("${DB_PORT}"),
    "unset published": service('ports: [{target: 80, published: "${P}", mode: host}]'),
    "unset target": service('ports: [{target: "${T}", published: "80"}]'),
    "unset image": bare("services:\n  a:\n    image: ${IMG}\n"),
    "unset image tag": bare("services:\n  a:\n    image: busybox:${TAG}\n"),
    "unset volume": service('volumes: ["${DATA}:/data"]'),
    "unset replicas": service('deploy: {replicas: "${N}"}'),
    "unset scale": service("scale: ${N}"),
    "unset mem_limit": service("mem_limit: ${MEM}"),
    "unset cpus": service("cpus: ${CPUS}"),
    "unset interval": service('healthcheck: {test: "true", interval: "${IVL}"}'),
    "unset network": service('networks: ["${NET}"]'),
    "unset bool": service("privileged: ${PRIV}"),
    "required": ports("${X:?X must be set}:80"),
    "required unset only": ports("${X?}:80"),
    "required in environment": service('environment: {TOKEN: "${TOKEN:?see README}"}'),
    "blank in port": {**ports("${DB_PORT:-23030}:5432"), ".env": "DB_PORT='23030 '\n"},
    "blanks around port": {**ports("${DB_PORT:-23030}:5432"), ".env": "DB_PORT=' 23030'\n"},
    "carriage return in port": {**ports("${P}:5432"), ".env": 'P="23030\\r"\n'},
    "quotes in port": {**ports("${P}:5432"), ".env": "P='\"23030\"'\n"},
    "comment in port": {**ports("${P}:5432"), ".env": "P=23030#db\n"},
    "word in port": {**ports("${P}:5432"), ".env": "P=http\n"},
    "address in port": {**ports("${P}:5432"), ".env": "P=localhost\n"},
    "host name as address": {**ports("${H}:5000:5432"), ".env": "H=localhost\n"},
    "password in port": {**ports("${DB_PASSWORD}:5432"), ".env": "DB_PASSWORD=hunter2canary\n"},
    "port too high": {**ports("${P}:5432"), ".env": "P=99999\n"},
    "brace missing": ports("${DB_PORT:-23030:5432"),
    "brace missing in image": bare('services:\n  a:\n    image: "busybox:${TAG:-1"\n'),
    "brace missing in environment": service('environment:\n  - "X=${Y"'),
    "brace missing in map": service('environment:\n  X: "${Y"'),
    "brace missing in command": service('command: ["echo", "${Y"]'),
    "brace missing in network": bare(A + 'networks:\n  n:\n    name: "${NET"\n'),
    "brace missing in name": bare('name: "${NAME"\n' + A),
    "no dash": ports("${DB_PORT:23030}:5432"),
    "space in variable": ports("${DB PORT}:5432"),
    "dash in variable": ports("${DB-PORT}:5432"),
    "dollar alone": service('command: "echo $"'),
    "shell in command": service('command: sh -c "echo $(date)"'),
    "digit variable": service('command: "echo ${1}"'),
    "empty braces": service('command: "echo ${}"'),
    "dollar digit": service('environment: {PASSWORD: "pa$1canary"}'),
    # ports
    "host port out of range": ports("99999:80"),
    "container port out of range": ports("80:99999"),
    "ranges of different lengths": ports("21000-21002:80-81"),
    "reversed range": ports("5002-5000:80"),
    "host name": ports("localhost:21000:80"),
    "protocol": ports("21000:80/http"),
    "word": ports("web:80"),
    "four parts": ports("1:2:3:4"),
    "empty entry": ports(""),
    "colon alone": ports(":"),
    "ports as mapping": service("ports: {80: 80}"),
    "ports as number": service("ports: 80"),
    "ports as text": service('ports: "80:80"'),
    "base 60": service("ports: [22:22]"),
    "float port": service("ports: [80.5]"),
    "published word": service("ports: [{target: 80, published: web}]"),
    "target missing": service('ports: [{published: "80"}]'),
    "unknown port key": service('ports: [{target: 80, publish: "80"}]'),
    "expose word": service('expose: ["web"]'),
    # yaml
    "broken yaml": bare(A + "    x: y: z\n"),
    "tab": bare("services:\n\ta:\n\t\timage: busybox\n"),
    "tab in mapping": bare("services:\n  a:\n\timage: busybox\n"),
    "indentation": bare("services:\n  a:\n    image: busybox\n   ports: []\n"),
    "duplicate service": bare(A + "  a:\n    image: nginx\n"),
    "duplicate key": service("image: nginx"),
    "duplicate top": bare(A + "services:\n  b:\n    image: nginx\n"),
    "unclosed quote": service('command: "sleep 3'),
    "unclosed bracket": service("command: [sleep, 3"),
    "unknown anchor": service("environment: *env"),
    "at sign": service("user: @me"),
    "percent": service("user: %me"),
    "colon in text": service("command: echo a: b"),
    "two documents": bare(A + "---\n" + A),
    "list for mapping": bare("services:\n  - a\n"),
    "text file": bare("hello\n"),
    "binary": bare("\x00\x01\x02"),
    "not utf-8": bare("services:\n  a: \udcff\n"),
    "merge conflict": bare("<<<<<<< HEAD\n" + A + "=======\n>>>>>>> x\n"),
    "template": bare("services:\n  {{ name }}:\n    image: busybox\n"),
    "byte order mark": bare("\ufeffservices:\n  a:\n    image: busybox\n    x: 1\n"),
    "json": bare('{"services": {"a": {"image": "busybox",}}'),
    # the specification
    "unknown key": service("prots: []"),
    "unknown top key": bare("service:\n  a:\n    image: busybox\n"),
    "unknown top key beside": bare(A + "volume: {}\n"),
    "service as text": bare("services:\n  a: busybox\n"),
    "service empty": bare("services:\n  a:\n"),
    "services empty": bare("services:\n"),
    "no services": bare("volumes:\n  data:\n"),
    "empty file": bare(""),
    "only comments": bare("# services:\n"),
    "no image": bare("services:\n  a:\n    command: sleep 3\n"),
    "image as list": bare("services:\n  a:\n    image: [busybox]\n"),
    "image as number": bare("services:\n  a:\n    image: 5\n"),
    "restart as bool": service("restart: no"),
    "restart unknown": service("restart: sometimes"),
    "environment as text": service("environment: A=1"),
    "environment nested": service("environment: {A: {b: c}}"),
    "environment list of maps": service("environment:\n  - A: 1"),
    "volume as number": service("volumes: [5]"),
    "volumes as mapping": service("volumes: {data: /data}"),
    "volume without target": service("volumes: [{type: bind, source: .}]"),
    "volume type": service("volumes: [{type: nfs, source: a, target: /a}]"),
    "networks as text": service("networks: default"),
    "depends_on as text": service("depends_on: b", "  b:\n    image: busybox\n"),
    "depends_on condition": service(
        "depends_on: {b: {condition: ready}}", "  b:\n    image: busybox\n"
    ),
    "command as mapping": service("command: {a: b}"),
    "healthcheck as text": service("healthcheck: curl localhost"),
    "healthcheck test": service("healthcheck: {test: [curl, localhost]}"),
    "service name": bare("services:\n  my app:\n    image: busybox\n"),
    "container_name": service('container_name: "my app"'),
    "build unknown": bare("services:\n  a:\n    build: {dockerfille: x}\n"),
    "build number": bare("services:\n  a:\n    build: 5\n"),
    "deploy unknown": service("deploy: {replica: 2}"),
    "replicas word": service("deploy: {replicas: two}"),
    "replicas negative": service("scale: -1"),
    "mem_limit": service("mem_limit: 5 apples"),
    "shm_size": service("shm_size: big"),
    "cpus": service("cpus: many"),
    "duration": service("stop_grace_period: 10"),
    "duration word": service('healthcheck: {test: "true", interval: soon}'),
    "duration unit": service('healthcheck: {test: "true", interval: 5sec}'),
    "pull_policy": service("pull_policy: sometimes"),
    "ulimit": service("ulimits: {nofile: many}"),
    "extra_hosts": service('extra_hosts: ["nothing"]'),
    "logging": service("logging: json-file"),
    "version": bare("version: '3.9'\n" + A + "    prots: []\n"),
    "version number": bare("version: 3\n" + A),
    "version 1 file": bare("web:\n  image: busybox\ndb:\n  image: busybox\n"),
    "links unknown": service("links: [b]"),
    "volumes_from unknown": service("volumes_from: [b]"),
    # references
    "undefined volume": service('volumes: ["data:/data"]'),
    "undefined network": service("networks: [back]"),
    "undefined secret": service("secrets: [key]"),
    "undefined config": service("configs: [conf]"),
    "undefined dependency": service("depends_on: [zz]"),
    "cycle": service("depends_on: [b]", "  b:\n    image: busybox\n    depends_on: [a]\n"),
    "cycle of itself": service("depends_on: [a]"),
    "extends no service": service("extends: {service: zz}"),
    "extends no file": service("extends: {file: nope.yml, service: zz}"),
    "extends no service in file": {
        **service("extends: {file: base.yml, service: zz}"),
        "base.yml": "services:\n  b:\n    image: busybox\n",
    },
    "extends circle": service("extends: {service: b}", "  b:\n    extends: {service: a}\n"),
    "include missing": bare("include: [nope.yaml]\n" + A),
    "include conflict": {**bare("include: [b.yml]\n" + A), "b.yml": A.replace("busybox", "x")},
    "include broken": {**bare("include: [b.yml]\n" + A), "b.yml": "services:\n  b: y: z\n"},
    "network_mode and networks": service(
        "network_mode: host\nnetworks: [n]", "networks:\n  n: {}\n"
    ),
    "network_mode unknown service": service("network_mode: service:zz"),
    "pid unknown service": service("pid: service:zz"),
    "profile excludes dependency": service(
        "depends_on: [b]", "  b:\n    image: busybox\n    profiles: [debug]\n"
    ),
    "name and replicas": service("container_name: xx\ndeploy: {replicas: 2}"),
    "same container name": service(
        "container_name: xx", "  b:\n    image: busybox\n    container_name: xx\n"
    ),
    "same mount point": service('volumes: ["/a:/data", "/b:/data"]'),
    "same network address": bare(
        A + "    networks: {n: {ipv4_address: nowhere}}\nnetworks:\n  n: {}\n"
    ),
    "external with driver": bare(A + "networks:\n  n: {external: true, driver: bridge}\n"),
    "external volume with driver": bare(A + "volumes:\n  v: {external: true, driver: local}\n"),
    "volume unknown key": bare(A + "volumes:\n  v: {drivr: local}\n"),
    "network unknown key": bare(A + "networks:\n  n: {drivr: local}\n"),
    "secret without source": bare(A + "secrets:\n  s: {}\n"),
    "secret of unset variable": bare(
        A + "    secrets: [s]\nsecrets:\n  s: {environment: NOWHERE_SET}\n"
    ),
    "secret file missing": bare(A + "    secrets: [s]\nsecrets:\n  s: {file: ./nope}\n"),
    "subnet": bare(A + "networks:\n  n: {ipam: {config: [{subnet: nowhere}]}}\n"),
    "project name": bare("name: My Project\n" + A),
    "project name dots": bare("name: .hidden\n" + A),
    "override tag": service('ports: !override ["80:80"]\nx: 1'),
    "unknown tag": service("environment: !secret x"),
    # env files
    "env_file missing": service("env_file: nope.env"),
    "env_file variable": service("env_file: ${ENVFILE}"),
    "env_file is a folder": {**service("env_file: conf"), "conf": None},
    "env_file broken": {**service("env_file: a.env"), "a.env": "A=1\nB='canary\n"},
    "env_file name": {**service("env_file: a.env"), "a.env": "A B=canary\n"},
    "env_file yaml": {**service("env_file: a.env"), "a.env": "A: canary x\n"},
    "env_file export": {**service("env_file: a.env"), "a.env": "set A=canary\n"},
    ".env broken": {**bare(A), ".env": "A=1\nB='canary\n"},
    ".env name": {**bare(A), ".env": "A=1\nfoo/bar=canary\n"},
    ".env interpolation": {**bare(A), ".env": "A=${B:?need B}\n"},
    ".env brace": {**bare(A), ".env": "A=${B:-canary\n"},
    ".env is a folder": {**bare(A), ".env": None},
    # files
    "file missing": {},
    "file is a folder": {"compose.yml": None},
    "label file missing": service("label_file: nope.labels"),
    "build context missing": bare("services:\n  a:\n    build: {context: ./nope}\n"),
}


def compose(plugin: Path, folder: Path, *words: str) -> tuple[int, str, str]:
    """Return code, stdout and stderr of `config` in `folder`."""
    argv = [plugin, "-f", folder / "compose.yml"]
    if (folder / ".env").exists():
        argv += ["--env-file", folder / ".env"]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COMPOSE_ANSI": "never"}
    done = subprocess.run(
        [*map(str, argv), "--profile", "*", "config", "--format", "json", *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.replace(str(folder), ROOT), done.stderr


def write(files: Files, folder: Path) -> None:
    """Write the files of a row."""
    for name, text in files.items():
        if text is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))


def answer(plugin: Path, folder: Path) -> Answer | None:
    """Return what Compose says about the files, None where it accepts them."""
    code, _, stderr = compose(plugin, folder)
    if code == 0:
        return None
    said: Answer = {"stderr": stderr.replace(str(folder), ROOT)[:_LONGEST]}
    code, stdout, _ = compose(plugin, folder, *RAW)
    if code == 0:
        said["model"] = json.loads(stdout)
    return said


def record(plugins: list[Path]) -> dict[str, dict[str, Any]]:
    """Return row -> files, and version -> answer. What a version accepts is left out of it."""
    versions = {}
    for plugin in plugins:
        version = subprocess.run([plugin, "version", "--short"], capture_output=True, check=True)
        versions[version.stdout.decode().strip().removeprefix("v")] = plugin
    table: dict[str, dict[str, Answer]] = {}
    for name, files in ROWS.items():
        table[name] = {}
        for version, plugin in versions.items():
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary) / "demo"
                folder.mkdir()
                write(files, folder)
                if said := answer(plugin, folder):
                    table[name][version] = said
    rows = {name: row for name, row in table.items() if row}
    return {name: {"files": ROWS[name], "answers": row} for name, row in rows.items()}


if __name__ == "__main__":
    recorded = record([Path(word) for word in sys.argv[1:]])
    TABLE.write_text(json.dumps(recorded, indent=1, ensure_ascii=True) + "\n")
