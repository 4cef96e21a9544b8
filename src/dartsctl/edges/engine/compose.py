"""Compose: each method is one call of the plugin's own binary.

`docker compose` would start that binary twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dartsctl import spawn
from dartsctl.config.check_command import check_command, typed
from dartsctl.edges.engine.installation import (
    VERSION_DEADLINE,
    KnownVersions,
    NothingKnown,
    find_compose,
)
from dartsctl.edges.engine.kept_models import Answered, KeptModels
from dartsctl.edges.engine.known_answers import KnownAnswers, NothingAnswered, question_about
from dartsctl.errors import DartsctlError
from dartsctl.stack import compose_files
from dartsctl.stack.compose_errors import (
    lacks_base,
    lacks_variable,
    unset_variables,
    without_env_text,
)
from dartsctl.stack.compose_model import MODEL, read_stack
from dartsctl.stack.long_ports import wrong_port
from dartsctl.stack.model import ComposeVariable
from dartsctl.system import bounded_file
from dartsctl.text.masker import Masker
from dartsctl.text.phrases import did_you_mean, shell_command
from dartsctl.text.strict_json import Cursor, Source, parse_json, read_json

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment, EnvValue
    from dartsctl.stack.config_errors.place import Sources
    from dartsctl.stack.long_ports import WrongPort

CONFIG_DEADLINE = 60.0
"""Seconds for resolving the files."""
_BY_PROJECT = frozenset({"down", "restart", "logs"})
"""What Compose does by the labels of a project's containers, without any file."""
_RAW = ("--no-interpolate", "--no-normalize", "--no-consistency")
"""Options of `config` for the merged files as they are written."""
_SECRET_LIMIT = 1 << 16
"""Bytes that are read of a secret's file."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Compose's resolved JSON model, and the unset variables that it replaced by nothing."""

    model: Mapping[str, Any]
    unset_variables: tuple[str, ...]


