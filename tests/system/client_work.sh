#!/bin/bash
# What people do on a mount: build a program, rename, links, special files, sparse files, long names, permissions, a big directory.
. "$(dirname "$0")/lib.sh"

start_volume 2 2
in_guest 1 900 '
set -e
mkdir build && cd build
printf "int answer(void){return 42;}\n" >a.c
printf "int answer(void);int main(void){return answer()-42;}\n" >m.c
printf "m: a.o m.o\n\t\$(CC) -o \$@ \$^\n" >Makefile
make -s && ./m
make -s clean 2>/dev/null || true
cd ..

mkdir d e; echo one >d/x; mv d/x e/y; [ "$(cat e/y)" = one ]
echo two >e/z; mv e/z e/y; [ "$(cat e/y)" = two ]
mv e f; [ "$(cat f/y)" = two ]; mv f d/; [ "$(cat d/f/y)" = two ]
if mv d d/f/ 2>/dev/null; then exit 10; fi
if rmdir d 2>/dev/null; then exit 11; fi
for i in $(seq 40); do echo $i >d/n$i; mv d/n$i d/m$i; done
for i in $(seq 40); do [ "$(cat d/m$i)" = $i ] || exit 12; ! [ -e d/n$i ] || exit 13; done

ln d/m1 d/hard; [ "$(stat -c %h d/m1)" = 2 ]; rm d/m1; [ "$(cat d/hard)" = 1 ]
ln -s /nowhere d/dangling; [ "$(readlink d/dangling)" = /nowhere ]
touch -h -d "2001-02-03 04:05:06" d/dangling; [ "$(stat -c %Y d/dangling)" = "$(date -d "2001-02-03 04:05:06" +%s)" ]
mkfifo d/fifo; mknod d/null c 1 3; [ -p d/fifo ]; [ -c d/null ]; [ "$(stat -c %t:%T d/null)" = 1:3 ]
truncate -s 5G d/sparse; [ "$(stat -c %s d/sparse)" = 5368709120 ]
printf end | dd of=d/sparse bs=1 seek=5368709000 conv=notrunc status=none
[ "$(tail -c +5368709001 d/sparse | head -c 3)" = end ]; [ "$(stat -c %b d/sparse)" -lt 10000 ]
n=$(printf "%0255d" 7); echo long >$n; [ "$(cat $n)" = long ]; rm $n
if touch x$n 2>/dev/null; then exit 14; fi

chmod 600 d/hard; chown 1000:1000 d/hard; [ "$(stat -c %a:%u:%g d/hard)" = 600:1000:1000 ]
touch -d "1999-12-31 23:59:59" d/hard; [ "$(stat -c %Y d/hard)" = "$(date -d "1999-12-31 23:59:59" +%s)" ]
mkdir user && chown 1000:1000 user && chmod 700 user
setpriv --reuid 1000 --regid 1000 --clear-groups sh -e -c "cd user; umask 077; echo secret >s; mkdir t; cat s"
if setpriv --reuid 1001 --regid 1001 --clear-groups cat user/s 2>/dev/null; then exit 15; fi
mkdir src; echo x >src/ro; chmod 444 src/ro; mkdir src/sub; echo y >src/sub/ro; chmod 400 src/sub/ro; chown -R 1000:1000 src
tar cf /tmp/ro.tar src
setpriv --reuid 1000 --regid 1000 --clear-groups sh -e -c "cd user; tar xf /tmp/ro.tar; diff -r src ../src"
[ "$(stat -c %a user/src/ro)" = 444 ]

mkdir big; cd big; seq 10000 | xargs touch; [ "$(ls | wc -l)" = 10000 ]; [ "$(ls -U | sort -u | wc -l)" = 10000 ]
ls -l >/dev/null; cd ..; rm -r big; ! [ -e big ]
dd if=/dev/urandom of=data bs=1M count=64 status=none; cp data copy; sync; cmp data copy
echo 3 >/proc/sys/vm/drop_caches; cmp data copy
df . >/dev/null; df -i . >/dev/null
'
say "one client at work: all as on a local file system"

# Close-to-open: what one client closed, another that opens afterwards sees.
guest 1 '
for i in $(seq 20); do
    echo "from one $i" >ping.new && mv ping.new ping
    for t in $(seq 300); do [ "$(cat pong 2>/dev/null)" = "from two $i" ] && continue 2; sleep 0.1; done
    echo "no answer to $i"; exit 1
done'
guest 2 '
for i in $(seq 20); do
    for t in $(seq 300); do [ "$(cat ping 2>/dev/null)" = "from one $i" ] && break; sleep 0.1; done
    echo "from two $i" >pong.new && mv pong.new pong
done'
guest_wait 1 300
guest_wait 2 300
say "two clients see what the other one closed"
