"""A stand-in for WSO2 Identity Server: a small HTTPS server on 9443, and HTTP on 9763.

It reads the same deployment.toml from the same place: host name, proxy port, proxy context path,
administrator. It registers clients, and issues and checks tokens in the same way (dynamic
registration, client credentials, RFC 7662), and forgets them when it ends. With
STANDIN_START_DELAY=SECONDS it takes as long to start as the real server.
"""

import base64
import json
import os
import re
import secrets
import signal
import ssl
import sys
import threading
import tomllib
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SETTINGS = HERE / "wso2-config-volume/repository/conf/deployment.toml"
HTTPS, HTTP = 9443, 9763
PAGE = "<html><title>stand-in, not WSO2</title><body>{}</body></html>"
JSON = "application/json"

Answer = tuple[int, str, str]


@dataclass
class IdentityServer:
    """What it knows: its public address, the administrator, registered clients and their tokens."""

    address: str = f"https://localhost:{HTTPS}"
    administrator: tuple[str, str] = ("admin", "admin")
    clients: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        match path:
            case "/api/health-check/v1.0/health":
                return 200, JSON, json.dumps({"health": []})
            case (
                "/carbon/admin/login.jsp"
                | "/authenticationendpoint/login.do"
                | "/console"
                | "/myaccount"
            ):
                return 200, "text/html", PAGE.format(f"stand-in for {path}")
            case (
                "/oauth2/token/.well-known/openid-configuration"
                | "/.well-known/openid-configuration"
            ):
                names = {
                    "authorization": "authorize",
                    "introspection": "introspect",
                    "revocation": "revoke",
                }
                ends = {
                    f"{name}_endpoint": f"{self.address}/oauth2/{names.get(name, name)}"
                    for name in (*names, "token", "userinfo")
                }
                ends |= {
                    "issuer": f"{self.address}/oauth2/token",
                    "jwks_uri": f"{self.address}/oauth2/jwks",
                }
                return (
                    200,
                    JSON,
                    json.dumps({**ends, "end_session_endpoint": f"{self.address}/oidc/logout"}),
                )
            case "/oauth2/jwks":
                return 200, JSON, json.dumps({"keys": []})
        return 404, JSON, json.dumps({"error": "not in this stand-in", "path": path})

    def post(self, path: str, who: tuple[str, str], body: bytes) -> Answer:
        form = dict(urllib.parse.parse_qsl(body.decode()))
        match path:
            case "/api/identity/oauth2/dcr/v1.1/register" if who == self.administrator:
                client = secrets.token_urlsafe(16), secrets.token_urlsafe(24)
                self.clients.update([client])
                return (
                    201,
                    JSON,
                    json.dumps(
                        {"client_id": client[0], "client_secret": client[1], **json.loads(body)}
                    ),
                )
            case "/oauth2/token" if self.clients.get(who[0]) == who[1]:
                if form.get("grant_type") != "client_credentials":
                    return 400, JSON, json.dumps({"error": "unsupported_grant_type"})
                token = secrets.token_urlsafe(24)
                self.tokens[token] = who[0]
                return (
                    200,
                    JSON,
                    json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600}),
                )
            case "/oauth2/introspect" if (
                who == self.administrator or self.clients.get(who[0]) == who[1]
            ):
                client_id = self.tokens.get(form.get("token", ""))
                return (
                    200,
                    JSON,
                    json.dumps(
                        {"active": True, "client_id": client_id} if client_id else {"active": False}
                    ),
                )
            case "/api/identity/oauth2/dcr/v1.1/register" | "/oauth2/token" | "/oauth2/introspect":
                return 401, JSON, json.dumps({"error": "invalid_client"})
        return self.get(path)


def configured() -> IdentityServer:
    """Return the server as the mounted settings, or the image's own, describe it.

    A missing variable is an error.
    """
    if not SETTINGS.exists():
        return IdentityServer()
    text = re.sub(r"\$env\{(\w+)\}", lambda found: os.environ[found[1]], SETTINGS.read_text())
    settings: dict[str, Any] = tomllib.loads(text)
    host, port = (
        settings["server"]["hostname"],
        int(settings["transport"]["https"]["properties"]["proxyPort"]),
    )
    address = (
        f"https://{host}"
        + (f":{port}" if port != 443 else "")
        + "/"
        + settings["server"]["proxy_context_path"].strip("/")
    )
    return IdentityServer(
        address, (settings["super_admin"]["username"], settings["super_admin"]["password"])
    )


def handler(server: IdentityServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "dartsctl-standin-not-wso2"
        sys_version = ""
        timeout = 60

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            if path == "/oauth2/authorize":  # to its login page, by its public name
                self._send(
                    302,
                    "text/html",
                    "",
                    {"location": f"{server.address}/authenticationendpoint/login.do"},
                )
                return
            status, kind, text = (
                server.post(path, self._credentials(), body)
                if self.command == "POST"
                else server.get(path)
            )
            page = (
                path == "/authenticationendpoint/login.do"
            )  # sends what the real one sends by Tomcat's filters
            self._send(
                status,
                kind,
                text,
                {"set-cookie": "JSESSIONID=1; Path=/; Secure; HttpOnly", "x-frame-options": "DENY"}
                if page
                else {},
            )

        do_HEAD = do_POST = do_GET  # noqa: N815  # names that http.server looks for

        def _credentials(self) -> tuple[str, str]:
            try:
                user, _, password = (
                    base64.b64decode(self.headers.get("authorization", "").removeprefix("Basic "))
                    .decode()
                    .partition(":")
                )
            except ValueError:
                return "", ""
            return user, password

        def _send(self, status: int, kind: str, text: str, more: dict[str, str]) -> None:
            body = text.encode()
            self.send_response(status)
            for name, value in {
                "content-type": kind,
                "content-length": str(len(body)),
                **more,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler


def serve(port: int, server: IdentityServer, context: ssl.SSLContext | None) -> None:
    listener = ThreadingHTTPServer(("", port), handler(server))
    if context:
        listener.socket = context.wrap_socket(
            listener.socket, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=listener.serve_forever, daemon=True).start()


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if stop.wait(float(os.environ.get("STANDIN_START_DELAY", "0"))):
        return
    server = configured()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "tls.crt", HERE / "tls.key")
    serve(HTTPS, server, context)
    serve(HTTP, server, None)
    sys.stderr.write(f"stand-in (not WSO2) listening on {HTTPS} and {HTTP}\n")
    stop.wait()


if __name__ == "__main__":
    main()
