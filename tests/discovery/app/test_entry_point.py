"""Which command starts an app, for repositories of many shapes: only their texts are read."""

from __future__ import annotations

import pytest

from dartsctl.discovery.app.entry import CommandLine, EntryPoint
from dartsctl.discovery.app.entry_point import choose_entry
from dartsctl.discovery.app.sources import Sources

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FACTORY = (
    "from flask import Flask\ndef create_app(config=None):\n    app = Flask(__name__)\n"
    "    return app\n"
)
MAIN = "if __name__ == '__main__':\n    "
ENV_PORT = "import os\nport = int(os.environ.get('FLASK_PORT', '5000'))\n"
DJANGO = (
    "import os, sys\ndef main():\n"
    "    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    "    from django.core.management import execute_from_command_line\n"
    "    execute_from_command_line(sys.argv)\n" + MAIN + "main()\n"
)
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
SOCKETIO = (
    "from flask import Flask\nfrom flask_socketio import SocketIO\napp = Flask(__name__)\n"
    "socketio = SocketIO(app)\n"
)

RUN, APP = ("{python}", "run.py"), ("{python}", "app.py")
FLASK_RUN = ("{python}", "-m", "flask", "--app")


def chosen(files: dict[str, str], *commands: str, **words: object) -> EntryPoint:
    """Return the entry point that is chosen; `commands` are those of the Dockerfile, as words."""
    lines = [CommandLine(tuple(command.split()), f"Dockerfile:{7}") for command in commands]
    choice = choose_entry(Sources(files), lines, **words)  # type: ignore[arg-type]
    assert choice.chosen is not None, choice
    return choice.chosen


