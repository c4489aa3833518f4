#!/bin/bash
# Sixteen connections make, rename and remove the same three names in live directories, all kinds of objects.
# Each answer must be one that some order of the calls gives: never STALE, IO or SERVERFAULT.
. "$(dirname "$0")/lib.sh"

start_volume 2 1
python3 "$TOP/tests/system/name_races.py" 4
