# tests/system/change_tree.sh before|after|check DIR: a tree, and everything that can happen to it while one of its copies is away; check says whether it did.
set -e
mkdir -p "$2"
cd "$2"
case $1 in
before)
    mkdir gone kept moved old del
    echo old >kept/overwritten; head -c 3000000 /dev/zero | tr '\0' x >kept/large; echo a >kept/renamed; echo x >gone/file
    echo h >kept/hard; ln kept/hard moved/hard2; ln -s target kept/sym; echo c >kept/attr; setfattr -n user.old -v 1 kept/attr
    mkdir -p moved/tree/deep; echo deep >moved/tree/deep/file; mkdir old/sub; echo 1 >old/sub/f; echo 2 >del/f; echo trunc >kept/trunc
    head -c 2000000 /dev/urandom >kept/shrink; mkdir -p kept/acl; setfacl -m u:5:rw kept/attr ;;
after)
    echo new >kept/overwritten; printf changed | dd of=kept/large bs=1 seek=1000000 conv=notrunc status=none
    mv kept/renamed moved/renamed; rm -r gone; mkdir fresh; for i in $(seq 40); do echo "$i" >"fresh/f$i"; done
    ln kept/hard kept/hard3; rm moved/hard2; ln -s other fresh/sym; mkfifo fresh/fifo; mknod fresh/null c 1 3; mknod fresh/disk b 300 70000
    chmod 2640 kept/attr; chown 5:6 kept/attr; setfattr -n user.new -v 2 kept/attr; setfattr -x user.old kept/attr; setfacl -m u:7:rwx kept/attr
    mv moved/tree fresh/tree; rm -r old; echo "a file now" >old; rm -r del; mkdir -p del/again; : >kept/trunc; truncate -s 3000000 kept/trunc
    echo end >>kept/trunc; truncate -s 1000 kept/shrink; touch -d '2001-02-03 04:05:06.789' kept/attr moved; rm kept/sym; ln -s target2 kept/sym
    mkdir fresh/dir; chmod 1777 fresh/dir; setfattr -n user.dir -v v fresh; setfacl -d -m u:8:rwx fresh; echo a >fresh/dir/inherits
    truncate -s 100M fresh/sparse; echo end >>fresh/sparse; echo long >"$(printf '%0250d' 7)" ;;
check)
    [ "$(cat kept/overwritten)" = new ] && [ "$(tail -c +1000001 kept/large | head -c 7)" = changed ] && [ "$(stat -c %s kept/large)" = 3000000 ]
    [ "$(cat moved/renamed)" = a ] && ! [ -e kept/renamed ] && ! [ -e gone ] && [ "$(cat fresh/f40)" = 40 ] && [ "$(ls fresh | wc -l)" = 47 ]
    [ "$(stat -c %h kept/hard)" = 2 ] && ! [ -e moved/hard2 ] && [ "$(readlink fresh/sym)" = other ] && [ -p fresh/fifo ]
    [ "$(stat -c %t:%T fresh/null)" = 1:3 ] && [ "$(stat -c %t:%T fresh/disk)" = 12c:11170 ]
    [ "$(stat -c %u:%g kept/attr)" = 5:6 ] && [ "$(getfattr --only-values -n user.new kept/attr)" = 2 ]
    ! getfattr -n user.old kept/attr 2>/dev/null && getfacl -cn kept/attr | grep -q user:7:rwx
    [ "$(cat fresh/tree/deep/file)" = deep ] && [ "$(cat old)" = "a file now" ] && [ -d del/again ] && ! [ -e del/f ]
    [ "$(stat -c %s kept/trunc)" = 3000004 ] && [ "$(tail -c 4 kept/trunc)" = end ] && [ "$(stat -c %s kept/shrink)" = 1000 ]
    [ "$(stat -c %Y kept/attr)" = "$(date -d '2001-02-03 04:05:06' +%s)" ] && [ "$(readlink kept/sym)" = target2 ]
    [ "$(stat -c %a fresh/dir)" = 1777 ] && [ "$(getfattr --only-values -n user.dir fresh)" = v ]
    getfacl -cdn fresh | grep -q user:8:rwx
    [ "$(stat -c %s fresh/sparse)" = 104857604 ] && [ "$(cat "$(printf '%0250d' 7)")" = long ] ;;
esac