@pytest.mark.parametrize(
    ("files", "command", "handover", "variables"),
    [
        pytest.param(
            {"app.py": FLASK + ENV_PORT + MAIN + "app.run(port=port)"}, APP, "", (), id="variable"
        ),
        pytest.param(
            {
                "run.py": "from app import main\n" + MAIN + "main()",
                "app.py": FLASK
                + "import os\ndef main():\n    port = int(os.getenv('PORT', 5000))\n"
                + "    app.run(port=port)\n"
                + "def other():\n    port = os.environ['DB_PORT']\n"
                + MAIN
                + "main()",
            },
            RUN,
            "",
            (),
            id="run.py calls main of app.py",
        ),
        pytest.param(
            {"app.py": FLASK + MAIN + "app.run(debug=True)"}, APP, "werkzeug", (), id="no port"
        ),
        pytest.param(
            {"app.py": FLASK + MAIN + "app.run('0.0.0.0', 8000)"},
            APP,
            "werkzeug",
            (),
            id="a literal port",
        ),
        pytest.param(
            {
                "run.py": "from shop import create_app\napp = create_app()\n"
                + MAIN
                + "app.run(port=app.config['PORT'])",
                "shop/__init__.py": FACTORY,
            },
            RUN,
            "werkzeug",
            (),
            id="a factory's app with a port that nobody can see",
        ),
        pytest.param(
            {"app.py": FLASK + "import os\n" + MAIN + "app.run(port=os.environ['SHOP_PORT'])"},
            APP,
            "",
            ("SHOP_PORT",),
            id="an own variable",
        ),
        pytest.param(
            {
                "app.py": "import config\n" + FLASK + MAIN + "app.run(port=config.Config.PORT)",
                "config.py": "import os\nclass Config:\n"
                "    PORT = int(os.getenv('WEB_PORT') or 5000)",
            },
            APP,
            "",
            ("WEB_PORT",),
            id="a variable in another file",
        ),
        pytest.param(
            {
                "app.py": FLASK
                + "import argparse\ndef main():\n    parser = argparse.ArgumentParser()\n"
                + "    parser.add_argument('--port', type=int, default=5000)\n"
                + "    args = parser.parse_args()\n    app.run(port=args.port)\n"
                + MAIN
                + "main()"
            },
            (*APP, "--port", "{port}"),
            "",
            (),
            id="an option of the command line",
        ),
        pytest.param(
            {"app.py": FLASK + "a = b\nb = a\n" + MAIN + "app.run(port=a)"},
            APP,
            "werkzeug",
            (),
            id="names that lead in a circle",
        ),
        pytest.param({"wsgi.py": FLASK}, (*FLASK_RUN, "wsgi:app", "run"), "", (), id="wsgi.py"),
        pytest.param(
            {"app.py": FLASK},
            (*FLASK_RUN, "app:app", "run"),
            "",
            (),
            id="app.py that only defines the app",
        ),
        pytest.param(
            {"shop/__init__.py": FACTORY, "shop/views.py": ""},
            (*FLASK_RUN, "shop:create_app", "run"),
            "",
            (),
            id="a factory in a package",
        ),
        pytest.param(
            {"src/shop/__init__.py": FACTORY},
            (*FLASK_RUN, "src/shop:create_app", "run"),
            "",
            (),
            id="a package in src",
        ),
        pytest.param(
            {
                "wsgi.py": "from shop import create_app\napp = create_app()",
                "shop/__init__.py": FACTORY,
            },
            (*FLASK_RUN, "wsgi:app", "run"),
            "",
            (),
            id="wsgi.py that imports the factory is the one",
        ),
        pytest.param(
            {"main.py": FLASK + MAIN + "app.run()"},
            ("{python}", "main.py"),
            "werkzeug",
            (),
            id="main.py",
        ),
        pytest.param(
            {"manage.py": DJANGO, "shop/wsgi.py": ""},
            ("{python}", "manage.py", "runserver", "{host}:{port}"),
            "",
            (),
            id="Django",
        ),
        pytest.param(
            {
                "manage.py": "from flask.cli import FlaskGroup\nfrom shop import create_app\n"
                "cli = FlaskGroup(create_app=create_app)\n" + MAIN + "cli()",
                "shop/__init__.py": FACTORY,
            },
            ("{python}", "manage.py", "run"),
            "",
            (),
            id="FlaskGroup",
        ),
        pytest.param(
            {
                "manage.py": "from flask_script import Manager\nfrom shop import create_app\n"
                "manager = Manager(create_app)\n" + MAIN + "manager.run()",
                "shop/__init__.py": FACTORY,
            },
            ("{python}", "manage.py", "runserver", "-h", "{host}", "-p", "{port}"),
            "",
            (),
            id="Flask-Script",
        ),
        pytest.param(
            {"main.py": FASTAPI},
            ("{python}", "-m", "uvicorn", "main:app", "--port", "{port}"),
            "",
            (),
            id="FastAPI",
        ),
        pytest.param(
            {"app/__init__.py": "", "app/main.py": FASTAPI},
            ("{python}", "-m", "uvicorn", "app.main:app", "--port", "{port}"),
            "",
            (),
            id="FastAPI in app/main.py",
        ),
        pytest.param(
            {
                "main.py": FASTAPI
                + "import uvicorn\n"
                + MAIN
                + "uvicorn.run('main:app', port=8000, reload=True)"
            },
            ("{python}", "-m", "uvicorn", "main:app", "--reload", "--port", "{port}"),
            "",
            (),
            id="uvicorn.run with a literal port",
        ),
        pytest.param(
            {
                "main.py": FASTAPI
                + "import os, uvicorn\n"
                + MAIN
                + "uvicorn.run(app, port=int(os.environ.get('PORT', 8000)))"
            },
            ("{python}", "main.py"),
            "",
            (),
            id="uvicorn.run with a variable",
        ),
        pytest.param(
            {"app.py": SOCKETIO + ENV_PORT + MAIN + "socketio.run(app, port=port)"},
            APP,
            "",
            (),
            id="Flask-SocketIO with a variable",
        ),
        pytest.param(
            {
                "app.py": SOCKETIO
                + "app.config.from_pyfile('missing.cfg')\n"
                + MAIN
                + "socketio.run(app, '0.0.0.0', 5000)"
            },
            APP,
            "werkzeug",
            (),
            id="Flask-SocketIO on Werkzeug",
        ),
        pytest.param(
            {
                "app.py": FLASK + "from waitress import serve\n" + MAIN + "serve(app, port=8080)",
            },
            (*FLASK_RUN, "app:app", "run"),
            "",
            (),
            id="waitress with a literal port",
        ),
        pytest.param(
            {"shop/__main__.py": "from shop import app\napp.run()", "shop/__init__.py": FLASK},
            ("{python}", "-m", "shop"),
            "werkzeug",
            (),
            id="python -m shop",
        ),
        pytest.param(
            {
                "pyproject.toml": '[project.scripts]\nshop = "shop.cli:main"',
                "shop/cli.py": "import os\nfrom shop import app\n"
                "def main():\n    app.run(port=int(os.environ['PORT']))",
                "shop/__init__.py": FLASK,
            },
            ("shop",),
            "",
            (),
            id="a command of the project",
        ),
        pytest.param(
            {
                "Procfile": "worker: celery\nweb: gunicorn --bind :$PORT shop.web:app",
                "shop/web.py": FLASK,
            },
            (*FLASK_RUN, "shop.web:app", "run"),
            "",
            (),
            id="Procfile",
        ),
        pytest.param(
            {"Makefile": "run:\n\t@FLASK_DEBUG=1 flask --app portal run", "portal.py": FLASK},
            (*FLASK_RUN, "portal", "run"),
            "",
            (),
            id="Makefile",
        ),
    ],
)
def test_the_files_alone(
    files: dict[str, str], command: tuple[str, ...], handover: str, variables: tuple[str, ...]
) -> None:
    entry = chosen(files)
    assert (entry.command, entry.handover, entry.port_variables) == (command, handover, variables)
    assert not entry.problem


