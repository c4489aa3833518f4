#!/bin/bash
# A Linux NFS client at work on our gateway over a volume of stock daemons.
BRICKS_BY=glusterd exec bash "$(dirname "$0")/client_work.sh"
