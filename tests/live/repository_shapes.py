"""Repositories of many shapes, reduced from public ones to what `init` reads.

`settings` are the lines of the settings file that are no comments: what dartsctl would not do by
itself. `checks` are the exit codes that the environments' checks may end with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CLEAR = (0, 3)
"""No conflict, or a port that somebody on this machine has."""


@dataclass(frozen=True)
class Shape:
    """A repository. `folder` is where `init` is started in it."""

    files: Mapping[str, str]
    settings: str = ""
    checks: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"dev": CLEAR})
    folder: str = "shop"


POSTGRES = """\
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-postgres}
    ports: ["5432:5432"]
"""
REDIS = """\
  redis:
    image: redis:7
    ports: ["6379:6379"]
"""
WEB = """\
  web:
    build: .
    ports: ["8000:8000"]
"""
DOCKERFILE = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\n"
BOTH = {"dev": CLEAR, "prod": CLEAR}

SHAPES: Mapping[str, Shape] = {
    "a Flask factory with .flaskenv": Shape(
        {
            ".flaskenv": "FLASK_APP=shop:create_app\nFLASK_DEBUG=1\n",
            "shop/__init__.py": (
                "from flask import Flask\n\n\ndef create_app():\n    app = Flask(__name__)\n\n"
                '    @app.get("/health")\n    def health():\n        return "ok"\n\n'
                "    return app\n"
            ),
            "requirements.txt": "flask\n",
            "Dockerfile": DOCKERFILE + 'CMD ["flask", "run", "--host", "0.0.0.0"]\n',
            "compose.yaml": f"services:\n{WEB}    depends_on: [db]\n{POSTGRES}",
        },
        settings=(
            "[server]\n"
            'command = ["{python}", "-m", "flask", "--app", "shop:create_app", "run"]\n'
            'health = "/health"\n'
            'replaces = ["web"]\n'
        ),
    ),
    "Django": Shape(
        {
            "manage.py": "import os, sys\nfrom django.core.management import "
            "execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
            "shop/settings.py": 'DATABASES = {"default": {"HOST": os.environ["DB_HOST"]}}\n',
            "Dockerfile": DOCKERFILE + 'CMD ["gunicorn", "shop.wsgi", "-b", "0.0.0.0:8000"]\n',
            "docker-compose.yml": (
                f"services:\n{WEB}    command: python manage.py runserver 0.0.0.0:8000\n"
                f"    depends_on: [db]\n{POSTGRES}"
            ),
        },
        settings=(
            "[server]\n"
            'command = ["{python}", "manage.py", "runserver", "{host}:{port}"]\n'
            'replaces = ["web"]\n'
        ),
    ),
    "FastAPI with an overlay for production": Shape(
        {
            "app/main.py": (
                "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n"
                '@app.get("/healthz")\ndef healthz():\n    return {}\n'
            ),
            "requirements.txt": "fastapi\nuvicorn\n",
            "Dockerfile": DOCKERFILE
            + 'CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"]\n',
            "docker-compose.yml": f"services:\n{WEB}{REDIS}",
            "docker-compose.prod.yml": "services: {web: {restart: always}}\n",
        },
        checks=BOTH,
        settings=(
            "[dev]\n"
            'files = ["docker-compose.yml", "compose.dartsctl.yaml"]\n'
            "[ports.production]\n"
            "redis = 6379\n"
            "web = 8000\n"
            "[server]\n"
            'command = ["{python}", "-m", "uvicorn", "app.main:app", "--port", "{port}"]\n'
            'health = "/healthz"\n'
            'replaces = ["web"]\n'
        ),
    ),
    "a Node app": Shape(
        {
            "package.json": '{"name": "shop", "scripts": {"start": "node server.js"}}\n',
            "server.js": 'require("http").createServer().listen(process.env.PORT || 3000)\n',
            "Dockerfile": 'FROM node:22-alpine\nCOPY . .\nCMD ["npm", "start"]\n',
            "compose.yaml": (f'services:\n  web:\n    build: .\n    ports: ["3000:3000"]\n{REDIS}'),
        },
    ),
    "an app of a monorepo": Shape(
        {
            "package.json": '{"private": true, "workspaces": ["apps/*"]}\n',
            "apps/shop/app.py": "from flask import Flask\napp = Flask(__name__)\n",
            "apps/shop/compose.yaml": (
                "services:\n  web:\n    build: {context: ../.., dockerfile: apps/shop/Dockerfile}\n"
                f'    ports: ["8000:8000"]\n{POSTGRES}'
            ),
            "apps/shop/Dockerfile": DOCKERFILE,
        },
        folder="repo/apps/shop",
        settings=(
            "[server]\n"
            'command = ["{python}", "-m", "flask", "--app", "app:app", "run"]\n'
            'replaces = ["web"]\n'
        ),
    ),
    "a plain file alone": Shape({"docker-compose.yml": f"services:\n{POSTGRES}{REDIS}"}),
    "a base and its override": Shape(
        {
            "compose.yaml": f"services:\n{WEB}",
            "compose.override.yaml": "services: {web: {environment: {DEBUG: '1'}}}\n",
            "Dockerfile": DOCKERFILE,
        },
    ),
    "a base with overlays for both": Shape(
        {
            "compose.yaml": "services: {web: {build: .}}\n",
            "compose.dev.yaml": 'services: {web: {ports: ["127.0.0.1:8000:8000"]}}\n',
            "compose.prod.yaml": 'services: {web: {ports: ["80:8000"], restart: always}}\n',
            "Dockerfile": DOCKERFILE,
        },
        checks=BOTH,
        settings=("[ports.production]\nweb = 80\n"),
    ),
    "files that stand alone": Shape(
        {
            "docker-compose.dev.yml": f"services:\n{POSTGRES}",
            "docker-compose.prod.yml": (
                "services:\n  web:\n    image: registry.example.org/shop:1\n"
                '    ports: ["80:8000"]\n'
            ),
        },
        checks=BOTH,
        settings=("[ports.production]\nweb = 80\n"),
    ),
    "profiles, and a fixed name for both": Shape(
        {
            "compose.yaml": (
                "services:\n"
                "  db: {image: 'redis:7', container_name: shop-db}\n"
                "  mail: {image: 'axllent/mailpit', profiles: [dev], ports: ['8025:8025']}\n"
                "  web: {image: 'example/shop', profiles: [prod], ports: ['80:8000']}\n"
            ),
        },
        settings=(
            "[dev]\n"
            'files = ["compose.yaml", "compose.dartsctl.yaml"]\n'
            'profiles = ["dev"]\n'
            "[ports.production]\n"
            "web = 80\n"
        ),
        checks=BOTH,
    ),
    "included files": Shape(
        {
            "compose.yaml": "include: [infra/database.yaml]\nservices:\n" + WEB,
            "infra/database.yaml": f"services:\n{POSTGRES}",
            "Dockerfile": DOCKERFILE,
        },
    ),
    "images only": Shape(
        {
            "docker-compose.yml": (
                "services:\n  cloud:\n    image: nextcloud:29\n    ports: ['8080:80']\n"
                "    depends_on: [db]\n" + POSTGRES
            ),
        },
        settings=("[dev]\nwait_timeout = 300\n"),
    ),
    "files in docker/": Shape(
        {
            "docker/docker-compose.yml": "services:\n  web:\n    build: ..\n"
            "    ports: ['8000:8000']\n",
            "docker/docker-compose.prod.yml": "services: {web: {restart: always}}\n",
            "Dockerfile": DOCKERFILE,
            "app.py": "from flask import Flask\napp = Flask(__name__)\n",
        },
        checks=BOTH,
        settings=(
            "[dev]\n"
            'files = ["docker/docker-compose.yml", "compose.dartsctl.yaml"]\n'
            "[prod]\n"
            'project = "docker"\n'
            "[ports.production]\n"
            "web = 8000\n"
            "[server]\n"
            'command = ["{python}", "-m", "flask", "--app", "app:app", "run"]\n'
            'replaces = ["web"]\n'
        ),
    ),
    "production in deploy/": Shape(
        {
            "compose.yaml": f"services:\n{POSTGRES}",
            "deploy/compose.prod.yaml": (
                "services:\n  web:\n    build: ..\n    ports: ['80:8000']\n"
            ),
            "Dockerfile": DOCKERFILE,
        },
        checks=BOTH,
        settings=('[prod]\nproject = "deploy"\n[ports.production]\nweb = 80\n'),
    ),
    "an env file for each service": Shape(
        {
            "docker-compose.yml": (
                "services:\n  web:\n    build: .\n    env_file: [env/web.env]\n"
                "    ports: ['8000:8000']\n  db:\n    image: postgres:16\n"
                "    env_file: env/db.env\n"
            ),
            "env/web.env.example": "SECRET_KEY=change-me\nDEBUG=0\n",
            "env/db.env.example": "POSTGRES_PASSWORD=change-me\n",
            "Dockerfile": DOCKERFILE,
        },
    ),
    "secrets in files": Shape(
        {
            "compose.yaml": (
                "services:\n  db:\n    image: postgres:16\n    environment:\n"
                "      POSTGRES_PASSWORD_FILE: /run/secrets/db_password\n"
                "    secrets: [db_password]\n"
                "secrets: {db_password: {file: ./secrets/db_password.txt}}\n"
            ),
        },
    ),
    "a build context elsewhere": Shape(
        {
            "compose.yaml": f"services:\n  api:\n    build: ./backend\n"
            f"    ports: ['8000:8000']\n  ui:\n    build: ./frontend\n"
            f"    ports: ['5173:5173']\n{POSTGRES}",
            "backend/Dockerfile": DOCKERFILE,
            "backend/main.py": "from flask import Flask\napp = Flask(__name__)\n",
            "frontend/Dockerfile": "FROM node:22\n",
            "frontend/package.json": '{"scripts": {"dev": "vite"}}\n',
        },
        settings=(
            "[server]\n"
            'directory = "backend"\n'
            'command = ["{python}", "-m", "flask", "--app", "main:app", "run"]\n'
            'replaces = ["api"]\n'
        ),
    ),
    "an app that make starts": Shape(
        {
            "Makefile": "run:\n\tFLASK_APP=server.py .venv/bin/flask run -p 5000\n",
            "server.py": "from flask import Flask\napp = Flask(__name__)\n",
            "docker-compose.yml": f"services:\n{REDIS}",
        },
        settings=(
            '[server]\ncommand = ["{python}", "-m", "flask", "--app", "server:app", "run"]\n'
        ),
    ),
    "a Procfile": Shape(
        {
            "Procfile": "web: gunicorn shop.wsgi:app --bind 0.0.0.0:$PORT\nworker: rq worker\n",
            "shop/wsgi.py": "from flask import Flask\napp = Flask(__name__)\n",
            "docker-compose.yml": f"services:\n{REDIS}{POSTGRES}",
        },
        settings=(
            '[server]\ncommand = ["{python}", "-m", "flask", "--app", "shop.wsgi:app", "run"]\n'
        ),
    ),
    "scripts of pyproject": Shape(
        {
            "pyproject.toml": (
                '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n'
                '[project.scripts]\nshop-server = "shop.server:main"\n'
            ),
            "uv.lock": "version = 1\n",
            "src/shop/server.py": "from flask import Flask\napp = Flask(__name__)\n\n\n"
            "def main():\n    app.run()\n",
            "compose.yaml": f"services:\n{POSTGRES}",
        },
        settings=('[server]\ncommand = ["shop-server"]\nhandover = "werkzeug"\n'),
    ),
    "COMPOSE_FILE in .env": Shape(
        {
            ".env": "COMPOSE_FILE=stack/base.yml:stack/local.yml\nPORT=8000\n",
            "stack/base.yml": "services: {web: {image: example/shop}}\n",
            "stack/local.yml": "services: {web: {ports: ['${PORT}:8000']}}\n",
        },
    ),
    "traefik": Shape(
        {
            "docker-compose.yml": f"services:\n{POSTGRES}",
            "docker-compose.prod.yml": (
                "services:\n  traefik:\n    image: traefik:v3\n    ports: ['80:80', '443:443']\n"
                "    volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']\n"
                "  web:\n    image: example/shop\n    labels:\n"
                "      traefik.http.routers.web.rule: Host(`${DOMAIN:?the site's name}`)\n"
            ),
        },
        checks={"dev": CLEAR, "prod": (4,)},  # the name of the site is a person's
        settings=("[ports.production]\ntraefik = [80, 443]\n"),
    ),
    "caddy": Shape(
        {
            "compose.yaml": (
                "services:\n  caddy:\n    image: caddy:2\n    ports: ['80:80', '443:443']\n"
                "    volumes: ['./Caddyfile:/etc/caddy/Caddyfile']\n  web:\n    build: .\n"
            ),
            "Caddyfile": "shop.example.org {\n    reverse_proxy web:8000\n}\n",
            "Dockerfile": DOCKERFILE,
        },
    ),
    "no database and no proxy": Shape(
        {
            "compose.prod.yml": f"services:\n{WEB}",
            "Dockerfile": DOCKERFILE,
            "run.py": "from flask import Flask\nFlask(__name__).run()\n",
        },
        checks={"prod": CLEAR},
        settings=(
            "[dev]\n"
            "files = []\n"
            "[ports.production]\n"
            "web = 8000\n"
            "[server]\n"
            'handover = "werkzeug"\n'
            'replaces = ["web"]\n'
        ),
    ),
    "the host's network": Shape(
        {
            "docker-compose.yml": (
                "services:\n  home:\n    image: homeassistant/home-assistant:stable\n"
                "    network_mode: host\n    privileged: true\n"
            ),
        },
    ),
    "names that are not ASCII": Shape(
        {
            "compose.yaml": f"services:\n{POSTGRES}",
            "compose.prod.yaml": "services:\n  web:\n    build: ./größe\n    ports: ['80:80']\n",
            "größe/Dockerfile": DOCKERFILE,
        },
        checks=BOTH,
        folder="Größen & Maße",
        settings=("[ports.production]\nweb = 80\n"),
    ),
    "an app without Compose files": Shape(
        {"app.py": "from flask import Flask\nFlask(__name__).run()\n"},
        settings='[dev]\nfiles = []\n[server]\nhandover = "werkzeug"\n',
        checks={},
    ),
}
