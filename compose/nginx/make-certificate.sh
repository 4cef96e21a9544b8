#!/bin/sh
# Make tls.crt and tls.key in FOLDER (certs beside this file), self-signed for TLS_NAME (localhost),
# if neither exists:
#   TLS_NAME=darts.example.org sh make-certificate.sh [FOLDER]
# Needs openssl 1.1.1 or newer. `dartsctl init` does the same. 825 days: macOS and iOS accept no more.
set -eu
cd "${1:-$(dirname "$0")/certs}"
umask 077
name=${TLS_NAME:-localhost}

if [ -s tls.crt ] && [ -s tls.key ]; then
    echo "certificate found: $(openssl x509 -in tls.crt -noout -subject -enddate | tr '\n' ' ')"
    exit 0
fi
if [ -e tls.crt ] || [ -e tls.key ]; then
    echo "only one of tls.crt and tls.key exists (or one is empty): add the other, or remove both" >&2
    exit 1
fi

case $name in
    *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) kind=IP ;;
    *) kind=DNS ;;
esac
# Under other names first, so that an interrupted run leaves no half-written files.
trap 'rm -f "tls.key.$$" "tls.crt.$$"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -days 825 -subj "/CN=$name" \
    -addext "subjectAltName=$kind:$name,DNS:localhost,IP:127.0.0.1,IP:::1" \
    -keyout "tls.key.$$" -out "tls.crt.$$" 2>"tls.err.$$" || { cat "tls.err.$$" >&2; rm -f "tls.err.$$"; exit 1; }
rm -f "tls.err.$$"
chmod 644 "tls.crt.$$"
mv "tls.key.$$" tls.key
mv "tls.crt.$$" tls.crt
echo "made a self-signed certificate for $name: replace tls.crt and tls.key before you publish the site"
