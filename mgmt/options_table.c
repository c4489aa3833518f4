/* mgmt/options_table.c: every option of a volume, once, in order of names.
 *
 * Where a row names a translator and no row of its own, the translator's own says type, range, default and help. A row of its own has what no
 * translator of ours has (stock clients, exports, the manager), or narrows what ours takes as any text. */
#include <string.h>

#include "mgmt/option_checks.h"
#include "mgmt/options.h"

#define AFR "cluster/replicate"
#define DHT "cluster/distribute"
#define CLIENT "protocol/client"
#define POSIX "storage/posix"
#define LOCKS "features/locks"
#define UPCALL "features/upcall"
#define WB "performance/write-behind"
#define QR "performance/quick-read"
#define IOC "performance/io-cache"
#define RA "performance/read-ahead"
#define RDA "performance/readdir-ahead"
#define OB "performance/open-behind"
#define NLC "performance/nl-cache"
#define MDC "performance/md-cache"
#define IOT "performance/io-threads"

#define OWN(...) (&(const struct option){ __VA_ARGS__ })
#define ONOFF(d, h) OWN("", OPT_T_BOOL, 0, d, 0, 1, OPT_LIVE, h, NULL)
#define SWITCH(d, h) OWN("", OPT_T_BOOL, 0, d, 0, 1, 0, h, NULL)		/* the daemons concerned start anew */
#define COUNT(d, lo, hi, h) OWN("", OPT_T_INT, 0, d, lo, hi, OPT_LIVE, h, NULL)
#define BYTES(d, lo, hi, h) OWN("", OPT_T_SIZE, 0, d, lo, hi, OPT_LIVE, h, NULL)
#define SECONDS(d, lo, hi, h) OWN("", OPT_T_TIME_MS, 0, d, (lo) * 1000ll, (hi) * 1000ll, OPT_LIVE, h, NULL)
#define TEXT(d, fl, h) OWN("", OPT_T_STR, 0, d, 0, 0, fl, h, NULL)
#define WORDS(d, words, fl, h) OWN("", OPT_T_ENUM, 0, d, 0, 0, fl, h, words)
#define STOCK "stock clients only: "
#define HEAL "stock self-heal daemons only: "

static const char *const favorite_words[] = { "none", "size", "ctime", "mtime", "majority", NULL };
static const char *const data_heal_words[] = { "off", "on", "open", "no", "yes", "false", "true", "disable", "enable", NULL };
static const char *const algorithm_words[] = { "diff", "full", "reset", NULL };
static const char *const locking_words[] = { "full", "granular", NULL };
static const char *const lookup_words[] = { "on", "off", "auto", "yes", "no", "true", "false", "enable", "disable", NULL };
static const char *const log_words[] = { "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", NULL };
static const char *const stock_log_words[] = { "TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NONE", NULL };
static const char *const access_words[] = { "read-write", "read-only", NULL };
static const char *const family_words[] = { "inet", "inet6", NULL };

