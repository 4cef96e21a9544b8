#!/bin/sh
# The image runs this before nginx, which would not say where a missing certificate should come from.
for file in tls.crt tls.key; do
    [ -s "/etc/nginx/certs/$file" ] || {
        echo "nginx has no certificate: $file is missing in TLS_DIR (compose/nginx/certs). Put yours there, or make one: dartsctl init" >&2
        exit 1
    }
done
