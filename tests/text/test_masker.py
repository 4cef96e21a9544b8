"""Known secrets are masked in every spelling; names are not mistaken for secrets."""

from __future__ import annotations

import base64
import json
import random
import string
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from dartsctl.text.masker import Masker, secrets_in
from dartsctl.text.masking import mask_model
from dartsctl.text.safe_text import CUT, LINE_LIMIT

HARD = 'can$ary /x"yäö'


def knowing(**variables: str) -> Masker:
    masker = Masker()
    masker.learn(variables)
    return masker


@pytest.mark.parametrize(
    "form",
    [
        HARD,
        HARD.replace("$", "$$"),
        json.dumps(HARD),
        json.dumps(HARD, ensure_ascii=False),
        quote(HARD, safe=""),
        quote(HARD).lower().replace("can%24ary", "can%24ary"),
        quote_plus(HARD),
        base64.b64encode(HARD.encode()).decode(),
        base64.b64encode(f"ann:{HARD}".encode()).decode(),
        base64.b64encode(f"user:{HARD}!".encode()).decode(),
        base64.urlsafe_b64encode(f"admin:{HARD}".encode()).decode(),
    ],
)
def test_a_known_secret_is_masked_in_every_spelling(form: str) -> None:
    shown = knowing(DB_PASSWORD=HARD).mask(f"a {form} b")
    assert "***" in shown
    assert form not in shown
    assert "ary" not in shown


@pytest.mark.parametrize(
    ("variables", "text", "shown"),
    [
        ({"APP_MODE": "frontend"}, "Container case-frontend-1  Started", None),
        ({"BIND": "127.0.0.1", "SVC_PORT": "23111"}, "127.0.0.1:23111 is held by python", None),
        ({"DB_PASSWORD": "canary"}, "canary, canary22 and xcanary", "***, canary22 and xcanary"),
        ({"DB_PASSWORD": "hunter2x"}, "nhunter2x", "n***"),
        ({"DB_PASSWORD": "pw"}, "a pw b", None),
        ({"DB_PASSWORD": "5432"}, "port 5432", None),
        ({"PIN_SECRET": "482913"}, "pin 482913, 4829130", "pin ***, 4829130"),
        ({"DB_PASSWORD": "postgres"}, "service postgres is ready", None),
        ({"DB_PASSWORD": "darts", "DB_USER": "darts"}, "user darts", None),
        (
            {"DATABASE_URL": "postgresql://ann:canary99@postgres:5432/darts"},
            "ann canary99 postgres:5432/darts",
            "ann *** postgres:5432/darts",
        ),
        ({"SIGNING": "Zx9vLong0And1Odd2Y0123456789"}, "x Zx9vLong0And1Odd2Y0123456789", "x ***"),
        ({"TLS_KEY": "/etc/certs/tls.key"}, "reads /etc/certs/tls.key", None),
        ({"A_SECRET": "canary99", "B_SECRET": "canary99more"}, "canary99more canary99", "*** ***"),
        ({"A_SECRET": "first99line\nsecond99line"}, "second99line", "***"),
    ],
)
def test_only_a_name_or_a_shape_makes_a_variable_a_secret(
    variables: dict[str, str], text: str, shown: str | None
) -> None:
    masker = Masker()
    masker.learn(variables)
    assert masker.mask(text) == (shown or text)


def test_names_of_projects_and_services_are_never_masked() -> None:
    masker = knowing(
        DB_PASSWORD="shop", API_TOKEN="frontend", OTHER_SECRET="case-shop", LAST_TOKEN="shop-web1"
    )  # values that are names, or part of one
    masker.learn_model(
        {
            "name": "case-shop",
            "services": {"frontend": {}, "shop-web1": {"container_name": "shop-web1-main"}},
        }
    )
    text = "Container case-shop-frontend-1  Started, shop-web1-main, service frontend"
    assert masker.mask(text) == text
    assert masker.mask("login with shop") == "login with ***"


def test_the_secrets_of_a_resolved_model_are_learned_and_no_other_value() -> None:
    masker = Masker()
    masker.learn_model(
        {
            "name": "demo",
            "services": {
                "app": {
                    "environment": {
                        "API_KEY": "canary-inline",
                        "LOG_LEVEL": "debugging",
                        "EMPTY": None,
                    },
                    "build": {"args": {"NPM_TOKEN": "canary-build"}},
                },
                "odd": None,
            },
        }
    )
    assert masker.mask("canary-inline debugging canary-build demo") == "*** debugging *** demo"


def test_no_secret_of_a_resolved_model_is_shown() -> None:
    recorded = (Path(__file__).parents[1] / "data" / "compose" / "secrets.json").read_text()
    assert recorded.count("canary") == 15
    document = json.loads(recorded)["model"]
    masker = Masker()
    masker.learn_model(document)
    masker.learn_values(["canary"])
    assert "canary" not in json.dumps(masker.document(mask_model(document)))