const struct volume_option_row volume_option_rows[] = {
	{ "auth.allow", PLACE_MANAGER,
	  .row = TEXT("none", OPT_LIVE, "addresses that may use the bricks as root: patterns and networks with commas between, * for "
		      "all, or none; daemons of the cluster log in and need not be among them; stock clients on other hosts do"),
	  .check = check_address_list },
	{ "auth.reject", PLACE_MANAGER,
	  .row = TEXT("none", OPT_LIVE, "addresses that may not, whatever auth.allow says"), .check = check_address_list },
	{ "auth.ssl-allow", PLACE_MANAGER,
	  .row = TEXT(NULL, OPT_LIVE, "common names of certificates that may use the bricks, with commas between, or *") },
	{ "client.event-threads", PLACE_STOCK, CLIENT, "event-threads", COUNT("2", 1, 32, STOCK "threads for the network") },
	{ "client.keepalive-count", PLACE_STOCK, CLIENT, "transport.socket.keepalive-count",
	  COUNT("9", 0, 255, STOCK "probes without an answer before a connection counts as dead") },
	{ "client.keepalive-interval", PLACE_STOCK, CLIENT, "transport.socket.keepalive-interval",
	  SECONDS("2", 0, 32767, STOCK "time between two such probes") },
	{ "client.keepalive-time", PLACE_STOCK, CLIENT, "transport.socket.keepalive-time",
	  SECONDS("20", 0, 32767, STOCK "how long a connection may be idle before it is probed") },
	{ "client.send-gids", PLACE_CLIENT, CLIENT, "send-gids" },
	{ "client.ssl", PLACE_MANAGER, .row = SWITCH("off", "gateways and clients reach the bricks under TLS") },
	{ "client.strict-locks", PLACE_STOCK, CLIENT, "strict-locks",
	  ONOFF("off", STOCK "files with locks are not opened anew after a connection was lost") },
	{ "client.tcp-user-timeout", PLACE_STOCK, CLIENT, "transport.tcp-user-timeout",
	  SECONDS("0", 0, 1013, STOCK "how long sent data may stay unacknowledged; 0: as the kernel has it") },
	{ "cluster.background-self-heal-count", PLACE_CLIENT, AFR, "background-self-heal-count" },
	{ "cluster.choose-local", PLACE_CLIENT, AFR, "choose-local" },
	{ "cluster.consistent-metadata", PLACE_CLIENT, AFR, "consistent-metadata" },
	{ "cluster.data-change-log", PLACE_CLIENT, AFR, "data-change-log" },
	{ "cluster.data-self-heal", PLACE_CLIENT, AFR, "data-self-heal",
	  WORDS("off", data_heal_words, 0, "accepted; clients do not heal data on access") },
	{ "cluster.data-self-heal-algorithm", PLACE_CLIENT, AFR, "data-self-heal-algorithm",
	  WORDS(NULL, algorithm_words, 0, STOCK "healing copies the whole file, or the blocks that differ") },
	{ "cluster.eager-lock", PLACE_CLIENT, AFR, "eager-lock" },
	{ "cluster.ensure-durability", PLACE_CLIENT, AFR, "ensure-durability" },
	{ "cluster.entry-change-log", PLACE_CLIENT, AFR, "entry-change-log" },
	{ "cluster.entry-self-heal", PLACE_CLIENT, AFR, "entry-self-heal" },
	{ "cluster.extra-hash-regex", PLACE_CLIENT, DHT, "extra-hash-regex", .check = check_regex },
	{ "cluster.favorite-child-policy", PLACE_CLIENT, AFR, "favorite-child-policy",
	  WORDS("none", favorite_words, 0, "which copy wins when copies blame each other; stock clients and daemons heal, gateways do not") },
	{ "cluster.force-migration", PLACE_CLIENT, DHT, "force-migration" },
	{ "cluster.full-lock", PLACE_CLIENT, AFR, "full-lock" },
	{ "cluster.granular-entry-heal", PLACE_CLIENT, AFR, "granular-entry-heal", .always = true },
	{ "cluster.heal-timeout", PLACE_HEAL, AFR, "heal-timeout", SECONDS("600", 5, 2147483, HEAL "how often the indices are searched") },
	{ "cluster.layout-timeout", PLACE_GATEWAY, DHT, "layout-timeout" },
	{ "cluster.lock-migration", PLACE_CLIENT, DHT, "lock-migration" },
	{ "cluster.locking-scheme", PLACE_STOCK, AFR, "locking-scheme", WORDS("full", locking_words, 0, STOCK "how healing locks a file") },
	{ "cluster.lookup-optimize", PLACE_CLIENT, DHT, "lookup-optimize" },
	{ "cluster.lookup-unhashed", PLACE_STOCK, DHT, "lookup-unhashed",
	  WORDS("on", lookup_words, 0, STOCK "names that are not where their hash says are looked for everywhere") },
	{ "cluster.metadata-change-log", PLACE_CLIENT, AFR, "metadata-change-log" },
	{ "cluster.metadata-self-heal", PLACE_CLIENT, AFR, "metadata-self-heal" },
	{ "cluster.min-free-disk", PLACE_CLIENT, DHT, "min-free-disk", .check = check_least },
	{ "cluster.min-free-inodes", PLACE_CLIENT, DHT, "min-free-inodes", .check = check_least },
	{ "cluster.optimistic-change-log", PLACE_CLIENT, AFR, "optimistic-change-log" },
	{ "cluster.post-op-delay-secs", PLACE_CLIENT, AFR, "post-op-delay-secs" },
	{ "cluster.quorum-count", PLACE_CLIENT, AFR, "quorum-count" },
	{ "cluster.quorum-reads", PLACE_CLIENT, AFR, "quorum-reads" },
	{ "cluster.quorum-type", PLACE_CLIENT, AFR, "quorum-type", .dflt = "auto", .always = true },
	{ "cluster.randomize-hash-range-by-gfid", PLACE_CLIENT, DHT, "randomize-hash-range-by-gfid" },
	{ "cluster.read-hash-mode", PLACE_CLIENT, AFR, "read-hash-mode" },
	{ "cluster.read-subvolume", PLACE_CLIENT,
	  .row = TEXT(NULL, 0, "the brick to read from while it may be read, as VOLUME-client-NUMBER; its set alone heeds it"),
	  .check = check_client_translator },
	{ "cluster.read-subvolume-index", PLACE_CLIENT, AFR, "read-subvolume-index" },
	{ "cluster.readdir-optimize", PLACE_CLIENT, DHT, "readdir-optimize" },
	{ "cluster.readdir-partial", PLACE_GATEWAY, DHT, "readdir-partial" },
	{ "cluster.rsync-hash-regex", PLACE_CLIENT, DHT, "rsync-hash-regex", .check = check_regex },
	{ "cluster.self-heal-daemon", PLACE_HEAL, AFR, "self-heal-daemon",
	  ONOFF("on", HEAL "copies that missed changes are healed by themselves") },
	{ "cluster.self-heal-window-size", PLACE_STOCK, AFR, "data-self-heal-window-size",
	  COUNT("8", 1, 1024, STOCK "how many blocks of 128 KiB of a file are healed at once") },
	{ "cluster.shd-max-threads", PLACE_HEAL, AFR, "shd-max-threads", COUNT("1", 1, 64, HEAL "heals at once for each brick") },
	{ "cluster.shd-wait-qlength", PLACE_HEAL, AFR, "shd-wait-qlength", COUNT("1024", 1, 655536, HEAL "heals that wait for each brick") },
	{ "cluster.slow-copy-timeout", PLACE_GATEWAY, AFR, "slow-copy-timeout" },
	{ "cluster.stale-reads", PLACE_GATEWAY, AFR, "stale-reads" },
	{ "cluster.use-anonymous-inode", PLACE_CLIENT, AFR, "use-anonymous-inode", .always = true },
	{ "cluster.use-compound-fops", PLACE_CLIENT, AFR, "use-compound-fops" },
	{ "cluster.weighted-rebalance", PLACE_CLIENT, DHT, "weighted-rebalance" },
	{ "ctime.noatime", PLACE_CLIENT, "features/utime", "noatime", .always = true },
	{ "diagnostics.brick-log-level", PLACE_MANAGER, .row = WORDS("NOTICE", log_words, 0, "how much bricks write into their logs") },
	{ "diagnostics.client-log-level", PLACE_STOCK, "debug/io-stats", "log-level",
	  WORDS("INFO", stock_log_words, 0, STOCK "how much they write into their logs"), .always = true },
	{ "features.cache-invalidation", PLACE_BRICK, UPCALL, "cache-invalidation" },
	{ "features.cache-invalidation-lease", PLACE_BRICK, UPCALL, "lease" },
	{ "features.cache-invalidation-max-holders", PLACE_BRICK, UPCALL, "max-holders" },
	{ "features.cache-invalidation-timeout", PLACE_BRICK, UPCALL, "cache-invalidation-timeout" },
	{ "features.ctime", PLACE_MANAGER,
	  .row = ONOFF("on", "the times of files are the clients' and the same on all bricks; always so here"), .check = check_on },
	{ "features.locks-max", PLACE_BRICK, LOCKS, "max-locks" },
	{ "features.locks-max-per-client", PLACE_BRICK, LOCKS, "max-locks-per-client" },
	{ "features.locks-max-per-inode", PLACE_BRICK, LOCKS, "max-locks-per-inode" },
	{ "features.locks-notify-contention", PLACE_BRICK, LOCKS, "notify-contention" },
	{ "features.locks-notify-contention-delay", PLACE_BRICK, LOCKS, "notify-contention-delay" },
	{ "features.selinux", PLACE_BRICK, "features/selinux", "selinux" },
	{ "network.frame-timeout", PLACE_CLIENT, CLIENT, "frame-timeout" },
	{ "network.inode-lru-limit", PLACE_BRICK, POSIX, "max-idle-nodes" },
	{ "network.ping-timeout", PLACE_CLIENT, CLIENT, "ping-timeout" },
	{ "network.remote-dio", PLACE_STOCK, CLIENT, "filter-O_DIRECT",
	  ONOFF("off", STOCK "O_DIRECT stays on the client; bricks use their cache") },
	{ "network.tcp-window-size", PLACE_STOCK, CLIENT, "tcp-window-size", BYTES("1MB", 0, 1ll << 30, STOCK "buffers of the sockets") },
	{ "nfs.addr-namelookup", PLACE_EXPORTS,
	  .row = ONOFF("on", "accepted; a name is looked up only where exports have patterns of names, and never while a call waits") },
	{ "nfs.all-squash", PLACE_EXPORTS, .row = ONOFF("off", "everybody becomes the anonymous user") },
	{ "nfs.anongid", PLACE_EXPORTS, .row = COUNT("65534", 0, UINT32_MAX, "the group of who is squashed") },
	{ "nfs.anonuid", PLACE_EXPORTS, .row = COUNT("65534", 0, UINT32_MAX, "the user that who is squashed becomes") },
	{ "nfs.disable", PLACE_EXPORTS, .row = ONOFF("off", "no gateway serves the volume") },
	{ "nfs.enable-ino32", PLACE_EXPORTS, .row = ONOFF("off", "inode numbers fit into 32 bits, for applications that need that") },
	{ "nfs.export-dir", PLACE_EXPORTS,
	  .row = TEXT(NULL, OPT_LIVE, "directories exported on their own: /DIR(CLIENT|CLIENT),/DIR; without clients, for those of "
		      "nfs.rpc-auth-allow"),
	  .check = check_export_dir },
	{ "nfs.export-dirs", PLACE_EXPORTS,
	  .row = ONOFF("on", "nfs.export-dir is heeded. Who may mount the volume may mount each directory of it in any case") },
	{ "nfs.export-volumes", PLACE_EXPORTS, .row = ONOFF("on", "the volume as a whole is exported; off: only what nfs.export-dir names") },
	{ "nfs.exports", PLACE_EXPORTS,
	  .row = TEXT(NULL, OPT_LIVE, "clients and options of the volume's export as in exports(5), such as \"192.0.2.0/24(rw) *(ro)\"; "
		      "replaces what nfs.rpc-auth-allow, nfs.rpc-auth-reject and the options about access and squashing say"),
	  .check = check_exports },
	{ "nfs.ports-insecure", PLACE_EXPORTS, .row = ONOFF("off", "clients may come from ports of 1024 and above") },
	{ "nfs.root-squash", PLACE_EXPORTS, .row = ONOFF("on", "root becomes the anonymous user") },
	{ "nfs.rpc-auth-allow", PLACE_EXPORTS,
	  .row = TEXT("all", OPT_LIVE, "who may mount: addresses, networks, host names and patterns of them with commas between, all, or none"),
	  .check = check_client_list },
	{ "nfs.rpc-auth-reject", PLACE_EXPORTS, .row = TEXT("none", OPT_LIVE, "who may not, whatever nfs.rpc-auth-allow says"),
	  .check = check_client_list },
	{ "nfs.trusted-sync", PLACE_EXPORTS,
	  .row = ONOFF("off", "changes are answered before they are on stable storage: a power cut can undo what clients saw done") },
	{ "nfs.volume-access", PLACE_EXPORTS, .row = WORDS("read-write", access_words, OPT_LIVE, "whether clients may change anything") },
	{ "performance.aggregate-size", PLACE_STOCK, WB, "aggregate-size",
	  BYTES("128KB", 1024, 1 << 27, STOCK "small writes are gathered up to this") },
	{ "performance.cache-invalidation", PLACE_STOCK,
	  .row = ONOFF("off", STOCK "attributes they keep are dropped when bricks tell of a change; extended attributes are then not kept") },
	{ "performance.cache-max-file-size", PLACE_STOCK, IOC, "max-file-size",
	  BYTES("0", 0, 1ll << 62, STOCK "io-cache: larger files are not kept") },
	{ "performance.cache-min-file-size", PLACE_STOCK, IOC, "min-file-size",
	  BYTES("0", 0, 1ll << 62, STOCK "io-cache: smaller files are not kept") },
	{ "performance.cache-refresh-timeout", PLACE_STOCK, IOC, "cache-timeout",
	  SECONDS("1", 0, 60, STOCK "io-cache: how long pages are kept unasked") },
	{ "performance.cache-size", PLACE_STOCK,
	  .row = BYTES(NULL, 4 << 20, 32ll << 30, STOCK "memory of io-cache, and of quick-read, where they have no option of their own") },
	{ "performance.client-io-threads", PLACE_STOCK, IOT, .row = ONOFF("off", STOCK "calls are handled by several threads") },
	{ "performance.flush-behind", PLACE_STOCK, WB, "flush-behind", ONOFF("on", STOCK "write-behind: a close does not wait for the writes") },
	{ "performance.high-prio-threads", PLACE_STOCK, IOT, "high-prio-threads",
	  COUNT("16", 1, 64, STOCK "client-io-threads: for calls of high priority") },
	{ "performance.io-cache", PLACE_STOCK, IOC, .row = ONOFF("off", STOCK "file contents are kept in memory") },
	{ "performance.io-cache-size", PLACE_STOCK, IOC, "cache-size", BYTES("32MB", 4 << 20, 32ll << 30, STOCK "io-cache: its memory") },
	{ "performance.io-thread-count", PLACE_STOCK, IOT, "thread-count",
	  COUNT("16", 1, 64, STOCK "client-io-threads: how many. Our bricks: --helpers") },
	{ "performance.lazy-open", PLACE_STOCK, OB, "lazy-open", ONOFF("on", STOCK "open-behind: files are opened on bricks when need be") },
	{ "performance.least-prio-threads", PLACE_STOCK, IOT, "least-prio-threads",
	  COUNT("1", 1, 64, STOCK "client-io-threads: for calls of the least priority") },
	{ "performance.low-prio-threads", PLACE_STOCK, IOT, "low-prio-threads",
	  COUNT("16", 1, 64, STOCK "client-io-threads: for calls of low priority") },
	{ "performance.md-cache-timeout", PLACE_STOCK, MDC, "md-cache-timeout",
	  SECONDS("1", 0, 600, STOCK "stat-prefetch: how long attributes are kept. Gateways go by the promises of bricks") },
	{ "performance.nl-cache", PLACE_STOCK, NLC, .row = ONOFF("off", STOCK "names that do not exist are remembered") },
	{ "performance.nl-cache-limit", PLACE_STOCK, NLC, "nl-cache-limit", BYTES("10MB", 0, 1 << 30, STOCK "nl-cache: its memory") },
	{ "performance.nl-cache-timeout", PLACE_STOCK, NLC, "nl-cache-timeout", SECONDS("60", 0, 600, STOCK "nl-cache: for how long") },
	{ "performance.normal-prio-threads", PLACE_STOCK, IOT, "normal-prio-threads",
	  COUNT("16", 1, 64, STOCK "client-io-threads: for calls of normal priority") },
	{ "performance.open-behind", PLACE_STOCK, OB, .row = ONOFF("on", STOCK "an open is answered before the bricks have it") },
	{ "performance.quick-read", PLACE_STOCK, QR, .row = ONOFF("on", STOCK "small files are read along with their lookup") },
	{ "performance.quick-read-cache-size", PLACE_STOCK, QR, "cache-size", BYTES("128MB", 0, 32ll << 30, STOCK "quick-read: its memory") },
	{ "performance.quick-read-cache-timeout", PLACE_STOCK, QR, "cache-timeout", SECONDS("1", 1, 600, STOCK "quick-read: for how long") },
	{ "performance.rda-cache-limit", PLACE_STOCK, RDA, "rda-cache-limit", BYTES("10MB", 0, 1ll << 40, STOCK "readdir-ahead: its memory") },
	{ "performance.rda-request-size", PLACE_STOCK, RDA, "rda-request-size",
	  BYTES("131072", 4096, 131072, STOCK "readdir-ahead: how much is asked for at once") },
	{ "performance.read-after-open", PLACE_STOCK, OB, "read-after-open", ONOFF("on", STOCK "open-behind: a read waits for the open") },
	{ "performance.read-ahead", PLACE_STOCK, RA, .row = ONOFF("off", STOCK "files are read ahead") },
	{ "performance.read-ahead-page-count", PLACE_STOCK, RA, "page-count", COUNT("4", 1, 16, STOCK "read-ahead: how many pages") },
	{ "performance.readdir-ahead", PLACE_STOCK, RDA, .row = ONOFF("off", STOCK "directories are read ahead") },
	{ "performance.resync-failed-syncs-after-fsync", PLACE_STOCK, WB, "resync-failed-syncs-after-fsync",
	  ONOFF("off", STOCK "write-behind: writes that failed before an fsync are tried again after it") },
	{ "performance.stat-prefetch", PLACE_STOCK, MDC, .row = ONOFF("on", STOCK "attributes are kept in memory") },
	{ "performance.strict-o-direct", PLACE_STOCK, WB, "strict-O_DIRECT",
	  ONOFF("off", STOCK "write-behind: writes with O_DIRECT pass it by") },
	{ "performance.strict-write-ordering", PLACE_STOCK, WB, "strict-write-ordering",
	  ONOFF("off", STOCK "write-behind: writes never overtake each other") },
	{ "performance.write-behind", PLACE_STOCK, WB, .row = ONOFF("on", STOCK "a write is answered before the bricks have it") },
	{ "performance.write-behind-window-size", PLACE_STOCK, WB, "cache-size",
	  BYTES("1MB", 512 << 10, 1 << 30, STOCK "write-behind: how much may be under way for a file") },
	{ "server.ssl", PLACE_MANAGER, .row = SWITCH("off", "bricks take connections under TLS only") },
	{ "ssl.ca-list", PLACE_MANAGER, .row = TEXT(NULL, 0, "file of the authorities whose certificates count, in PEM"), .check = check_path },
	{ "ssl.certificate-depth", PLACE_MANAGER,
	  .row = OWN("", OPT_T_INT, 0, "1", 0, 100, 0, "how many certificates may lie between an authority and a peer", NULL) },
	{ "ssl.cipher-list", PLACE_MANAGER, .row = TEXT(NULL, 0, "ciphers of TLS 1.2, as ciphers(1) writes them") },
	{ "ssl.own-cert", PLACE_MANAGER,
	  .row = TEXT(NULL, 0, "file of the certificate of gateway, brick or client, in PEM"), .check = check_path },
	{ "ssl.private-key", PLACE_MANAGER, .row = TEXT(NULL, 0, "file of its private key, in PEM"), .check = check_path },
	{ "storage.build-pgfid", PLACE_BRICK, POSIX, "update-link-count-parent" },
	{ "storage.fips-mode-rchecksum", PLACE_BRICK, POSIX, "fips-mode-rchecksum" },
	{ "storage.gfid2path", PLACE_BRICK, POSIX, "gfid2path" },
	{ "storage.health-check-interval", PLACE_BRICK, POSIX, "health-check-interval" },
	{ "storage.health-check-timeout", PLACE_BRICK, POSIX, "health-check-timeout" },
	{ "storage.owner-gid", PLACE_BRICK, POSIX, "brick-gid" },
	{ "storage.owner-uid", PLACE_BRICK, POSIX, "brick-uid" },
	{ "storage.reserve", PLACE_BRICK, POSIX, "reserve" },
	{ "transport.address-family", PLACE_STOCK, CLIENT, "transport.address-family",
	  WORDS(NULL, family_words, 0, STOCK "addresses of hosts to use; both when it is not set") },
	{ NULL }
};