SHOP = {
    "app.py": FLASK,
    "server.py": FLASK + MAIN + "app.run()",
    "main.py": FASTAPI,
    "site_wsgi.py": FLASK.replace("app =", "application ="),
}


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ("python server.py", ("{python}", "server.py")),
        ("python -u ./server.py", ("{python}", "server.py")),
        ("/venv/bin/python3.12 /srv/shop/server.py", ("{python}", "server.py")),
        ("exec env A=1 python server.py", ("{python}", "server.py")),
        ("tini -- python server.py --verbose", ("{python}", "server.py", "--verbose")),
        ("./wait-for-it.sh db:5432 -- python server.py", ("{python}", "server.py")),
        ("flask run --host=0.0.0.0 -p 80", (*FLASK_RUN, "app", "run")),
        ("flask --app server --debug run -h 0.0.0.0", (*FLASK_RUN, "server", "--debug", "run")),
        ("python -m flask run --host 0.0.0.0", (*FLASK_RUN, "app", "run")),
        ("uv run --frozen flask --app app:app run", (*FLASK_RUN, "app:app", "run")),
        ("gunicorn -w 4 -b 0.0.0.0:5000 app:app", (*FLASK_RUN, "app:app", "run")),
        ("gunicorn app", (*FLASK_RUN, "app:app", "run")),
        (
            "gunicorn -k eventlet -w 1 --bind=:80 app:app",
            (
                "{python}",
                "-m",
                "gunicorn",
                "-k",
                "eventlet",
                "-w",
                "1",
                "app:app",
                "-b",
                "{host}:{port}",
            ),
        ),
        (
            "gunicorn -k gevent -w $WORKERS --log-level=${LEVEL} app:app",
            ("{python}", "-m", "gunicorn", "-k", "gevent", "app:app", "-b", "{host}:{port}"),
        ),
        ("uwsgi --http :5000 --module app:app --processes 4", (*FLASK_RUN, "app:app", "run")),
        ("uwsgi --http :80 --module site_wsgi", (*FLASK_RUN, "site_wsgi:application", "run")),
        ("uwsgi --socket :5000 --wsgi-file app.py --callable app", (*FLASK_RUN, "app:app", "run")),
        ("waitress-serve --port=8080 app:app", (*FLASK_RUN, "app:app", "run")),
        (
            "uvicorn main:app --host 0.0.0.0 --port 80 --reload",
            ("{python}", "-m", "uvicorn", "main:app", "--reload", "--port", "{port}"),
        ),
        (
            "gunicorn -k uvicorn.workers.UvicornWorker main:app",
            ("{python}", "-m", "uvicorn", "main:app", "--port", "{port}"),
        ),
        (
            "fastapi run main.py --port 80",
            ("{python}", "-m", "fastapi", "run", "main.py", "--port", "{port}"),
        ),
        (
            "hypercorn main:app --bind 0.0.0.0:80",
            ("{python}", "-m", "hypercorn", "main:app", "-b", "{host}:{port}"),
        ),
    ],
)
def test_the_command_of_the_container_says_what_the_app_is(
    written: str, command: tuple[str, ...]
) -> None:
    entry = chosen(SHOP, written)
    assert (entry.command, entry.where) == (command, "Dockerfile:7")


def test_a_command_in_shell_form_is_its_last_server() -> None:
    words = ("/bin/sh", "-ec", "flask db upgrade && exec gunicorn -b :80 app:app")
    choice = choose_entry(Sources(SHOP), [CommandLine(words, "Dockerfile:9")])
    assert choice.chosen is not None
    assert choice.chosen.command == (*FLASK_RUN, "app:app", "run")


def test_a_package_in_src_is_found_without_an_installation() -> None:
    files = {"src/shop/__init__.py": FACTORY, "src/shop/api.py": FASTAPI}
    assert chosen(files, "gunicorn shop:create_app()").command == (
        *FLASK_RUN,
        "src/shop:create_app()",
        "run",
    )
    assert chosen(files, "uvicorn shop.api:app").command == (
        *("{python}", "-m", "uvicorn", "--app-dir", "src", "shop.api:app", "--port", "{port}"),
    )


def test_an_entrypoint_script_is_read_and_named() -> None:
    script = "#!/bin/sh\nset -e\nflask db upgrade\n# python old.py\nexec python \\\n  server.py\n"
    entry = chosen({**SHOP, "docker/entrypoint.sh": script}, "docker/entrypoint.sh")
    assert (entry.command, entry.where) == (("{python}", "server.py"), "docker/entrypoint.sh:5")


