"""Access tokens, checked with WSO2 Identity Server's introspection (RFC 7662)."""

import base64
import json
import os
import ssl
import urllib.parse
import urllib.request


def check_is_on() -> bool:
    """Return whether tokens are checked: not with JWT_VALIDATION_MODE=off or without a server."""
    return os.environ.get("JWT_VALIDATION_MODE", "introspection") != "off" and bool(
        os.environ.get("WSO2_IS_INTERNAL_URL")
    )


def is_active(token: str) -> bool:
    """Ask the Identity Server about a token.

    Raises OSError or ValueError if it does not answer with JSON; then nobody is let in.
    """
    user = os.environ.get("WSO2_IS_INTROSPECT_USER", "")
    password = os.environ.get("WSO2_IS_INTROSPECT_PASSWORD", "")
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's
        os.environ["WSO2_IS_INTERNAL_URL"].rstrip("/") + "/oauth2/introspect",
        data=urllib.parse.urlencode({"token": token}).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        },
    )
    with urllib.request.urlopen(request, timeout=5, context=_tls()) as answer:  # noqa: S310
        document = json.load(answer)
    return isinstance(document, dict) and document.get("active") is True


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if os.environ.get("WSO2_IS_VERIFY_SSL", "False").lower() != "true":
        # its self-signed certificate, inside darts-network
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
