/* tests/unit/test_status.c: errno to nfsstat3: disks speak for themselves, what waiting cures is JUKEBOX, nothing unknown is a success. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "gateway/status.h"

static void test_disk_errors_pass(void **state)
{
	assert_int_equal(status_of(-ENOSPC), NFS3ERR_NOSPC);
	assert_int_equal(status_of(-EDQUOT), NFS3ERR_DQUOT);
	assert_int_equal(status_of(-EROFS), NFS3ERR_ROFS);
	assert_int_equal(status_of(-EIO), NFS3ERR_IO);
	assert_int_equal(status_of(-EFBIG), NFS3ERR_FBIG);
	assert_int_equal(status_of(-EMLINK), NFS3ERR_MLINK);
	assert_int_equal(status_of(0), NFS3_OK);
}

static void test_waiting_cures(void **state)
{
	static const int errors[] = { ENOTCONN, ETIMEDOUT, ECANCELED, ECONNRESET, ECONNREFUSED, EAGAIN, EINTR, ENOMEM, EPIPE, EHOSTUNREACH };
	unsigned i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_int_equal(status_of(-errors[i]), NFS3ERR_JUKEBOX);
}

static void test_vanished_is_stale_missing_is_noent(void **state)
{
	assert_int_equal(status_of(-ENOENT), NFS3ERR_NOENT);
	assert_int_equal(status_of_object(-ENOENT), NFS3ERR_STALE);
	assert_int_equal(status_of_object(-ESTALE), NFS3ERR_STALE);
	assert_int_equal(status_of_object(-EACCES), NFS3ERR_ACCES);
}

static void test_unknown_is_never_success(void **state)
{
	int err;

	for (err = 1; err < 4096; err++) {
		assert_int_not_equal(status_of(-err), NFS3_OK);
		assert_int_not_equal(status_of_mount(-err), MNT3_OK);
	}
	assert_int_equal(status_of(-4000), NFS3ERR_SERVERFAULT);
	assert_int_equal(status_of_mount(-EACCES), MNT3ERR_ACCES);
	assert_int_equal(status_of_mount(-ENOENT), MNT3ERR_NOENT);
	assert_int_equal(status_of_mount(-ENOTDIR), MNT3ERR_NOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_errors_pass), cmocka_unit_test(test_waiting_cures),
		cmocka_unit_test(test_vanished_is_stale_missing_is_noent), cmocka_unit_test(test_unknown_is_never_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