def test_gunicorn_of_production_gives_way_to_the_script_that_serves_the_same_app() -> None:
    files = {"run.py": "from shop.web import app\nif True:\n    app.run()", "shop/web.py": FLASK}
    assert chosen(files, "gunicorn shop.web:app").command == RUN
    del files["run.py"]
    assert chosen(files, "gunicorn shop.web:app").command == (*FLASK_RUN, "shop.web:app", "run")


def test_a_copied_folder_is_the_servers_directory() -> None:
    command = CommandLine(("uvicorn", "main:app"), "Dockerfile:5", folders=(".", "src"))
    entry = choose_entry(Sources({"src/main.py": FASTAPI}), [command]).chosen
    assert entry is not None
    assert (entry.directory, entry.file, entry.framework) == ("src", "main.py", "FastAPI")
    entry = choose_entry(Sources({"main.py": FASTAPI, "src/main.py": ""}), [command]).chosen
    assert entry is not None
    assert (entry.directory, entry.file) == ("", "main.py")


def test_flask_app_of_an_env_file_counts_where_no_script_serves() -> None:
    named = ("portal:create_app", ".flaskenv:1")
    entry = chosen({"portal.py": FACTORY, "wsgi.py": FLASK}, flask_app=named)
    assert (entry.command, entry.where) == ((*FLASK_RUN, "portal:create_app", "run"), ".flaskenv:1")
    serving = {"portal.py": FACTORY, "app.py": FLASK + MAIN + "app.run()"}
    assert chosen(serving, flask_app=named).command == APP


def test_flask_before_2_2_has_no_option_for_the_app() -> None:
    entry = chosen({"wsgi.py": FLASK, "requirements.txt": "Flask==2.0.3\n"})
    assert entry.command == ("{python}", "-m", "flask", "run")
    assert entry.variables == {"FLASK_APP": "wsgi:app"}


@pytest.mark.parametrize(
    ("requirements", "is_problem"), [("eventlet==0.36\n", True), ("flask-socketio\n", False)]
)
def test_eventlet_on_a_literal_port_needs_a_person(requirements: str, is_problem: bool) -> None:
    files = {
        "app.py": SOCKETIO + MAIN + "socketio.run(app, port=8055)",
        "requirements.txt": requirements,
    }
    entry = chosen(files)
    assert bool(entry.problem) is is_problem
    if is_problem:
        assert entry.problem == "app.py:6 listens on the port 8055 and reads no variable"
        assert entry.paste == ('port=int(os.environ.get("PORT", "8055"))',)
        files["app.py"] = SOCKETIO + MAIN + "socketio.run(app)"
        entry = chosen(files)
        assert entry.problem == "app.py:6 listens on its own default port and reads no variable"
        assert entry.paste == ('port=int(os.environ.get("PORT", "5000"))',)


def test_an_app_that_is_made_with_arguments_cannot_be_started_without_its_script() -> None:
    start = "from waitress import serve\nfrom shop import create_app\n"
    files = {"shop.py": FACTORY, "run.py": start + "serve(create_app('prod'), port=8080)"}
    assert chosen(files).problem == "run.py:3 listens on the port 8080 and reads no variable"
    files["run.py"] = start + "serve(create_app(), port=8080)"
    assert chosen(files).command == (*FLASK_RUN, "run:create_app()", "run")


@pytest.mark.parametrize(
    ("files", "candidates"),
    [
        pytest.param(
            {"manage.py": DJANGO, "app.py": FLASK + MAIN + "app.run()"},
            ["app.py", "manage.py"],
            id="two frameworks",
        ),
        pytest.param(
            {"shop/__init__.py": FACTORY, "admin/__init__.py": FACTORY},
            ["admin/__init__.py", "shop/__init__.py"],
            id="two packages",
        ),
        pytest.param(
            {"main.py": FASTAPI, "wsgi.py": FLASK}, ["main.py", "wsgi.py"], id="two objects"
        ),
    ],
)
def test_equally_good_candidates_are_listed_and_none_is_chosen(
    files: dict[str, str], candidates: list[str]
) -> None:
    choice = choose_entry(Sources(files))
    assert choice.chosen is None
    assert sorted(entry.file for entry in choice.candidates) == candidates


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "flask run"},
        {"tool.py": "import subprocess\nsubprocess.run(['ls'])"},
        {"tool/__main__.py": "import sys\nprint(sys.argv)"},
        {"app.py": "def broken(:\n"},
        {"app.py": "app = 1\napp.run()"},
        {"run.py": "(" * 5000},
        {"main.py": "from main import app\napp.run()"},
        {
            "a.py": "from b import app",
            "app.py": "from a import app\napp.run()",
            "b.py": "from a import app",
        },
    ],
)
def test_what_is_no_server_is_none(files: dict[str, str]) -> None:
    choice = choose_entry(Sources(files))
    assert choice.chosen is None
    assert choice.candidates == ()
