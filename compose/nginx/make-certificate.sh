#!/bin/sh
# Makes /certs/tls.crt and tls.key, self-signed for TLS_NAME, where neither is there. Run by the one-shot service `certs`.
set -eu
cd /certs
umask 077

if [ -s tls.crt ] && [ -s tls.key ]; then
    echo "certificate found: $(openssl x509 -in tls.crt -noout -subject -enddate | tr '\n' ' ')"
    exit 0
fi
if [ -e tls.crt ] || [ -e tls.key ]; then
    echo "only one of tls.crt and tls.key is there (or one is empty): put the other beside it, or remove both" >&2
    exit 1
fi

# Under other names first: a start that is cut off here leaves nothing half-written behind.
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=$TLS_NAME" \
    -addext "subjectAltName=DNS:$TLS_NAME,DNS:localhost,IP:127.0.0.1" \
    -keyout tls.key.new -out tls.crt.new 2>/dev/null
chmod 644 tls.crt.new
mv tls.key.new tls.key
mv tls.crt.new tls.crt
echo "made a self-signed certificate for $TLS_NAME: replace tls.crt and tls.key by real ones before the public comes"
