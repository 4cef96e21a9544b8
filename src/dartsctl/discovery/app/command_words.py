"""Recognise the program that a command line starts, behind wrappers, shells and `python -m`."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

from dartsctl.records import record
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WRAPPERS = frozenset(
    [
        *("exec", "command", "nohup", "time", "tini", "dumb-init", "gosu", "su-exec", "setarch"),
        *("ddtrace-run", "opentelemetry-instrument", "docker-entrypoint.sh"),
    ]
)
_WITH_USER = frozenset({"gosu", "su-exec"})
_RUNNERS = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch", "rye"})
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_WAITING = regex(r".*wait[-_]?for.*|dockerize|watchmedo|newrelic-admin")
_PROGRAMS = frozenset(
    [
        *("flask", "gunicorn", "waitress-serve", "uwsgi"),
        *("uvicorn", "hypercorn", "daphne", "fastapi"),
    ]
)
_PYTHON = regex(r"(python|pypy)[0-9.]*|\{python\}")
_FLAGS_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")


@record
class Program:
    """A program and its arguments. A Python file has its path as `name`, `-m X` the name `X`."""

    name: str
    words: tuple[str, ...] = ()
    is_file: bool = False
    is_module: bool = False


def program_of(words: Sequence[str]) -> Program | None:
    """Return the Python server that a command line starts; None for anything else."""
    rest = list(words)
    while rest:
        word = rest[0]
        name = PurePosixPath(word).name
        if re.fullmatch(r"\w+=.*", word, re.DOTALL) or name in _WRAPPERS or name == "env":
            rest = _after_flags(rest[1:])[name in _WITH_USER :]
        elif name in _RUNNERS and "run" in rest[1:3]:
            rest = _after_flags(rest[rest.index("run") + 1 :])
        elif name in _SHELLS and (script := _script_of(rest[1:])):
            programs = [program for _, program in numbered_programs(script)]
            return next(reversed(programs), None)
        elif _WAITING.fullmatch(name):
            rest = _behind_wait(rest)
        elif _PYTHON.fullmatch(name):
            return _of_python(rest[1:])
        elif name in _PROGRAMS:
            return Program(name, tuple(rest[1:]))
        elif name.endswith(".py"):
            return Program(word.removeprefix("./"), tuple(rest[1:]), is_file=True)
        else:
            return None
    return None


def numbered_programs(text: str) -> Iterator[tuple[int, Program]]:
    """Yield line and program for each command of a shell script or Makefile."""
    for number, line in _joined_lines(text):
        for command in re.split(r"&&|\|\||[;|]|&\s*$", line):
            try:
                words = shlex.split(command.strip().lstrip("@"), comments=True)
            except ValueError:
                continue
            program = program_of(words)
            if program is not None:
                yield number, program


def _joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line that is no comment, with those that continue it, and its number."""
    start, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if not parts:
            start = number
        parts.append(line.rstrip().removesuffix("\\"))
        if line.rstrip().endswith("\\"):
            continue
        if not parts[0].lstrip().startswith("#"):
            yield start, " ".join(parts)
        parts = []


def without_address(words: Iterable[str], flags: Sequence[str]) -> tuple[str, ...]:
    """Return the words without these flags and their values: `-p 80`, `-p80`, `--port=80`.

    An option with a shell's variable is left out too: no shell fills in `--workers $WORKERS`.
    """
    kept: list[str] = []
    remaining = iter(words)
    for word in remaining:
        name, equals, _ = word.partition("=")
        if name in flags:
            if not equals:
                next(remaining, "")
        elif "$" in word:
            if kept and kept[-1].startswith("-") and "=" not in kept[-1] and not equals:
                kept.pop()
        elif not any(_is_joined(word, flag) for flag in flags):
            kept.append(word)
    return tuple(kept)


def value_of(words: Sequence[str], flags: Sequence[str]) -> str:
    """Return the value of the first of these flags, empty without one."""
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in flags:
            return value or "".join(words[index + 1 : index + 2][: not equals])
        for flag in flags:
            if _is_joined(word, flag):
                return word[len(flag) :]
    return ""


def _is_joined(word: str, flag: str) -> bool:
    return len(flag) == 2 and word.startswith(flag)


def _of_python(words: Sequence[str]) -> Program | None:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-m":
            if not rest:
                return None
            is_module = rest[0] not in _PROGRAMS
            return Program(rest[0], tuple(rest[1:]), is_module=is_module)
        if word == "-c":
            return None
        if word in _FLAGS_WITH_VALUE:
            rest = rest[1:]
        elif not word.startswith("-"):
            return Program(word.removeprefix("./"), tuple(rest), is_file=True)
    return None


def _after_flags(words: Sequence[str]) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag == "--":
            break
    return rest


def _script_of(words: Sequence[str]) -> str:
    """Return the script of `sh -c SCRIPT`, of `-lc` and `-e -c` too; empty without one."""
    for index, word in enumerate(words[:-1]):
        if re.fullmatch(r"-\w*c", word):
            return words[index + 1]
        if not word.startswith("-"):
            break
    return ""


def _behind_wait(words: Sequence[str]) -> list[str]:
    """Return the command that a waiting script starts: behind `--`, else behind its own words."""
    if "--" in words:
        return list(words[words.index("--") + 1 :])
    for index in range(1, len(words)):
        if program_of(words[index:]) is not None:
            return list(words[index:])
    return []
