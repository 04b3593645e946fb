#!/bin/sh
# Lays out what the image holds: the executable, its libraries, and the few files that those look for.
#
#   sh packaging/docker/root.sh EXECUTABLE FOLDER
set -eu
executable=$1
root=$2

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/data" "$root/tmp"
chmod 1777 "$root/tmp"
install -m 755 "$executable" "$root/usr/bin/castellan"

# The program loader is among them, by the path that is written in the executable.
ldd "$executable" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

# Who is 65532, and how names of upstreams are looked up.
echo 'castellan:x:65532:65532::/data:/sbin/nologin' >"$root/etc/passwd"
echo 'castellan:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
# For upstreams with certificates of public CAs.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