def test_sources_are_read_once_before_the_first_text() -> None:
    masker = Masker()
    read: list[int] = []

    def source() -> None:
        read.append(1)
        masker.learn({"A_SECRET": "canary99"})

    masker.learn_later(source)
    assert read == []
    assert masker.line("canary99") == "***"
    assert masker.line("canary99") == "***"
    assert read == [1]


def test_sources_can_be_read_before_a_text_needs_them() -> None:
    masker, read = Masker(), []
    masker.learn_later(lambda: read.append("source"))
    masker.read_sources()
    assert read == ["source"]
    masker.mask("a text")
    assert read == ["source"]


@pytest.mark.parametrize("count", [1, 60, 70, 500])
def test_a_value_is_found_among_few_and_among_many(count: int) -> None:
    masker = Masker()
    masker.learn_values(f"{number:03}canary{number}" for number in range(count))
    last = count - 1
    text = f"before {last:03}canary{last} after {last:03}canar"
    assert masker.mask("nothing to see") == "nothing to see"
    assert masker.mask(text) == f"before *** after {last:03}canar"


def test_a_string_that_a_document_has_twice_is_masked_twice() -> None:
    masker = knowing(DB_PASSWORD="canary-4711")
    document = {"canary-4711": ["canary-4711", {"x": "canary-4711"}]}
    assert masker.document(document) == {"***": ["***", {"x": "***"}]}


def test_a_long_line_is_cut_and_control_characters_are_escaped() -> None:
    masker = Masker()
    assert masker.line("x" * (LINE_LIMIT + 1)) == "x" * LINE_LIMIT + CUT
    assert masker.line("canary " * 10_000_000).endswith(CUT)
    assert (
        masker.line("web\nnext: rm -rf /\x1b[2J\u202e\udcff")
        == "web\\nnext: rm -rf /\\x1b[2J\\u202e\\xff"
    )


def test_a_document_is_masked_and_has_no_lone_surrogate() -> None:
    shown = knowing(DB_PASSWORD="canary99").document(
        {"a": ["canary99", ("x\udcff", 5, None)], "k\udcfe": True}
    )
    assert shown == {"a": ["***", ["x\\xff", 5, None]], "k\\xfe": True}


@pytest.mark.once
@pytest.mark.parametrize("prefix", ["", "sk_live_"])
def test_ten_thousand_values_are_masked_in_one_pass(prefix: str) -> None:
    choose = random.Random(1).choices
    letters = string.ascii_letters + string.digits
    values = [prefix + "".join(choose(letters, k=24)) for _ in range(10_000)]
    masker = Masker()
    masker.learn_values(values)
    masker.mask("x")
    other_words = "some other words in a line " * 19
    text = "".join(f"word {value} {other_words}" for value in values[::20]) * 4
    assert len(text) > 1_000_000
    began = time.thread_time()
    shown = masker.mask(text)
    assert time.thread_time() - began < 15  # 0.7 s when idle; minutes if searched value by value
    assert not any(value in shown for value in values[:200])


def test_the_secret_part_of_a_variable() -> None:
    assert secrets_in("DB_PASSWORD", "canary") == ("canary",)
    assert secrets_in("DATABASE_URL", "postgres://u:can%2Bary@h/x") == ("can+ary",)
    assert secrets_in("HOME", "/home/ann") == ()


MODEL = {
    "name": "case-shop",
    "networks": {"backplane": {"name": "case-shop_backplane"}},
    "volumes": {"records": {"name": "case-shop_records"}},
    "services": {
        "frontend": {
            "container_name": "shop-frontend",
            "environment": {"API_TOKEN": "mark-7f3a91c2"},
            "ports": [{"target": 80, "published": "23110", "host_ip": "192.0.2.17"}],
        }
    },
}


@pytest.mark.parametrize(
    "word",
    [
        "case-shop",
        "frontend",
        "shop-frontend",
        "192.0.2.17",
        "127.0.0.1",
        "0.0.0.0",
        "backplane",
        "case-shop_records",
        "23110",
    ],
)
@pytest.mark.parametrize("name", ["COMPOSE_PROJECT_NAME", "APP_MODE", "BIND", "DB_PASSWORD"])
def test_a_name_or_address_of_the_stack_is_shown_whatever_variable_has_the_same_value(
    word: str, name: str
) -> None:
    masker = Masker()
    masker.learn({name: word, "OTHER_PASSWORD": word})
    masker.learn_model(MODEL)
    text = f"Container {word}-1 of {word}: {word}:8080/tcp is held"
    assert masker.line(text) == text
    assert masker.line("the token mark-7f3a91c2") == "the token ***"


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Within it threads take turns after a few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_threads")
def test_secrets_are_learned_in_one_thread_while_others_show() -> None:
    masker = Masker()
    masker.learn_values([f"canary-{number:04d}aa" for number in range(300)])

    def learn() -> None:
        for number in range(40):
            masker.learn_values([f"canary-{number:04d}bb"])
            masker.learn_later(partial(masker.spare, [f"name{number}"]))

    def show() -> None:
        for _ in range(10):
            assert masker.line("a canary-0000aa b") == "a *** b"

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work) for work in (show, learn, show, show)]
    for future in done:
        future.result()
    assert masker.line("canary-0039bb") == "***"
