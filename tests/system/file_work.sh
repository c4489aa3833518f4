# tests/system/file_work.sh: what people do with files, on any mounted file system. Source it after lib.sh.

exercise() {	# exercise DIR: what people do in a directory
    local d=$1
    mkdir "$d"
    cp -r "$TOP/runtime" "$d/tree"
    diff -r "$TOP/runtime" "$d/tree"
    echo one >"$d/a"
    mv "$d/a" "$d/b"
    ln "$d/b" "$d/c"
    [ "$(stat -c %h "$d/b")" = 2 ]
    ln -s b "$d/l"
    [ "$(readlink "$d/l")" = b ] && [ "$(cat "$d/l")" = one ]
    chmod 600 "$d/b"
    chown 5:6 "$d/b"
    [ "$(stat -c %a:%u:%g "$d/b")" = 600:5:6 ]
    touch -d @1000000000 "$d/b"
    [ "$(stat -c %Y "$d/b")" = 1000000000 ]
    setfattr -n user.k -v value "$d/b"
    [ "$(getfattr --only-values -n user.k "$d/b")" = value ]
    setfattr -x user.k "$d/b"
    truncate -s 100000 "$d/b"
    [ "$(stat -c %s "$d/b")" = 100000 ]
    head -c 3000000 /dev/urandom >"$T/random"
    cp "$T/random" "$d/random"
    cmp "$T/random" "$d/random"
    mkfifo "$d/fifo"
    mkdir -p "$d/x/y/z"
    mv "$d/x/y" "$d/y"
    for i in $(seq 1 200); do : >"$d/y/$i"; done
    [ "$(ls "$d/y" | wc -l)" = 201 ]
    flock -n "$d/b" true
    exec 9<>"$d/open"
    rm "$d/open"
    echo still >&9
    exec 9>&-
    rm -r "$d/y" "$d/x"
    [ ! -e "$d/y" ]
}

# locks_and_attributes DIR: locks between processes, extended attributes, access control lists.
locks_and_attributes() {
    local d=$1
    mkdir "$d"
    : >"$d/f"
    python3 - "$d/f" <<'END'
import fcntl, os, sys
a = open(sys.argv[1], "r+")
fcntl.lockf(a, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
pid = os.fork()
if pid == 0:
    b = open(sys.argv[1], "r+")
    try:
        fcntl.lockf(b, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 5)
        os._exit(1)                             # must be refused
    except BlockingIOError:
        fcntl.lockf(b, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 10)
        os._exit(0)
assert os.waitpid(pid, 0)[1] == 0, "a lock was not kept"
fcntl.lockf(a, fcntl.LOCK_UN)
END
    setfattr -n user.one -v 1 "$d/f"
    setfattr -n user.two -v "$(printf 'x%.0s' $(seq 1 2000))" "$d/f"
    [ "$(getfattr -d "$d/f" 2>/dev/null | grep -c '^user\.')" = 2 ]
    setfattr -x user.one "$d/f"
    setfacl -m u:12345:rwx,g:54321:r "$d/f"
    getfacl -p "$d/f" | grep -q 'user:12345:rwx'
    setfacl -d -m u:12345:rx "$d"
    : >"$d/inherits"
    getfacl -p "$d/inherits" | grep -q 'user:12345:r-x'
    setfacl -b "$d/f"
    ! getfacl -p "$d/f" | grep -q 12345
}
