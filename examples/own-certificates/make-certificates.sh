#!/bin/sh
# Makes two certificates for shop.example.com that sign themselves, in place of those that you have.
set -eu
for kind in ecdsa rsa; do
  case $kind in
  ecdsa) key="-newkey ec -pkeyopt ec_paramgen_curve:P-256" ;;
  rsa) key="-newkey rsa:2048" ;;
  esac
  # shellcheck disable=SC2086 # These are several arguments.
  openssl req -x509 $key -noenc -days 30 -subj "/CN=shop.example.com" \
    -addext "subjectAltName=DNS:shop.example.com" -keyout $kind.key -out $kind.crt 2>/dev/null
done
