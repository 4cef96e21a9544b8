"""Not WSO2 Identity Server: a small HTTPS server on 9443 (and HTTP on 9763) that answers what a deployment asks of one.

STANDIN_START_DELAY=seconds lets it take as long to get ready as the real one does.
"""

import json
import os
import signal
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
HTTPS, HTTP = 9443, 9763
PAGE = "<html><title>stand-in, not WSO2</title><body>{}</body></html>"


def answer(path: str, host: str) -> tuple[int, str, str]:
    issuer = f"https://{host}/oauth2"
    match path:
        case "/carbon/admin/login.jsp" | "/oauth2/authorize" | "/console" | "/myaccount":
            return 200, "text/html", PAGE.format(f"stand-in for {path}")
        case "/api/health-check/v1.0/health":
            return 200, "application/json", json.dumps({"health": []})
        case "/oauth2/token/.well-known/openid-configuration" | "/.well-known/openid-configuration":
            ends = {f"{name}_endpoint": f"{issuer}/{name}" for name in ("authorize", "token", "userinfo", "introspect", "revoke")}
            ends["authorization_endpoint"] = ends.pop("authorize_endpoint")
            ends["introspection_endpoint"] = ends.pop("introspect_endpoint")
            ends["end_session_endpoint"] = f"https://{host}/oidc/logout"
            return 200, "application/json", json.dumps({"issuer": f"{issuer}/token", "jwks_uri": f"{issuer}/jwks", **ends})
        case "/oauth2/jwks":
            return 200, "application/json", json.dumps({"keys": []})
        case "/oauth2/introspect":
            return 200, "application/json", json.dumps({"active": False})
    return 404, "application/json", json.dumps({"error": "not in this stand-in", "path": path})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "dartsctl-standin-not-wso2"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        status, kind, text = answer(self.path.partition("?")[0], self.headers.get("host") or f"localhost:{HTTPS}")
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET  # noqa: N815  # names that http.server looks for


def serve(port: int, context: ssl.SSLContext | None) -> None:
    server = ThreadingHTTPServer(("", port), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if stop.wait(float(os.environ.get("STANDIN_START_DELAY", "0"))):
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "tls.crt", HERE / "tls.key")
    serve(HTTPS, context)
    serve(HTTP, None)
    sys.stderr.write(f"stand-in (not WSO2) listening on {HTTPS} and {HTTP}\n")
    stop.wait()


if __name__ == "__main__":
    main()
