"""A plain line means the same call with and without Typer, and every other line is Typer's."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.exceptions import TyperException

from dartsctl.cli.app import program
from dartsctl.cli.deps import Common
from dartsctl.cli.options import COMMON
from dartsctl.cli.parameters import Argument, Option, Verb
from dartsctl.cli.plain_line import Call, read
from dartsctl.cli.verbs import VERBS, verb_named
from dartsctl.errors import DartsctlError, Refused

LINES = 4000
ODD_WORDS = [
    "--", "-", "", "--help", "-h", "--version", "--json=x", "--no-such", "-qv", "-fx", "--jso",
    "x", "-1", "web", "--profile", "--env-file=", "--project-dir=", "status", "test", "prod",
]  # fmt: skip
VALUES = ["web", "5007", "0", "-1", "+5", "007", "٣", "1_0", "", ".", "/nonexistent", "a=b", "stop"]


Seen = list[tuple[Verb, Common, Mapping[str, Any]]]


@pytest.fixture(scope="module")
def typers() -> tuple[Any, Seen]:
    """Typer's program, and the calls that it would make."""
    seen: Seen = []

    def carry_out(verb: Verb, common: Common, values: Mapping[str, Any]) -> int:
        seen.append((verb, common, values))
        return 0

    return typer.main.get_command(program((), carry_out)), seen


def commands() -> dict[tuple[str, ...], Verb]:
    """Return every verb that a line can call, by the words that name it."""
    known: dict[tuple[str, ...], Verb] = {}
    for name in VERBS:
        verb = verb_named(name)
        if isinstance(verb, Verb):
            known[name,] = verb
            continue
        if verb.alone:
            known[name,] = verb.alone
        known |= {(name, word): inner for word, inner in verb.verbs.items()}
    return known


COMMANDS = commands()


