#!/bin/bash
# Our gateway over a volume of stock daemons, found by glusterd: the tests that our own bricks pass, once more.
set -e
here=$(dirname "$0")
export BRICKS_BY=glusterd NAMES=20000
for name in rfc1813 listing brick_killed; do
    bash "$here/$name.sh"
done
