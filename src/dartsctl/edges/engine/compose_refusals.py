"""Why Compose cannot read an environment's files: where that stands, and what to do about it.

Compose is asked more for this, so it is done only for an error that is shown.
"""

from __future__ import annotations

import os
from contextlib import suppress

from dartsctl.config.check_command import check_command, typed
from dartsctl.errors import DartsctlError
from dartsctl.stack import compose_files
from dartsctl.stack.compose_errors import lacks_base, unset_variables
from dartsctl.stack.compose_model import MODEL
from dartsctl.system import bounded_file
from dartsctl.text.phrases import did_you_mean, shell_command
from dartsctl.text.strict_json import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from dartsctl import spawn
    from dartsctl.config.env_value import EnvValue
    from dartsctl.edges.engine.compose_call import ComposeCall
    from dartsctl.stack.config_errors.place import Sources
    from dartsctl.stack.long_ports import WrongPort

_RAW = ("--no-interpolate", "--no-normalize", "--no-consistency")
"""Options of `config` for the merged files as they are written."""


class MissingVariable(DartsctlError):
    """A file requires a variable (`${NAME:?}`) that nothing sets.

    Compose names one of them. With several, it may name another one the next time.
    """

    def __init__(self, name: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class Refusals:
    """Explains what Compose refuses.

    `variables`: what the env files set, with the place of each. `learn` teaches the masker the
    secrets of a model.
    """

    def __init__(
        self,
        call: ComposeCall,
        variables: Callable[[], Mapping[str, EnvValue]],
        learn: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._call = call
        self._variables = variables
        self._learn = learn

    def error_of(self, done: spawn.Completed) -> DartsctlError:
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
        return shell_command(
            "docker", "compose", *self._call.options(self._call.environment.files), *words
        )

    def wrong_port(self, wrong: WrongPort, stderr: str) -> DartsctlError:
        """Return the error for a value that Compose lets pass, and the engine refuses."""
        from dartsctl.stack.config_errors.explain import explain_port

        error = explain_port(wrong, unset_variables(stderr), self._sources(stderr))
        return DartsctlError(f"wrong value in {error.sentence}", hint=error.hint)

    def _missing_base(self, stderr: str) -> Path | None:
        """Return the file beside an overlay without which this error occurs, None without one."""
        from dartsctl.config.listing import bases_for

        files = self._call.environment.files
        if not files or not lacks_base(stderr):
            return None
        for base in bases_for(files[0]):
            if base in files:
                continue
            done = self._call.run(self._call.with_files((base, *files), "config", "--quiet"))
            if _last_line(stderr) not in done.stderr:
                return base
        return None

    def _incomplete(self, message: str, base: Path) -> DartsctlError:
        """Return the error for an overlay that was read without its base file."""
        environment = self._call.environment
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

        files = self._call.environment.files or compose_files.picked(
            self._call.environment.directory, os.environ
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
            env_files=tuple(map(str, self._call.environment.env_files)),
        )

    def _refused_alone(self, files: Sequence[Path], stderr: str) -> tuple[Path, ...]:
        """Return the file that has the error: Compose names a line, but not the file."""
        for file in files:
            done = self._call.run(self._call.with_files([file], "config", "--quiet", *_RAW))
            if done.code != 0 and _last_line(done.stderr) == _last_line(stderr):
                return (file,)
        return tuple(files)

    def _raw_model(self) -> Mapping[str, Any]:
        """Return the model before interpolation; empty where Compose cannot tell it."""
        with suppress(DartsctlError):
            done = self._call.ask("--profile", "*", "config", "--format", "json", *_RAW)
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
        done = self._call.ask("config", "--services")
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