class MissingVariable(DartsctlError):
    """A file requires a variable (`${NAME:?}`) that nothing sets.

    Compose names one of them. With several, it may name another one the next time.
    """

    def __init__(self, name: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class Compose:
    """Compose for one environment's files. Raises DockerUnavailable if there is no usable Compose.

    `masker` learns the secrets of every resolved model. `known` saves a call for the version.
    `deadline`: seconds for resolving the files. `variables`: what the env files set, with the place
    of each; asked only for an error about the files. `kept`: models that were resolved before.
    `answers`: what was asked about these files in earlier runs.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        masker: Masker | None = None,
        known: KnownVersions | None = None,
        deadline: float = CONFIG_DEADLINE,
        variables: Callable[[], Mapping[str, EnvValue]] = dict,
        kept: KeptModels | None = None,
        answers: KnownAnswers | None = None,
    ) -> None:
        self._kept = kept or KeptModels()
        self._answers = answers or NothingAnswered()
        self._command = find_compose(
            os.environ, known or NothingKnown(), deadline=min(deadline, VERSION_DEADLINE)
        ).command
        self._deadline = deadline
        self._environment = environment
        self._masker = masker or Masker()
        self._variables = variables

    def argv(self, *words: str) -> list[str]:
        """Return the command line of a Compose call.

        Raises the error about the environment's files for a call that needs them: without them,
        Compose would take those of the working folder.
        """
        error = self._environment.files_error
        if error and words and _BY_PROJECT.isdisjoint(words):
            raise error
        return [*self._command, *self._options(self._environment.files), *words]

    def _options(self, files: Sequence[Path]) -> list[str]:
        """Return the options that name the files, the project and the profiles."""
        environment = self._environment
        argv: list[str] = []
        for file in files:
            argv += ["--file", str(file)]
        for file in environment.env_files:
            argv += ["--env-file", str(file)]
        if environment.project:
            argv += ["--project-name", environment.project]
        for profile in environment.profiles:
            argv += ["--profile", profile]
        return argv

    def start_config(
        self,
        services: Sequence[str] = (),
        *,
        whole: bool = True,
        placeholders: Mapping[str, str] | None = None,
    ) -> spawn.Running | Answered:
        """Start resolving the model. `finish_config` returns the result.

        `whole`: False for a part of the files, which need not be consistent without the others.
        `placeholders`: values for variables that nothing sets, so that a model can be had.
        """
        flags = () if whole else ("--no-consistency",)
        argv = self.argv("config", "--format", "json", *flags, *services)
        if not placeholders and (answered := self._kept.take(argv)):
            return answered
        return spawn.start(argv, environment=_plain_environ() | dict(placeholders or {}))

    def finish_config(self, running: spawn.Running | Answered) -> Resolved:
        """Return the resolved model. Raises DartsctlError with Compose's own message and a hint."""
        done = running.result(deadline=self._deadline)
        if done.code != 0:
            raise self._config_error(done)
        model = parse_json(done.stdout, MODEL)
        if not isinstance(model, dict):
            raise MODEL.mistake("the answer is not a mapping")
        self._learn(model)
        if wrong := wrong_port(model):
            raise self._refused_port(wrong, done.stderr)
        return Resolved(model, unset_variables(done.stderr))

    def _refused_port(self, wrong: WrongPort, stderr: str) -> DartsctlError:
        """Return the error for a value that Compose lets pass, and the engine refuses."""
        from dartsctl.stack.config_errors.explain import explain_port

        error = explain_port(wrong, unset_variables(stderr), self._sources(stderr))
        return DartsctlError(f"wrong value in {error.sentence}", hint=error.hint)

    def _learn(self, model: Mapping[str, Any]) -> None:
        """Teach the masker the model's secrets: inline values, and the contents of secrets."""
        self._masker.learn_model(model)
        secrets = model.get("secrets")
        if not isinstance(secrets, dict):
            return
        for secret in secrets.values():
            if not isinstance(secret, dict):
                continue
            content = str(secret.get("content") or "")
            variable = str(secret.get("environment"))
            self._masker.learn_values([content, os.environ.get(variable, "")])
            if file := secret.get("file"):
                self._masker.learn_later(partial(self._learn_file, str(file)))

    def spare(self, names: Iterable[str]) -> None:
        """Show these names of projects, services and containers, even if a password equals one."""
        self._masker.spare(names)

    def _learn_file(self, path: str) -> None:
        with suppress(OSError):  # Compose, or the engine, reports what is wrong with the file
            self._masker.learn_values([bounded_file.read_text(Path(path), limit=_SECRET_LIMIT)])

    def config(self, services: Sequence[str] = ()) -> Resolved:
        """Return the resolved model: `start_config` and `finish_config`."""
        return self.finish_config(self.start_config(services))

    def variables(self) -> tuple[ComposeVariable, ...]:
        """Return the variables of the files, set or not, by name.

        Empty with a Compose that cannot list them (before 2.28).
        """
        done = self._ask("config", "--variables", "--format", "json")
        variables: list[ComposeVariable] = []
        with suppress(DartsctlError):
            for name, variable in read_json(done.stdout, Source("Compose's variables")).entries():
                default = variable.at("DefaultValue").text()
                variables.append(ComposeVariable(name, default, variable.at("Required").flag()))
        return tuple(sorted(variables, key=lambda variable: variable.name))

    def required_variables(self) -> tuple[str, ...]:
        """Return every variable that the files require, set or not: see `variables`."""
        return tuple(variable.name for variable in self.variables() if variable.is_required)

    def written_environments(self) -> dict[tuple[str, str], str]:
        """Return service and variable -> the text in the Compose files, before it is interpolated.

        The variables of `env_file` are left out. Empty with a Compose that cannot show it.
        """
        texts: dict[tuple[str, str], str] = {}
        with suppress(DartsctlError):
            for service, body in self._written_services():
                for name, text in body.at("environment").entries():
                    if text.value is not None:
                        texts[service, name] = text.text_or_number()
        return texts

    def written_model(self) -> Mapping[str, Any]:
        """Return the merged files of all profiles, before variables are replaced.

        Unlike the resolved model it can be had while an env file or a value is missing.
        """
        words = ("config", "--no-interpolate", "--no-env-resolution", "--format", "json")
        done = self._ask("--profile", "*", *words)
        if done.code != 0:
            raise self._config_error(done)
        model = parse_json(done.stdout, MODEL)
        if not isinstance(model, dict):
            raise MODEL.mistake("the answer is not a mapping")
        return model

    def required_env_files(self) -> dict[str, tuple[Path, ...]]:
        """Return service -> the files of `env_file` without which Compose reads nothing.

        A path may contain variables, as it is written. Empty with a Compose that cannot show it.
        """
        files: dict[str, tuple[Path, ...]] = {}
        with suppress(DartsctlError):
            for service, body in self._written_services():
                entries = [
                    item for item in body.at("env_file").items() if item.at("required").flag()
                ]
                if entries:
                    files[service] = tuple(Path(entry.at("path").text()) for entry in entries)
        return files

    def _written_services(self) -> Iterator[tuple[str, Cursor]]:
        """Yield the services before interpolation. Raises DartsctlError for what is no JSON."""
        done = self._ask("config", "--no-interpolate", "--no-env-resolution", "--format", "json")
        if done.code == 0:
            yield from read_json(done.stdout, MODEL).at("services").entries()

    def hashes(self, services: Sequence[str]) -> dict[str, str]:
        """Return the config hash of each service.

        It equals the label of a container that `up` would keep.
        """
        done = self._ask("config", "--hash", ",".join(services))
        if done.code != 0:
            raise self._config_error(done)
        rows = [line.split() for line in done.stdout.splitlines() if line.strip()]
        if any(len(row) != 2 for row in rows):
            raise Source("Compose's hashes").mistake("expected a service and its hash on each line")
        return dict(rows)

    def all_services(self) -> frozenset[str]:
        """Return every service of the files, those of inactive profiles too.

        `--remove-orphans` does not remove their containers.
        """
        done = self._ask("--profile", "*", "config", "--services")
        if done.code != 0:
            raise self._config_error(done)
        return frozenset(done.stdout.split())

    def profiles(self) -> dict[str, tuple[str, ...]]:
        """Return the profiles of every service, disabled ones too.

        Empty where Compose cannot tell: a disabled service may need a file that is not there.
        """
        done = self._ask("--profile", "*", "config", "--format", "json")
        if done.code != 0:
            return {}
        stack = read_stack(parse_json(done.stdout, MODEL))
        return {service.name: service.profiles for service in stack.services.values()}

    def _ask(self, *words: str) -> spawn.Completed:
        return spawn.run(self.argv(*words), deadline=self._deadline, environment=_plain_environ())

    def stream(self, *words: str, on_tick: Callable[[], None]) -> spawn.Stream:
        """Start a Compose call with plain progress lines. `on_tick` is called while it runs."""
        argv = self.argv("--progress", "plain", *words)
        return spawn.Stream(argv, environment=_plain_environ(), on_tick=on_tick)

    def logs(self, *words: str, color: bool, on_error: Callable[[str], None]) -> spawn.Stream:
        """Start `logs` with `words`, in colour or not. Lines of stderr go to `on_error`."""
        argv = self.argv("--ansi", "always" if color else "never", "logs", *words)
        return spawn.Stream(argv, environment=_plain_environ(), on_error=on_error)

    def lines(self, stream: spawn.Stream) -> Iterator[str]:
        """Yield a stream's lines, without the text that Compose quotes of a broken env file."""
        return map(without_env_text, stream.lines())

    def _config_error(self, done: spawn.Completed) -> DartsctlError:
        """Return the error for a failed call: where it stands, and what the variables there are."""
        from dartsctl.stack.config_errors.explain import explain

        error = explain(done.stderr, self._sources(done.stderr))
        message = f"Compose cannot read {error.sentence}"
        if error.variable:
            return MissingVariable(error.variable, message, error.hint)
        if base := self._missing_base(done.stderr):
            return self._incomplete(message, base)
        hint = error.hint or self._command_for(done.stderr)
        return DartsctlError(message, hint=self._similar_service(done.stderr.strip()) or hint)

    def _command_for(self, stderr: str) -> str:
        """Return the command that shows the error again, or which services there are."""
        words = ["config", "--services"] if "no such service: " in stderr else ["config"]
        return shell_command("docker", "compose", *self._options(self._environment.files), *words)

    def is_complete(self) -> bool:
        """Return whether the files need no other one beside them. The next `config` is answered.

        All profiles are active for this, where there are any: Compose leaves out the services of
        the others, and an overlay may have nothing else. Then `config` is not answered.
        """
        return self._answer("complete", self._ask_if_complete)

    def has_own_profile(self) -> bool:
        """Return whether a service has the environment's first profile. `config` is answered."""
        return self._answer("profile", self._ask_for_profile)

    def _answer(self, what: str, ask: Callable[[], tuple[bool, bool]]) -> bool:
        """Return what is known from an earlier run, else what Compose says now."""
        question = self._question(what)
        known = self._answers.answer(question) if question else None
        if known is not None:
            return known
        answer, is_certain = ask()
        # the files may have changed while Compose read them
        if question and is_certain and question == self._question(what):
            self._answers.keep(question, answer=answer)
        return answer

    def _question(self, what: str) -> str:
        return question_about(self._environment, what, Path(self._command[0]), os.environ)

    def _ask_if_complete(self) -> tuple[bool, bool]:
        """Return whether the files are complete, and whether no other error may have hidden it."""
        from dartsctl.config.listing import may_have_profiles

        options: list[str] = []
        if may_have_profiles(self._environment.files):
            options = ["--profile", "*"]
        done = self._early_config(*options)
        if done.code != 0:
            is_overlay = lacks_base(done.stderr)
            return not is_overlay, is_overlay
        # Compose reads a file that has only volumes and networks: an overlay, too
        model = parse_json(done.stdout, MODEL)
        return isinstance(model, dict) and bool(model.get("services")), True

    def _ask_for_profile(self) -> tuple[bool, bool]:
        """Return whether a service has the first profile, and whether Compose could tell."""
        done = self._early_config()
        if done.code != 0:
            return False, False
        stack = read_stack(parse_json(done.stdout, MODEL))
        wanted = set(self._environment.profiles[:1])
        return any(wanted & set(service.profiles) for service in stack.services.values()), True

    def _early_config(self, *options: str) -> spawn.Completed:
        """Return Compose's answer about the files, which is kept for the next `config`.

        It says what is missing in them only when their variables are there: those are filled in.
        """
        argv = self.argv(*options, "config", "--format", "json")
        answered = self._kept.take(argv)
        if answered is None:
            done = spawn.run(argv, deadline=self._deadline, environment=_plain_environ())
        else:
            done = answered.result(deadline=self._deadline)
        if done.code == 0:
            self._kept.keep(argv, done)
        elif lacks_variable(done.stderr):
            environment = _plain_environ()
            for name in self.required_variables():
                environment[name] = environment.get(name) or "1"
            done = spawn.run(argv, deadline=self._deadline, environment=environment)
        return done

    def _missing_base(self, stderr: str) -> Path | None:
        """Return the file beside an overlay without which this error occurs, None without one."""
        from dartsctl.config.listing import bases_for

        files = self._environment.files
        if not files or not lacks_base(stderr):
            return None
        for base in bases_for(files[0]):
            if base in files:
                continue
            argv = [*self._command, *self._options((base, *files)), "config", "--quiet"]
            done = spawn.run(argv, deadline=self._deadline, environment=_plain_environ())
            if _last_line(stderr) not in done.stderr:
                return base
        return None

    def _incomplete(self, message: str, base: Path) -> DartsctlError:
        """Return the error for an overlay that was read without its base file."""
        environment = self._environment
        files = (base, *environment.files)
        overlay = ", ".join(str(typed(file)) for file in environment.files)
        lines = [f"{overlay} is an overlay: with {typed(base)} before it, this error is gone"]
        if not environment.is_adhoc:
            both = ", ".join(f'"{os.path.relpath(file, environment.directory)}"' for file in files)
            lines.append(f"to use both for {environment.name}, set in the settings:")
            lines.append(f"  files = [{both}]")
        hint = check_command(environment, files)
        return DartsctlError(message, details=tuple(lines), hint=hint)

    def _sources(self, stderr: str) -> Sources:
        """Return what is known about the files that Compose refuses."""
        from dartsctl.stack.config_errors.place import Setting, Sources

        files = self._environment.files or compose_files.picked(
            self._environment.directory, os.environ
        )
        if len(files) > 1 and stderr.strip().startswith("yaml: "):
            files = self._refused_alone(files, stderr)
        texts = _texts_of(files)
        settings: dict[str, Setting] = {}
        for name, value in self._variables().items():
            settings[name] = Setting(value.value, value.origin)
        for name, text in os.environ.items():
            settings[name] = Setting(text, "the environment")
        return Sources(
            files=tuple(map(str, files)),
            texts=texts,
            used=_texts_of(compose_files.named_inside(texts)),
            model=self._raw_model(),
            variables=settings,
            env_files=tuple(map(str, self._environment.env_files)),
        )

    def _refused_alone(self, files: Sequence[Path], stderr: str) -> tuple[Path, ...]:
        """Return the file that has the error: Compose names a line, but not the file."""
        for file in files:
            argv = [*self._command, *self._options([file]), "config", "--quiet", *_RAW]
            done = spawn.run(argv, deadline=self._deadline, environment=_plain_environ())
            if done.code != 0 and _last_line(done.stderr) == _last_line(stderr):
                return (file,)
        return tuple(files)

    def _raw_model(self) -> Mapping[str, Any]:
        """Return the model before interpolation; empty where Compose cannot tell it."""
        with suppress(DartsctlError):
            done = self._ask("--profile", "*", "config", "--format", "json", *_RAW)
            if done.code == 0:
                model = parse_json(done.stdout, MODEL)
                if isinstance(model, dict):
                    self._learn(model)
                    return model
        return {}

    def _similar_service(self, line: str) -> str:
        """Return the hint for a service that Compose does not know, if a similar one exists."""
        name = line.rpartition("no such service: ")[2] if "no such service: " in line else ""
        if not name:
            return ""
        done = self._ask("config", "--services")
        if done.code != 0:
            return ""
        return did_you_mean(name, done.stdout.split())


def _texts_of(files: Iterable[Path]) -> dict[str, str]:
    """Return the texts of the files that can be read."""
    texts: dict[str, str] = {}
    for file in files:
        with suppress(OSError):
            texts[str(file)] = bounded_file.read_text(file, limit=bounded_file.COMPOSE_LIMIT)
    return texts


def _last_line(text: str) -> str:
    """Return Compose's error: warnings, which have a time, stand before it."""
    return text.strip().rpartition("\n")[2]


def _plain_environ() -> dict[str, str]:
    """Return our environment for a Compose call whose output is read: no colours, no menu."""
    return {**os.environ, "COMPOSE_ANSI": "never", "COMPOSE_MENU": "0"}
