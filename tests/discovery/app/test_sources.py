"""Source files of any size and depth are read, in a time that grows with their length."""

from __future__ import annotations

import time

import pytest

from dartsctl.discovery.app.entry_point import choose_entry
from dartsctl.discovery.app.sources import Sources


@pytest.mark.parametrize(
    "text",
    [
        "a = open('x')\n" * 8000,
        "def f(): g()\n" * 8000,
        f"x = a{'.b' * 900}",
        f"x = {'+'.join(['1'] * 3000)}",
        "app = app\napp.run()",
        "p = q\nq = p\napp.run(port=p)",
    ],
)
def test_a_strange_file_is_read_in_seconds(text: str) -> None:
    started = time.process_time()
    choose_entry(Sources({"app.py": f"import os\nfrom b import app\n{text}\n"}))
    assert time.process_time() - started < 10, "the processor's time: others do not count"


@pytest.mark.parametrize(
    ("call", "file"),
    [
        ("from_object('shop.config.Dev')", "shop/config.py"),
        ("from_object('shop.config')", "shop/config.py"),
        ("from_object(os.environ['APP_SETTINGS'])", "shop/config.py"),
        ("from_pyfile('local.py')", "shop/local.py"),
    ],
)
def test_flasks_configuration_belongs_to_the_app(call: str, file: str) -> None:
    app = f"from flask import Flask\napp = Flask(__name__)\napp.config.{call}\n"
    texts = {"shop/__init__.py": app, "shop/config.py": "A = 1", "shop/local.py": "A = 1"}
    assert Sources(texts).reachable("shop/__init__.py") == ("shop/__init__.py", file)
