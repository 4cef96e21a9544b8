"""Services that an app names in its code."""

from __future__ import annotations

import pytest

from dartsctl.discovery.app.fixed_hosts import fixed_hosts
from dartsctl.discovery.app.sources import Sources


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("r = redis.Redis(host='redis', port=6379)", "redis"),
        ("URI = 'postgresql://a:b@db:5432/shop'", "db"),
        ("r = redis.Redis(host=os.environ.get('REDIS_HOST', 'redis'))", ""),
        ("URI = os.getenv('DATABASE_URL', 'postgresql://a:b@db/shop')", ""),
        ("URI = os.getenv('DATABASE_URL') or 'postgresql://a:b@db/shop'", ""),
        ("app.run(host='0.0.0.0')", ""),
        ("name = 'redis'", ""),
        ("site = 'https://redis.io/docs'", ""),
    ],
)
def test_a_service_in_the_code_is_told_unless_a_variable_can_change_it(
    line: str, name: str
) -> None:
    sources = Sources({"app.py": f"import os\n{line}\n"})
    hosts = list(fixed_hosts(sources, ("app.py",), {"redis", "db"}))
    assert hosts == ([("app.py:2", name)] if name else [])
