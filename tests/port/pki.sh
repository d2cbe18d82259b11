#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# pki.sh - certificates for the tests of TLS: authorities of both kinds of key,
# good servers, servers with one fault each, clients.
#
# usage: pki.sh DIR
#
# Dates lie around now; the tests move their own clock instead.

set -eu

mkdir -p "$1"
cd "$1"

key()
{
    case $2 in
    ec)      openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" ;;
    ec384)   openssl ecparam -name secp384r1 -genkey -noout -out "$1.key" ;;
    exponent) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
                 -pkeyopt rsa_keygen_pubexp:1208925819614629174706189 \
                 -out "$1.key" ;;
    rsa*)    openssl genrsa -out "$1.key" "${2#rsa}" ;;
    esac
}

# authority NAME KEY
authority()
{
    key "$1" "$2"
    openssl req -x509 -new -key "$1.key" -subj "/O=kinformer/CN=$1" -days 3650 \
        -addext keyUsage=critical,keyCertSign -sha256 -out "$1.pem"
}

# signed NAME KEY AUTHORITY DAYS EXTENSION...
signed()
{
    name=$1 by=$3 days=$4
    key "$1" "$2"
    shift 4
    printf '%s\n' "$@" >"$name.ext"
    openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr"
    openssl x509 -req -in "$name.csr" -CA "$by.pem" -CAkey "$by.key" \
        -CAcreateserial -days "$days" -sha256 -extfile "$name.ext" \
        -out "$name.pem"
}

names='subjectAltName=DNS:localhost,DNS:kubernetes.default,DNS:*.wild.test'
names=$names,DNS:several.test,IP:127.0.0.1,IP:::1
server='extendedKeyUsage=serverAuth'
client='extendedKeyUsage=clientAuth'

{
authority ca-ec ec
authority ca-rsa rsa2048
authority ca-other ec
authority ca-384 ec384
signed server-ec ec ca-ec 365 "$names" "$server"
signed server-rsa rsa2048 ca-rsa 365 "$names" "$server"
signed server-rsa4096 rsa4096 ca-rsa 365 "$names" "$server"
signed server-rsa5120 rsa5120 ca-rsa 365 "$names" "$server"
signed server-384 ec384 ca-384 365 "$names" "$server"
signed server-short ec ca-ec 1 "$names" "$server"
signed server-cn ec ca-ec 365 "$server"
signed server-weak rsa1024 ca-rsa 365 "$names" "$server"
signed server-usage ec ca-ec 365 "$names" "$client"
signed middle ec ca-ec 365 basicConstraints=critical,CA:true
signed server-chain ec middle 365 "$names" "$server"
cat middle.pem >>server-chain.pem
signed exponent exponent ca-rsa 365 basicConstraints=critical,CA:true
signed server-exponent ec exponent 365 "$names" "$server"
cat exponent.pem >>server-exponent.pem
signed client-ec ec ca-ec 365 "$client"
signed client-rsa rsa2048 ca-rsa 365 "$client"
# A chain of ten intermediates.
by=ca-ec chain=
for n in 1 2 3 4 5 6 7 8 9 10; do
    signed "deep$n" ec "$by" 365 basicConstraints=critical,CA:true
    by=deep$n chain="deep$n.pem $chain"
done
signed server-deep ec "$by" 365 "$names" "$server"
cat $chain >>server-deep.pem
for c in ca-ec ca-rsa ca-other ca-384 client-ec client-rsa; do
    openssl x509 -in $c.pem -outform der -out $c.der
    openssl pkey -in $c.key -outform der -out $c.key.der
done
openssl pkcs8 -topk8 -in client-ec.key -passout pass:secret \
    -out client-locked.key
cat ca-other.pem ca-ec.pem ca-rsa.pem >bundle.pem
cat ca-other.der ca-ec.der ca-rsa.der >bundle.der
} >pki.log 2>&1 || { cat pki.log >&2; exit 1; }
date +%s >made
