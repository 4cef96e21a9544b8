"""What Compose is asked to pick an environment's files; answers of earlier runs are used."""

from __future__ import annotations

import os
from pathlib import Path

from dartsctl.edges.engine.known_answers import question_about
from dartsctl.stack.compose_errors import lacks_base, lacks_variable
from dartsctl.stack.compose_model import MODEL, read_stack
from dartsctl.text.strict_json import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dartsctl import spawn
    from dartsctl.edges.engine.compose_call import ComposeCall
    from dartsctl.edges.engine.kept_models import KeptModels
    from dartsctl.edges.engine.known_answers import KnownAnswers


class FileQuestions:
    """Questions about an environment's files.

    `kept` gets the models for the next `config`. `answers`: what was asked about these files in
    earlier runs. `required`: the variables without which Compose reads nothing.
    """

    def __init__(
        self,
        call: ComposeCall,
        kept: KeptModels,
        answers: KnownAnswers,
        required: Callable[[], Iterable[str]],
    ) -> None:
        self._call = call
        self._kept = kept
        self._answers = answers
        self._required = required

    def is_complete(self) -> bool:
        """Return whether the files need no other one beside them. The next `config` is answered.

        All profiles are active for this, where there are any: Compose leaves out the services of
        the others, and an overlay may have nothing else. Then `config` is not answered.
        """
        return self._answer("complete", self._ask_if_complete)

    def has_profile(self) -> bool:
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
        return question_about(self._call.environment, what, Path(self._call.command[0]), os.environ)

    def _ask_if_complete(self) -> tuple[bool, bool]:
        """Return whether the files are complete, and whether no other error may have hidden it."""
        from dartsctl.config.listing import may_have_profiles

        options: list[str] = []
        if may_have_profiles(self._call.environment.files):
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
        wanted = set(self._call.environment.profiles[:1])
        return any(wanted & set(service.profiles) for service in stack.services.values()), True

    def _early_config(self, *options: str) -> spawn.Completed:
        """Return Compose's answer about the files, which is kept for the next `config`.

        It says what is missing in them only when their variables are there: those are filled in.
        """
        argv = self._call.argv(*options, "config", "--format", "json")
        running = self._kept.take(argv) or self._call.start(argv)
        done = running.result(deadline=self._call.deadline)
        if done.code == 0:
            self._kept.keep(argv, done)
        elif lacks_variable(done.stderr):
            variables = {name: os.environ.get(name) or "1" for name in self._required()}
            done = self._call.run(argv, variables)
        return done
