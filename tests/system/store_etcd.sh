#!/bin/bash
# The store over etcd: three real members, and managers' stores (store_probe) that see each other's changes, outlive members, the whole etcd, a
# compaction and each other, and tell the truth about it. Then the same under TLS.
. "$(dirname "$0")/lib.sh"

mkdir -p "$T/etcd" "$T/tls"
mount -t tmpfs tmpfs "$T/etcd"	# not the disk is tested
IMAGES+=("$T/etcd")
cd "$T/tls"
for ca in ca other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $ca.key -out $ca.pem -days 2 -subj "/CN=$ca" 2>>"$T/openssl.log"
done
# etcd's gateway calls etcd itself with the server's certificate, hence clientAuth for both.
certificate() {	# certificate NAME ALTERNATIVE-NAME
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>>"$T/openssl.log"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" -extfile \
        <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$2") 2>>"$T/openssl.log"
}
certificate server IP:127.0.0.1
certificate elsewhere DNS:elsewhere.example
certificate manager DNS:manager
timeout 300 python3 "$TOP/tests/system/store_etcd.py" "$BUILD/tests/system/store_probe" "$T"
