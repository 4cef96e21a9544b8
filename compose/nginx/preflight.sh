#!/bin/sh
# Run by the image before nginx, which would only say that it cannot load a certificate, not where it should come from.
for file in tls.crt tls.key; do
    [ -s "/etc/nginx/certs/$file" ] || {
        echo "nginx has no certificate: $file is missing in TLS_DIR (compose/nginx/certs). Put yours there, or make one: dartsctl init" >&2
        exit 1
    }
done