def arguments(verb: Verb, common: Common, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the function of a verb gets. An empty list is as good as none."""
    given: dict[str, Any] = dict(verb.function.__kwdefaults__ or {})

    def spy(**arguments: Any) -> None:
        given.update(arguments)

    Verb(spy, verb.parameters, **verb.fixed).call(common, values)
    return {name: None if value == [] else value for name, value in given.items()}


def by_typer(words: Sequence[str], command: Any, seen: Seen) -> tuple[Any, Any] | None:
    """Return the function that Typer would call, and with what; None if it calls none."""
    seen.clear()
    silence = contextlib.redirect_stdout(io.StringIO())
    with silence, contextlib.suppress(TyperException, DartsctlError):
        command.main(args=list(words), prog_name="dartsctl", standalone_mode=False)
    if not seen:
        return None
    ((verb, common, values),) = seen
    return verb.function, arguments(verb, common, values)


def by_itself(call: Call) -> tuple[Any, Any]:
    """Return the function that a plain line calls, and with what."""
    given: dict[str, Any] = dict(call.verb.function.__kwdefaults__ or {})

    def spy(**arguments: Any) -> None:
        given.update(arguments)

    spied = Verb(spy, call.verb.parameters, **call.verb.fixed)
    Call(spied, call.common, call.values).run()
    return call.verb.function, given


def line(chance: random.Random) -> list[str]:
    """Return a command line: most of them are right, and some are plain."""
    names = chance.choice(list(COMMANDS))
    verb = COMMANDS[names]
    words: list[str] = []
    options = [row for _, row in (*COMMON.items(), *verb.each()) if isinstance(row, Option)]
    for option in chance.sample(options, chance.choice([0, 1, 2, 3])):
        words += spelled(option, chance)
    arguments = [row for _, row in verb.each() if isinstance(row, Argument)]
    for _ in arguments:
        words += chance.choices(VALUES, k=chance.choice([0, 1, 1, 2]))
    if chance.random() < 0.2:
        words.insert(chance.randrange(len(words) + 1), chance.choice(ODD_WORDS))
    if chance.random() < 0.1:
        words += spelled(chance.choice(options), chance)
    if chance.random() < 0.1:
        chance.shuffle(words)
    before = chance.choice([[], [], [], ["--json"], ["-q", "--project-dir", "."], ["--port", "1"]])
    return [
        *chance.choice([before, []]),
        *names[:1],
        *chance.choice([before, []]),
        *names[1:],
        *words,
    ]


def spelled(option: Option, chance: random.Random) -> list[str]:
    """Return an option with a value, if it takes any, in one of its spellings."""
    name = chance.choice([spelling for spelling, _ in option.spellings()])
    if option.kind == "flag":
        return [name]
    value = chance.choice(VALUES)
    return chance.choice([[name, value], [f"{name}={value}"]])


def test_a_plain_line_is_the_call_that_typer_would_make(typers: tuple[Any, Seen]) -> None:
    chance = random.Random(15)
    plain: list[Verb] = []
    for _ in range(LINES):
        words = line(chance)
        call = read(words)
        if call is None:
            continue
        plain.append(call.verb)
        function, given = by_itself(call)
        given = {name: None if value == [] else value for name, value in given.items()}
        assert by_typer(words, *typers) == (function, given), words
    assert len(plain) > LINES // 4
    without_help = [verb for names, verb in COMMANDS.items() if names != ("guard",)]
    assert {id(verb) for verb in plain} == {id(verb) for verb in without_help}


@pytest.mark.parametrize(
    "words",
    [
        "ports", "ports --json", "--json ports", "dev url", "dev url --json", "dev list --json",
        "check", "check -f compose.yml --json", "check web --file=a.yml -f b.yml --no-engine",
        "prod check --json", "--json prod check", "prod check web --project-dir /srv --profile x",
        "prod up --on-conflict remap", "prod up --wait-timeout 60", "dev", "dev --no-services",
        "dev up web", "run -- flask run", "run --port 5007 -- python -m http.server {port}",
        "run flask run --debug", "watch", "watch staging --once", "watch --once staging",
        "watch status", "watch silence web --for 2h", "doctor dev --fix", "history -n 5",
    ],
)  # fmt: skip
def test_what_is_typed_every_day_is_plain(words: str, typers: tuple[Any, Seen]) -> None:
    call = read(words.split())
    assert call is not None
    assert by_typer(words.split(), *typers) == by_itself(call)


@pytest.mark.parametrize(
    "words",
    [
        "", "nonsense", "staging check", "prod", "prod nonsense", "guard", "--version",
        "ports web", "ports --nonsense", "ports --js", "ports --json --json", "ports -qv",
        "ports --json=true", "ports --", "ports --help", "check -fcompose.yml", "check --file",
        "check --project a --project b", "check --project --json", "check --engine --no-engine",
        "prod --json check", "prod up --wait-timeout 0", "prod up --wait-timeout x", "run",
        "run --", "watch silence web", "watch staging status", "watch --once status",
        "watch --env staging silences", "dev --port 5007 url", "dev web", "trust a b",
    ],
)  # fmt: skip
def test_any_other_line_is_left_to_typer(words: str) -> None:
    assert read(words.split()) is None


def test_a_line_that_a_shell_completes_is_typers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(["ports"]) is not None
    monkeypatch.setenv("_DARTSCTL_COMPLETE", "complete_bash")
    assert read(["ports"]) is None


def test_paths_are_paths_when_the_verb_is_called() -> None:
    call = read(["check", "--project-dir", "/srv", "-f", "a.yml", "-f", "b.yml"])
    assert call is not None
    _, given = by_itself(call)
    assert given["common"].project_dir == Path("/srv")
    assert given["files"] == [Path("a.yml"), Path("b.yml")]


@pytest.mark.parametrize("kind", ["path", "paths"])
def test_a_file_that_may_not_be_read_is_left_to_typer(kind: Any, tmp_path: Path) -> None:
    """Typer refuses it with a sentence of its own."""
    (tmp_path / "file").touch(0o000)
    words = ["check", "-f", str(tmp_path / "file")]
    if kind == "path":
        words = ["trust", str(tmp_path / "file")]
    is_readable = _is_readable(tmp_path / "file")
    assert (read(words) is not None) == is_readable


def _is_readable(file: Path) -> bool:
    try:
        file.read_bytes()
    except PermissionError:
        return False
    return True  # root reads every file


def test_an_environment_of_the_settings_is_read_plainly_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dartsctl.toml").write_text('[environment.staging]\nfiles = ["compose.yml"]\n')
    monkeypatch.chdir(tmp_path)
    seen: Seen = []

    def carry_out(verb: Verb, common: Common, values: Mapping[str, Any]) -> int:
        seen.append((verb, common, values))
        return 0

    words = ["staging", "check", "web", "--json"]
    call = read(words)
    assert call is not None
    typers = typer.main.get_command(program(words, carry_out))
    assert by_typer(words, typers, seen) == by_itself(call)
    assert read(["stagin", "check"]) is None


def test_settings_that_are_not_trusted_are_left_to_typer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dartsctl.toml").write_text('[environment.staging]\nfiles = ["compose.yml"]\n')
    (tmp_path / "dartsctl.toml").chmod(0o666)
    monkeypatch.chdir(tmp_path)
    assert read(["staging", "check"]) is None
    with pytest.raises(Refused):
        program(["staging", "check"])
