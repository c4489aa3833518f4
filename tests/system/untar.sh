#!/bin/bash
# A real Linux client untars a source tree of 5,000 files, works in it as people do, and a second client sees the same.
. "$(dirname "$0")/lib.sh"

start_volume 2 2
say "making a source tree"
python3 - "$T/tree" <<'PY'
import os, random, sys
random.seed(7)
top = sys.argv[1]
for d in range(100):
    path = os.path.join(top, "part%d" % (d % 10), "dir%d" % d)
    os.makedirs(path)
    for f in range(50):
        with open(os.path.join(path, "file%d.c" % f), "wb") as out:
            out.write(b"/* %d %d */\n" % (d, f) + random.randbytes(random.choice((0, 10, 700, 5000, 20000))))
    os.symlink("file0.c", os.path.join(path, "link"))
    os.link(os.path.join(path, "file1.c"), os.path.join(path, "hard"))
    os.chmod(os.path.join(path, "file2.c"), 0o755)
PY
tar -C "$T" -cf "$T/tree.tar" tree

in_guest 1 900 "
set -e
tar xf $T/tree.tar
diff -r --no-dereference tree $T/tree
[ \$(find tree -type f | wc -l) = 5100 ]
[ \$(stat -c %h tree/part0/dir0/file1.c) = 2 ]
[ \$(stat -c %i tree/part0/dir0/file1.c) = \$(stat -c %i tree/part0/dir0/hard) ]
[ \$(readlink tree/part3/dir3/link) = file0.c ]
[ \$(stat -c %a tree/part0/dir0/file2.c) = 755 ]
"
say "the first client's copy is whole"
in_guest 2 600 "
set -e
diff -r --no-dereference tree $T/tree
rm -rf tree
[ -z \"\$(ls -A)\" ]
"
say "and so is what the second one sees"
for b in "${BRICKS[@]}"; do
    [ -z "$(find "$b" -path "$b/.glusterfs" -prune -o -mindepth 1 -print)" ] || fail "$b holds what was removed"
done
