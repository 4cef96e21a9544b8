"""The parsers of other programs' texts return a result or raise our own error, for any input.

`make fuzz` runs more examples.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from dartsctl.config.file import line_numbers
from dartsctl.diagnosis import log_stream
from dartsctl.diagnosis.nginx import config, log
from dartsctl.edges.host import network_namespace
from dartsctl.edges.project import certificate_files, env_files
from dartsctl.errors import DartsctlError
from dartsctl.stack import compose_errors
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.config_errors.explain import explain
from dartsctl.stack.config_errors.place import Sources
from dartsctl.text.http_status import http_status
from dartsctl.text.strict_json import Source, parse_json

pytestmark = pytest.mark.once

EXAMPLES = int(os.environ.get("DARTSCTL_FUZZ_EXAMPLES", "60"))

fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

words = some.sampled_from(
    [
        "server",
        "listen",
        "location",
        "/",
        "proxy_pass",
        "http://app:80",
        "include",
        "*",
        ";",
        "{",
        "}",
        "#",
        '"',
        "'",
        "\\",
        "$a",
        "${a}",
        "set",
        "80",
        "[::]:443",
        "ssl",
        "upstream",
        "unix:/x",
        "²",
        "99999",
        "\n",
        "\x00",
        "�",
    ]
)
nginx = some.lists(words | some.text(max_size=5), max_size=60).map(" ".join)
log_words = some.sampled_from(
    [
        "2026/11/23 23:30:37 ",
        "9999/99/99 99:99:99 ",
        "[error] ",
        "[emerg] ",
        "29#29: *1 ",
        "connect() failed (111: Connection refused)",
        ', upstream: "',
        "\0",
        "\n",
    ]
)
lines = some.lists(log_words | some.text(max_size=8), max_size=12).map("".join)
rows = some.lists(
    some.sampled_from(
        [
            "   0: ",
            "0100007F",
            ":",
            "0050",
            " ",
            "0A",
            "00000000:00000000",
            "4711",
            "\u0663",
            "\n",
            "x",
            "9" * 30,
        ]
    ),
    max_size=30,
).map("".join)
values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=6),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(["name", "services", "ports", "target", "published", "web"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
env_lines = some.lists(
    some.sampled_from(
        [
            "A",
            "=",
            "B_SECRET",
            '"',
            "'",
            "\\",
            "$",
            "{",
            "}",
            ":-",
            "\n",
            "#",
            "export ",
            " ",
            "\u2028",
        ]
    ),
    max_size=30,
).map("".join)

PARSERS: dict[str, tuple[some.SearchStrategy[object], Callable[..., object]]] = {
    "nginx's configuration": (
        nginx,
        lambda text: config.read({"/etc/nginx/nginx.conf": text, "/etc/nginx/x": text}),
    ),
    "nginx -T": (nginx, config.dumped),
    "nginx's log": (lines, log.parse_line),
    "a time": (
        some.text(max_size=40)
        | some.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}(Z|[+-][0-9:]{5})"),
        log.parse_moment,
    ),
    "a time zone": (some.text(max_size=8), log.seconds_east),
    "a container's log": (
        some.binary(max_size=60),
        lambda body: [*log_stream.lines(body, timestamps=True), *log_stream.output(body)],
    ),
    "a container's socket table": (
        rows,
        lambda text: [*network_namespace.listening([text]), *network_namespace.connections([text])],
    ),
    "a status line": (some.binary(max_size=40), http_status),
    "Compose's errors": (
        some.text(max_size=80),
        lambda text: (
            compose_errors.classify(text),
            compose_errors.plain_message(text),
            explain(text, Sources(("/srv/compose.yml",), {"/srv/compose.yml": text})),
        ),
    ),
    "Compose's model": (values, read_stack),
    "JSON": (
        some.text(max_size=60) | some.binary(max_size=60),
        lambda text: parse_json(text, Source("x")),
    ),
    "an env file": (
        env_lines,
        lambda text: (env_files.values_in(text), env_files.interpolated(text, {"A": "1"})),
    ),
    "a certificate": (some.binary(max_size=200), certificate_files.served),
    "the lines of settings": (some.text(alphabet="[]{}=\"'#.\n ab", max_size=60), line_numbers),
}


@pytest.mark.parametrize("name", PARSERS)
def test_any_text_is_read_or_refused(name: str) -> None:
    strategy, parse = PARSERS[name]

    @fuzzed
    @given(strategy)
    def read(text: object) -> None:
        try:
            parse(text)
        except DartsctlError:
            return

    read()
