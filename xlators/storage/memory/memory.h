/* xlators/storage/memory/memory.h: disks in memory that outlive the translator using them, and what a test may do to them.
 *
 * A disk keeps an ordered journal of its unforced changes of names and attributes, and for each file its unsynced writes. A crash lets a
 * seeded prefix of each survive and undoes the rest; fsync, O_DSYNC writes and durable calls force. After memory_disk_crash() or
 * memory_disk_kill() a translator that used the disk before gets -EIO from it: a dead process changes nothing any more. One thread only.
 * Out of memory aborts: this is for tests and for the simulator. */
#ifndef XLATORS_STORAGE_MEMORY_H
#define XLATORS_STORAGE_MEMORY_H

#include <stdint.h>

struct memory_disk;

/* @limit: bytes of data, 0 for 1 GiB. The translator finds it by its option "disk". */
struct memory_disk *memory_disk_new(const char *name, uint64_t seed, uint64_t limit);
void memory_disk_free(struct memory_disk *disk);		/* no translator may use it any more; accepts NULL */
struct memory_disk *memory_disk_find(const char *name);	/* NULL when there is none */
void memory_disk_crash(struct memory_disk *disk);		/* power cut */
void memory_disk_kill(struct memory_disk *disk);		/* the process using it died; the disk keeps everything */
/* Calls wait in it, before or after their effect, until it runs again: changes and syncs, or all of them. */
enum memory_hang { DISK_RUNS, DISK_FROZEN, DISK_DEAD };
void memory_disk_hang(struct memory_disk *disk, enum memory_hang hang);
uint64_t memory_disk_unforced(const struct memory_disk *disk);	/* changes a crash could undo */

#endif