/* GlusterFS's options that cannot be had, and why; a star at the end stands for any ending. The first that matches says it. */
static const struct { const char *name, *why; } refused[] = {
	{ "cluster.server-quorum-*", "managers need no quorum of their own; cluster.quorum-type guards the data" },
	{ "cluster.brick-multiplex", "each brick has a process of its own" },
	{ "cluster.max-bricks-per-process", "each brick has a process of its own" },
	{ "cluster.rebal*", "volumes are not rebalanced yet" },
	{ "cluster.halo-*", "copies are always written together" },
	{ "cluster.subvols-per-directory", "a directory is always spread over all subvolumes" },
	{ "changelog.*", "bricks keep no journal of changes" },
	{ "config.*", "the daemons find their number of threads by themselves" },
	{ "debug.*", "a daemon's debug translators stand in volfiles written by hand" },
	{ "disperse.*", "there are no dispersed volumes" },
	{ "features.barrier*", "there are no snapshots of volumes" },
	{ "features.bitrot", "bricks keep no checksums of files at rest" },
	{ "features.inode-quota", "there are no quotas; those of the bricks' file systems count" },
	{ "features.quota*", "there are no quotas; those of the bricks' file systems count" },
	{ "features.read-only", "bricks always take changes; for NFS clients set nfs.volume-access read-only" },
	{ "features.shard*", "files are never cut into pieces" },
	{ "features.snapshot*", "there are no snapshots of volumes" },
	{ "features.trash*", "what is removed is gone" },
	{ "features.uss", "there are no snapshots of volumes" },
	{ "features.worm*", "files can always be changed" },
	{ "geo-replication.*", "volumes are not replicated to other clusters" },
	{ "network.compression*", "data travels as it is" },
	{ "nfs.acl", "NFS clients see mode bits; the service of ACLs is not there" },
	{ "nfs.auth-*", "who may mount is kept current by itself; see gatehouse-exports(5)" },
	{ "nfs.drc*", "replies are always kept for repeated calls; gatehouse-gateway(8) says how many" },
	{ "nfs.dynamic-volumes", "every export has an identity of its own" },
	{ "nfs.event-threads", "one gateway a host serves all its volumes: it is no option of a volume" },
	{ "nfs.exports-auth-enable", "nfs.exports and nfs.export-dir say who may mount what" },
	{ "nfs.log-level", "one gateway a host serves all its volumes: it is no option of a volume" },
	{ "nfs.mem-factor", "a gateway's memory is bounded by options of its own, see gatehouse-gateway(8)" },
	{ "nfs.mount-rmtab", "a gateway keeps no list of mounts on disk" },
	{ "nfs.mount-udp", "MOUNT is always served over both TCP and UDP" },
	{ "nfs.nlm", "one gateway a host serves all its volumes: it is no option of a volume" },
	{ "nfs.outstanding-rpc-limit", "one gateway a host serves all its volumes: it is no option of a volume" },
	{ "nfs.port", "one gateway a host serves all its volumes, on port 2049" },
	{ "nfs.rdirplus", "READDIRPLUS is always served; clients have the option nordirplus" },
	{ "nfs.read*-size", "a gateway tells its clients what it takes" },
	{ "nfs.register-with-portmap", "one gateway a host serves all its volumes, and registers by itself" },
	{ "nfs.server-aux-gids", "groups are always those that the client sends" },
	{ "nfs.trusted-write", "set nfs.trusted-sync, which says what it costs" },
	{ "performance.nfs.*", "gateways have no such translators; they keep attributes and names by themselves" },
	{ "performance.parallel-readdir", "it is not written for stock clients; performance.readdir-ahead is" },
	{ "server.*-squash", "a gateway squashes, not the bricks: nfs.root-squash, nfs.all-squash" },
	{ "server.anon*", "a gateway squashes, not the bricks: nfs.anonuid, nfs.anongid" },
	{ "server.allow-insecure", "bricks take connections from every port; auth.allow says who may come" },
	{ "server.dynamic-auth", "auth.allow and auth.reject always hold at once" },
	{ "server.event-threads", "a brick has one thread for the network" },
	{ "server.gid-timeout", "groups are always those that the client sends" },
	{ "server.keepalive-*", "bricks keep the kernel's times" },
	{ "server.manage-gids", "groups are always those that the client sends" },
	{ "server.outstanding-rpc-limit", "a brick bounds the calls of a connection by itself" },
	{ "server.own-thread", "a brick has one thread for the network" },
	{ "server.tcp-user-timeout", "bricks keep the kernel's times" },
	{ "ssl.crl-path", "revocation lists are not read" },
	{ "ssl.dh-param", "TLS chooses its groups by itself" },
	{ "ssl.ec-curve", "TLS chooses its groups by itself" },
	{ NULL, NULL }
};

static bool matches(const char *pattern, const char *name)
{
	const char *star = strchr(pattern, '*');
	size_t before = star ? (size_t)(star - pattern) : 0, after = star ? strlen(star + 1) : 0, len = strlen(name);

	if (!star)
		return strcmp(pattern, name) == 0;
	return len >= before + after && memcmp(pattern, name, before) == 0 && strcmp(star + 1, name + len - after) == 0;
}

const char *volume_option_refused(const char *name)
{
	unsigned i;

	for (i = 0; refused[i].name; i++)
		if (matches(refused[i].name, name))
			return refused[i].why;
	return NULL;
}
