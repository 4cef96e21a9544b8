"""Reading nginx's configuration: the grammar, common configurations, and broken text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dartsctl.diagnosis.nginx import config as nginx_config
from dartsctl.diagnosis.nginx.config import Config, Listen, Target

REPOSITORY = Path(__file__).parents[3]


def config(text: str, **files: str) -> Config:
    return nginx_config.read({"/etc/nginx/nginx.conf": text, **files})


def served(inner: str, http: str = "") -> Config:
    return config(f"http {{ {http} server {{ {inner} }} }}")


def targets(parsed: Config) -> list[str]:
    return [str(target) for route in parsed.routes for target in route.targets]


# --- odd input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "}",
        "}}{",
        "a",
        "a {",
        "a { b",
        '"',
        "'",
        "\\",
        "${",
        ";;;",
        "a { b; } }",
        "\0",
        "server {{{{",
        "#",
    ],
)
def test_broken_text_is_read_as_far_as_possible_without_an_error(text: str) -> None:
    assert config(text).routes == ()


def test_random_text_never_fails() -> None:
    """Random pieces of the grammar, and the bundled configuration with pieces cut or doubled."""
    draw = random.Random(7)
    pieces = [
        "http",
        "server",
        "location",
        "/",
        "upstream",
        "a",
        "{",
        "}",
        ";",
        '"',
        "'",
        "\\",
        "${",
        "$x",
        "#",
        "\n",
        " ",
        "proxy_pass",
    ]
    pieces += [
        "http://a:80",
        "unix:/x",
        "listen",
        "443",
        "ssl",
        "[::1]:80",
        "[",
        "include",
        "*.conf",
        "set",
        "resolve",
        "99999999",
        "\u0663",
        "~",
    ]
    shipped = (REPOSITORY / "compose/nginx/nginx.conf").read_text()
    for _ in range(3000):
        config(" ".join(draw.choice(pieces) for _ in range(draw.randrange(40))))
    for _ in range(100):
        first, last = sorted(draw.randrange(len(shipped)) for _ in range(2))
        config(shipped[:first] + shipped[last:])
        config(shipped[:last] + shipped[first:])


def test_includes_of_each_other_end() -> None:
    parsed = config(
        "http { include a.conf; server { listen 81; } }", **{"/etc/nginx/a.conf": "include a.conf;"}
    )
    assert parsed.servers[0].listens == (Listen(81),)


# --- the way of a request ---------------------------------------------------------------------


def test_a_plain_name_is_looked_up_once() -> None:
    parsed = served("listen 80; location / { proxy_pass http://darts-app:5000; }")
    (route,) = parsed.routes
    assert (route.location, route.scheme, route.targets, route.dynamic) == (
        "/",
        "http",
        (Target("darts-app", 5000),),
        False,
    )


def test_a_name_in_a_variable_is_looked_up_for_each_request() -> None:
    parsed = served(
        "set $app http://darts-app:5000; location / { proxy_pass $app; }", "resolver 127.0.0.11;"
    )
    (route,) = parsed.routes
    assert (route.targets, route.dynamic, parsed.resolver) == (
        (Target("darts-app", 5000),),
        True,
        True,
    )
    (route,) = served(
        "set $host_ app; location / { set $port 5000; proxy_pass http://${host_}:$port/x; }"
    ).routes
    assert (route.targets, route.dynamic) == ((Target("app", 5000),), True)


def test_a_variable_in_the_query_alone_does_not_make_a_name_dynamic() -> None:
    (route,) = served("location / { proxy_pass http://app:5000/?x=$arg_x; }").routes
    assert (route.targets, route.dynamic) == ((Target("app", 5000),), False)


def test_a_variable_of_the_request_has_no_target() -> None:
    (route,) = served("location / { proxy_pass http://$http_x_target; }").routes
    assert (route.targets, route.dynamic) == ((), True)


def test_an_upstream_block_has_all_its_servers_without_those_that_are_down() -> None:
    block = (
        "upstream pool { least_conn; server one:5000 weight=2; server two; server three:1 down; "
        "server unix:/run/x.sock; server [::1]:9; }"
    )
    parsed = served("location / { proxy_pass https://pool/; }", block)
    assert targets(parsed) == ["one:5000", "two:80", "unix:/run/x.sock", "[::1]:9"]
    assert not parsed.routes[0].dynamic
    assert (
        served("location / { proxy_pass http://p; }", "upstream p { server one resolve; }")
        .routes[0]
        .dynamic
    )


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("proxy_pass http://app;", "app:80"),
        ("proxy_pass https://app/path;", "app:443"),
        ("proxy_pass HTTP://app:81;", "app:81"),
        ("proxy_pass http://[fd00::5]:8080;", "[fd00::5]:8080"),
        ("proxy_pass http://unix:/run/app.sock:/path;", "unix:/run/app.sock"),
        ("fastcgi_pass php:9000;", "php:9000"),
        ("fastcgi_pass unix:/run/php.sock;", "unix:/run/php.sock"),
        ("uwsgi_pass uwsgi://app:3031;", "app:3031"),
        ("grpc_pass grpcs://api;", "api:443"),
    ],
)
def test_every_kind_of_pass_has_its_target(line: str, target: str) -> None:
    assert targets(served(f"location / {{ {line} }}")) == [target]


def test_locations_keep_their_modifiers_and_an_if_belongs_to_its_location() -> None:
    parsed = served(
        "location = /a { if ($x) { proxy_pass http://a; } } "
        "location ~ ^/b { location /b/c { proxy_pass http://b; } }"
    )
    assert [route.location for route in parsed.routes] == ["= /a", "/b/c"]


@pytest.mark.parametrize(
    ("words", "listen"),
    [
        ("80", Listen(80)),
        ("443 ssl http2 default_server", Listen(443, "", True)),
        ("127.0.0.1:8080", Listen(8080, "127.0.0.1")),
        ("[::]:443 ssl", Listen(443, "::", True)),
        ("*:81", Listen(81)),
        ("localhost", Listen(80, "localhost")),
        ("80 proxy_protocol", Listen(80, proxy_protocol=True)),
    ],
)
def test_a_listen_is_a_port_with_or_without_tls(words: str, listen: Listen) -> None:
    assert served(f"listen {words};").servers[0].listens == (listen,)


@pytest.mark.parametrize(
    ("words", "drops"),
    [
        ("return 444;", True),
        ("listen 443 ssl; ssl_reject_handshake on;", True),
        ("location / { return 444; }", True),
        ("location /old { return 444; }", False),
        ("if ($bad) { return 444; }", False),
        ("return 301 https://a$request_uri;", False),
    ],
)
def test_a_server_that_closes_connections_on_purpose_is_known(words: str, drops: bool) -> None:
    assert served(words).servers[0].drops is drops


def test_a_server_without_listen_is_on_80() -> None:
    assert served("server_name a;").servers[0].listens == (Listen(80),)


def test_error_logs_are_found_on_every_level_each_once() -> None:
    parsed = config(
        "error_log stderr; http { error_log /var/log/a.log warn; "
        "server { error_log /var/log/a.log; } }"
    )
    assert parsed.error_logs == ("stderr", "/var/log/a.log")


# --- files ------------------------------------------------------------------------------------

DUMP = """# configuration file /etc/nginx/nginx.conf:
http { include /etc/nginx/conf.d/*.conf; }

# configuration file /etc/nginx/conf.d/default.conf:
server { listen 80; location / { include proxy.conf; proxy_pass http://app:5000; } }

# configuration file /etc/nginx/proxy.conf:
proxy_set_header Host $host;
"""


def test_a_dump_is_assembled_by_its_includes() -> None:
    """`nginx -T` leaves the includes as they are, and the files stand one after the other."""
    files = nginx_config.dumped(DUMP)
    assert list(files) == [
        "/etc/nginx/nginx.conf",
        "/etc/nginx/conf.d/default.conf",
        "/etc/nginx/proxy.conf",
    ]
    parsed = nginx_config.read(files)
    assert (targets(parsed), parsed.servers[0].listens) == (["app:5000"], (Listen(80),))


def test_a_pattern_stays_within_its_folder() -> None:
    inner = "server { location / { proxy_pass http://%s; } }"
    parsed = config(
        "http { include conf.d/*.conf; include sites/one; include missing.conf; }",
        **{
            "/etc/nginx/conf.d/b.conf": inner % "b",
            "/etc/nginx/conf.d/a.conf": inner % "a",
            "/etc/nginx/conf.d/old/c.conf": inner % "c",
            "/etc/nginx/sites/one": inner % "one",
        },
    )
    assert targets(parsed) == ["a:80", "b:80", "one:80"]


def test_the_bundled_configuration_is_read() -> None:
    folder = REPOSITORY / "compose/nginx"
    files = {f"/etc/nginx/{file.name}": file.read_text() for file in folder.glob("*.conf")}
    parsed = nginx_config.read(files, "/etc/nginx/nginx.conf")
    assert {str(target) for route in parsed.routes for target in route.targets} == {
        "darts-app:5000",
        "api-gateway:8080",
        "wso2is:9443",
    }
    assert all(route.dynamic for route in parsed.routes)
    assert parsed.servers[0].listens == (Listen(80), Listen(443, "", True))
    assert parsed.servers[0].certificates == ("certs/tls.crt",)
    assert parsed.error_logs == ("stderr",)


def test_open_blocks_nested_includes_and_doubling_variables_stay_small() -> None:
    """A container writes this text: 2 to the power of 20 of anything must not come of it."""
    deep = "location / { " * 50_000
    assert nginx_config.read({"nginx.conf": f"http {{ server {{ {deep}"}).servers
    twice = {
        f"{number}.conf": f"include {number + 1}.conf; include {number + 1}.conf;"
        for number in range(40)
    }
    assert (
        nginx_config.read({"nginx.conf": "include 0.conf; include 0.conf;", **twice}).servers == ()
    )
    doubling = " ".join(f"set $a{number + 1} $a{number}$a{number};" for number in range(60))
    (route,) = nginx_config.read(
        {"nginx.conf": f"http {{ server {{ set $a0 x; {doubling} proxy_pass http://$a60; }} }}"}
    ).routes
    assert len(route.targets[0].host) <= 4096


def test_a_listen_with_non_ascii_digits_is_no_port() -> None:
    (server,) = nginx_config.read(
        {"nginx.conf": "http { server { listen \u00b2; listen 99999999999999999999; listen 81; } }"}
    ).servers
    assert 81 in [listen.port for listen in server.listens]


# --- where a route is written, and its name servers -------------------------------------------


def test_a_route_knows_its_file_and_line_through_includes() -> None:
    parsed = config(
        "http {\n include conf.d/*.conf;\n}",
        **{
            "/etc/nginx/conf.d/a.conf": (
                'server {\n  # the app\n  add_header A "1\n2";\n'
                "  location / {\n    proxy_pass\n      http://app:5000;\n  }\n}"
            )
        },
    )
    assert [route.place for route in parsed.routes] == ["/etc/nginx/conf.d/a.conf:6"]


def test_the_innermost_resolver_counts_for_a_route() -> None:
    parsed = served(
        "location /a { proxy_pass http://a; }"
        "location /b { resolver 127.0.0.11:53 [::1] valid=5s ipv6=off; proxy_pass http://b; }",
        "resolver 10.0.0.1;",
    )
    assert [route.resolvers for route in parsed.routes] == [("10.0.0.1",), ("127.0.0.11", "::1")]


def test_a_route_knows_the_upstream_block_that_it_names() -> None:
    parsed = served(
        "location / { proxy_pass http://pool; } location /b { proxy_pass http://b; }",
        "upstream pool { server a:1; server b:2; }",
    )
    assert [route.group for route in parsed.routes] == ["pool", ""]
    assert [len(route.server_places) for route in parsed.routes] == [2, 0]


def test_a_server_of_an_upstream_block_knows_its_line() -> None:
    parsed = config(
        "http {\n upstream pool {\n  server a:1;\n  server b:2 down;\n  server c:3;\n }\n"
        " server { location / { proxy_pass http://pool; } } }"
    )
    (route,) = parsed.routes
    assert [place.rpartition(":")[2] for place in route.server_places] == ["3", "5"]
    assert list(map(str, route.targets)) == ["a:1", "c:3"]
