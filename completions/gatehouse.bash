# bash completion for gatehouse(8): its words, names of volumes and of options. Without a manager: its words, and the options that are known here.

_gatehouse_options="auth.allow auth.reject client.ssl cluster.quorum-count cluster.quorum-type cluster.self-heal-daemon
 diagnostics.brick-log-level network.ping-timeout nfs.disable nfs.all-squash nfs.export-dir nfs.root-squash nfs.rpc-auth-allow
 nfs.rpc-auth-reject nfs.volume-access performance.cache-size performance.md-cache-timeout server.ssl storage.owner-gid storage.owner-uid"

_gatehouse_volumes() { gatehouse --timeout=2 volume list 2>/dev/null; }

_gatehouse_keys() {
    local names
    names=$(gatehouse --timeout=2 --json volume set help 2>/dev/null | sed -n 's/^ *"name": "\([^"]*\)",\{0,1\}$/\1/p')
    echo "${names:-$_gatehouse_options}"
}

_gatehouse_bricks() {
    gatehouse --timeout=2 volume info "$1" 2>/dev/null | sed -n 's/^Brick[0-9]*: \([^ ]*\).*/\1/p'
}

# What may stand after the words $@.
_gatehouse_next() {
    case "$*" in
        '') echo "peer pool volume brick exports config tls version help" ;;
        peer) echo "probe detach status help" ;;
        pool) echo "list help" ;;
        volume) echo "create start stop delete info list status set get reset log help" ;;
        brick) echo "accept help" ;;
        'brick accept') _gatehouse_bricks all ;;
        exports) echo "show test help" ;;
        config) echo "check help" ;;
        tls) echo "init help" ;;
        'exports show'|'volume delete'|'volume start'|'volume stop'|'volume reset'|'volume get'|'volume log') _gatehouse_volumes ;;
        'volume set') _gatehouse_volumes; echo help ;;
        'volume info'|'volume status') echo all; _gatehouse_volumes; [ "$2" = info ] || echo "detail clients" ;;
        'volume start '*' '*|'volume stop '*' '*) ;;
        'volume start '*|'volume stop '*|'peer detach '*) echo force ;;
        'volume status '*' '*) ;;
        'volume status '*) echo "detail clients" ;;
        'volume reset '*' '*) echo force ;;
        'volume reset '*) echo "all force"; _gatehouse_keys ;;
        'volume get '*' '*) ;;
        'volume get '*) echo all; _gatehouse_keys ;;
        'volume set '*) [ $(($# % 2)) = 0 ] || _gatehouse_keys ;;
        'volume log '*' '*) _gatehouse_bricks "$3"; [ "$4" = rotate ] || echo lines ;;
        'volume log '*) echo "show rotate lines"; _gatehouse_bricks "$3" ;;
        'volume create '*' replica '[0-9]*) echo "arbiter transport force" ;;
        'volume create '*) echo "replica transport force" ;;
    esac
}

_gatehouse() {
    local cur=${COMP_WORDS[COMP_CWORD]} next word i
    local -a words=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --socket|--timeout|--mode) i=$((i + 1)); [ "${COMP_WORDS[i]}" != = ] || i=$((i + 1)) ;;
            --*) ;;
            *) words+=("$word") ;;
        esac
    done
    case $cur in
        -*) next="--json --xml --mode=script --socket= --timeout= --no-color --help --version" ;;
        *) next=$(_gatehouse_next "${words[@]}") ;;
    esac
    # Not by compgen -W: it would expand what names say.
    while read -r word; do
        [[ -z $word || $word != "$cur"* ]] || COMPREPLY+=("$word")
    done < <(tr ' ' '\n' <<<"$next")
}

complete -o default -F _gatehouse gatehouse
