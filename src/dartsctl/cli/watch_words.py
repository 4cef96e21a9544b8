"""How Typer reads the words of `watch`: the first one is a verb, else an environment."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from dartsctl.cli.help import VerbGroup
from dartsctl.errors import Advice, UsageError
from dartsctl.text.phrases import did_you_mean

_NAMES_A_VERB = "dartsctl.watch.names_a_verb"


class WatchGroup(VerbGroup):
    """`watch`: its first word is one of its verbs, else an environment."""

    # Typer's base class is private: the overrides cannot name the types of theirs

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the first word for a verb, else for the environment."""
        words = _positional(self.params, args)
        if words and words[0] in self.commands:
            ctx.meta[_NAMES_A_VERB] = True
        elif len(words) > 1 and not ctx.resilient_parsing:
            raise _no_such_verb(words, self.commands)
        else:
            ctx.allow_interspersed_args = True
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        """Leave the environment out where a verb is named."""
        parameters = super().get_params(ctx)
        if ctx.meta.get(_NAMES_A_VERB):
            return [row for row in parameters if row.param_type_name != "argument"]
        return parameters


def _positional(parameters: Sequence[Any], args: Sequence[str]) -> list[str]:
    """Return the words of a command line that are no options and no values of options."""
    with_value: set[str] = set()
    for parameter in parameters:
        if parameter.param_type_name == "option" and not parameter.is_flag:
            with_value.update(parameter.opts)
    words: list[str] = []
    rest = iter(args)
    for word in rest:
        if word == "--":
            return [*words, *rest]
        if word in with_value:
            next(rest, "")
        elif not word.startswith("-"):
            words.append(word)
    return words


def _no_such_verb(words: Sequence[str], verbs: Sequence[str] | Any) -> UsageError:
    word, second = words[:2]
    hint: str = did_you_mean(word, verbs)
    if not hint and second in verbs:
        hint = Advice(f"write the verb first, and the environment as --env {shlex.quote(word)}")
    if not hint:
        hint = Advice(f"the verbs are {', '.join(verbs)}")
    return UsageError(f"not a verb of `watch`: {word!r}", hint=hint)
