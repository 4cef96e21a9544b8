"""nginx cannot start because its configuration is wrong, and says in which line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.proxy_end import ends, fatal_error, fatal_trouble, is_config_error
from dartsctl.diagnosis.proxy_routes import shown_place
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.errors import Advice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.NGINX_CONFIG


def detect(facts: Facts) -> Iterator[Trouble]:
    fatal = fatal_error(facts)
    if fatal is None or not is_config_error(fatal.line):
        return
    for end in ends(facts):
        yield fatal_trouble(
            CAUSE,
            end,
            fatal,
            facts,
            reason=f"its configuration is wrong: {fatal.line.example}",
            command=Advice(
                f"correct {shown_place(fatal.line.place, facts)}, then run `{facts.commands.up}`"
            ),
        )


repair = by_hand
