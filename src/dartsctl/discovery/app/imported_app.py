"""How an app is started that a server imports: `flask --app`, `gunicorn module:app`, uvicorn."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from dartsctl.discovery.app.command_words import value_of, without_address
from dartsctl.discovery.app.entry import PYTHON, EntryPoint
from dartsctl.discovery.app.server_calls import ASGI, kind_of, server_call
from dartsctl.discovery.app.sources import Function, Sources
from dartsctl.records import replace
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.discovery.app.command_words import Program

FLASK_ADDRESS = ("--host", "-h", "--port", "-p")
_OLD_FLASK = regex(r"(?im)^flask[ \t]*(==|~=|<=)[ \t]*(0|1|2\.[01])(\.|\s|$)")
"""Versions without the option --app."""


def of_flask(sources: Sources, words: Sequence[str], named: str, where: str) -> EntryPoint | None:
    if "run" not in words:
        return None
    target = value_of(words, ("--app", "-A")) or named or _flasks_default(sources)
    if not target:
        return None
    kept = without_address(words, (*FLASK_ADDRESS, "--app", "-A"))
    index = kept.index("run")
    return flask_entry(sources, target, where, before=kept[:index], after=kept[index + 1 :])


def _flasks_default(sources: Sources) -> str:
    """Return the app that `flask run` finds by itself."""
    for file in ("wsgi.py", "app.py"):
        if file in sources.texts:
            return file.removesuffix(".py")
    return ""


def flask_entry(
    sources: Sources,
    target: str,
    where: str,
    *,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> EntryPoint | None:
    """Return `flask --app TARGET run`; it reads the leased port from FLASK_RUN_PORT."""
    file = _file_of_target(sources, target)
    if not file:
        return None
    module, colon, name = target.partition(":")
    if _is_in_src(file, module):
        target = f"src/{module.replace('.', '/')}{colon}{name}"
    command = (PYTHON, "-m", "flask", "--app", target, *before, "run", *after)
    entry = EntryPoint(command, where, "Flask", file)
    for name, text in sources.texts.items():
        if name.startswith("requirements") and _OLD_FLASK.search(text):
            command = (PYTHON, "-m", "flask", *before, "run", *after)
            return replace(entry, command=command, variables={"FLASK_APP": target})
    return entry


def _is_in_src(file: str, module: str) -> bool:
    """Return whether a module lies in src/: Python finds it there only if that is said."""
    return file.startswith("src/") and not module.startswith("src")


def _file_of_target(sources: Sources, target: str) -> str:
    """Return the file of `module:name`, `folder/module.py` or `src/shop:create_app()`."""
    place = re.split(r":(?![\\/])", target, maxsplit=1)[0].removeprefix("./")
    for path in (place, f"{place}.py", f"{place}/__init__.py"):
        if path in sources.texts and path.endswith(".py"):
            return path
    return sources.module_file(place)


def of_wsgi_server(sources: Sources, program: Program, where: str) -> EntryPoint | None:
    target = _wsgi_target(sources, program)
    if target is None:
        return None
    entry = of_target(sources, target, where)
    is_async = re.search(
        r"eventlet|gevent|tornado", value_of(program.words, ("-k", "--worker-class"))
    )
    if entry is not None and not is_async:
        return entry
    file = _file_of_target(sources, target)
    if program.name != "gunicorn" or not file:
        return entry
    words = without_address(program.words, ("-b", "--bind"))
    command = (PYTHON, "-m", "gunicorn", *words, "-b", "{host}:{port}")
    return EntryPoint(command, where, "gunicorn", file)


def _wsgi_target(sources: Sources, program: Program) -> str | None:
    words = program.words
    if program.name == "uwsgi":
        file = value_of(words, ("--wsgi-file", "--file"))
        name = value_of(words, ("--callable",)) or "app"
        if file:
            return f"{file.removesuffix('.py').replace('/', '.')}:{name}"
        module = value_of(words, ("--module", "-w", "--wsgi"))
        if module and ":" not in module:
            return f"{module}:{value_of(words, ('--callable',)) or 'application'}"
        return module or None
    called = value_of(words, ("--call",))
    if called:
        return f"{called}()"
    for word in reversed(words):
        if re.fullmatch(r"[A-Za-z_][\w.]*(:[\w.]+(\(.*\))?)?", word) and _file_of_target(
            sources, word
        ):
            return word
    return None


def of_target(sources: Sources, target: str, where: str) -> EntryPoint | None:
    """Return how the app `module:name` is started for development, by its framework."""
    file = _file_of_target(sources, target)
    if not file:
        return None
    module, _, name = target.partition(":")
    if not name:  # gunicorn's default
        name = "application"
        if sources.definition(file, name) is None:
            name = "app"
    definition = sources.definition(file, name.partition("(")[0])
    kind = ""
    if definition is not None:
        kind = kind_of(sources, file, _as_expression(name))
    if kind in ("Flask", "Dash"):
        return flask_entry(sources, f"{module}:{name}", where)
    if kind == "Django":
        return _django_entry(sources, where)
    if kind in ASGI:
        is_factory = definition is not None and isinstance(definition[1], Function)
        factory = ["--factory"] * is_factory
        words = (f"{module}:{name.removesuffix('()')}", *factory)
        if _is_in_src(file, module):
            words = ("--app-dir", "src", *words)
        return EntryPoint((PYTHON, "-m", "uvicorn", *words, "--port", "{port}"), where, kind, file)
    return None


def _as_expression(name: str) -> ast.expr:
    try:
        return ast.parse(name, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Constant(None)


def of_asgi_server(sources: Sources, program: Program, where: str) -> EntryPoint | None:
    target = ""
    for word in program.words:
        if re.fullmatch(r"[A-Za-z_][\w.]*:[\w.]+(\(\))?", word):
            target = word
    app_dir = value_of(program.words, ("--app-dir",)).removeprefix("./")
    inside = sources
    if app_dir not in ("", "."):
        inside = sources.below(app_dir)
    file = _file_of_target(inside, target)
    if not file:
        return None
    name = target.partition(":")[2]
    kind = kind_of(inside, file, _as_expression(name)) or program.name
    if app_dir not in ("", "."):
        file = f"{app_dir}/{file}"
    if program.name == "hypercorn":
        words = without_address(program.words, ("-b", "--bind"))
        command = (PYTHON, "-m", "hypercorn", *words, "-b", "{host}:{port}")
    elif program.name == "daphne":
        words = without_address(program.words, ("-b", "--bind", "-p", "--port"))
        command = (PYTHON, "-m", "daphne", "-b", "{host}", "-p", "{port}", *words)
    else:
        words = without_address(program.words, ("--host", "--port"))
        if inside is sources and _is_in_src(file, target):
            words = ("--app-dir", "src", *words)
        command = (PYTHON, "-m", "uvicorn", *words, "--port", "{port}")
    return EntryPoint(command, where, kind, file)


def of_fastapi(sources: Sources, words: Sequence[str], where: str) -> EntryPoint | None:
    if words[:1] not in (("run",), ("dev",)):
        return None
    kept = without_address(words, ("--host", "--port"))
    for word in kept[1:]:
        if word.endswith(".py") and word in sources.texts:
            command = (PYTHON, "-m", "fastapi", *kept, "--port", "{port}")
            return EntryPoint(command, where, "FastAPI", word)
    return None


def _django_entry(sources: Sources, where: str) -> EntryPoint | None:
    """Return how Django's own server is started; None without its manage.py."""
    call = server_call(sources, "manage.py")
    if call is None or call.program != "Django":
        return None
    command = (PYTHON, "manage.py", "runserver", "{host}:{port}")
    return EntryPoint(command, where, "Django", "manage.py")
