/* tests/unit/test_filehandle.c: file handles: there and back, every forgery refused; the key file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/filehandle.h"

static const uint8_t key[MAC_KEY_SIZE] = "0123456789abcdef0123456789abcde";
static const struct filehandle sample = {
	.type = S_IFDIR,
	.hint = 0x1234,
	.export_id = 0xcafebabe,
	.volume_id = "volume-volume-v",
	.gfid = "gfid-gfid-gfid-",
};

static void test_there_and_back(void **state)
{
	struct mac *mac = mac_new(key);
	struct wire_handle wire;
	struct filehandle fh;

	assert_int_equal(filehandle_encode(mac, &sample, &wire), 0);
	assert_true(wire.len <= 64);
	assert_int_equal(filehandle_decode(mac, sample.volume_id, &wire, &fh), 0);
	assert_int_equal(fh.type, S_IFDIR);
	assert_int_equal(fh.hint, 0x1234);
	assert_int_equal(fh.export_id, 0xcafebabe);
	assert_memory_equal(fh.gfid, sample.gfid, 16);
	mac_free(mac);
}

static void test_every_bit_is_signed(void **state)
{
	struct mac *mac = mac_new(key);
	struct wire_handle wire;
	struct filehandle fh;
	unsigned bit;

	assert_int_equal(filehandle_encode(mac, &sample, &wire), 0);
	for (bit = 0; bit < wire.len * 8; bit++) {
		wire.data[bit / 8] ^= 1u << (bit % 8);
		assert_int_equal(filehandle_decode(mac, sample.volume_id, &wire, &fh), -EBADF);
		wire.data[bit / 8] ^= 1u << (bit % 8);
	}
	mac_free(mac);
}

static void test_every_length_but_one_is_refused(void **state)
{
	struct mac *mac = mac_new(key);
	struct wire_handle wire;
	struct filehandle fh;
	uint32_t len;

	assert_int_equal(filehandle_encode(mac, &sample, &wire), 0);
	for (len = 0; len <= 64; len++) {
		wire.len = len;
		assert_int_equal(filehandle_decode(mac, sample.volume_id, &wire, &fh),
				 len == FILEHANDLE_SIZE ? 0 : -EBADF);
	}
	mac_free(mac);
}

static void test_other_volume_is_stale(void **state)
{
	struct mac *mac = mac_new(key);
	struct wire_handle wire;
	struct filehandle fh;

	assert_int_equal(filehandle_encode(mac, &sample, &wire), 0);
	assert_int_equal(filehandle_decode(mac, (const uint8_t *)"another volume!", &wire, &fh), -ESTALE);
	mac_free(mac);
}

static void test_other_key_is_refused(void **state)
{
	struct mac *a = mac_new(key), *b = mac_new((const uint8_t *)"1123456789abcdef0123456789abcde");
	struct wire_handle wire;
	struct filehandle fh;

	assert_int_equal(filehandle_encode(a, &sample, &wire), 0);
	assert_int_equal(filehandle_decode(b, sample.volume_id, &wire, &fh), -EBADF);
	mac_free(a);
	mac_free(b);
}

static void test_uses_are_apart(void **state)
{
	struct mac *mac = mac_new(key);
	uint8_t a[MAC_SIZE], b[MAC_SIZE], c[MAC_SIZE];

	assert_int_equal(mac_tag(mac, MAC_SIGN, "x", 1, a), 0);
	assert_int_equal(mac_tag(mac, MAC_DERIVE, "x", 1, b), 0);
	assert_int_equal(mac_tag(mac, MAC_SIGN, "x", 1, c), 0);
	assert_true(mac_equal(a, c));
	/* both halves of this key are alike, so only a key with different halves can tell the uses apart */
	mac_free(mac);
	mac = mac_new((const uint8_t *)"0123456789abcdefFEDCBA987654321");
	assert_int_equal(mac_tag(mac, MAC_SIGN, "x", 1, a), 0);
	assert_int_equal(mac_tag(mac, MAC_DERIVE, "x", 1, b), 0);
	assert_false(mac_equal(a, b));
	mac_free(mac);
}

static void test_key_file(void **state)
{
	char dir[] = "/tmp/test_filehandle.XXXXXX", path[64];
	uint8_t a[MAC_KEY_SIZE], b[MAC_KEY_SIZE];
	struct error err = { "" };
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/key", dir);
	assert_int_equal(handle_key_load(path, a, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, MAC_KEY_SIZE);
	assert_int_equal(handle_key_load(path, b, &err), 0);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(handle_key_load(path, b, &err), -EPERM);
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 31), 0);
	err.text[0] = '\0';
	assert_int_equal(handle_key_load(path, b, &err), -EINVAL);
	unlink(path);
	rmdir(dir);
	err.text[0] = '\0';
	assert_true(handle_key_load(path, b, &err) < 0);
	assert_non_null(strstr(err.text, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_every_bit_is_signed),
		cmocka_unit_test(test_every_length_but_one_is_refused),
		cmocka_unit_test(test_other_volume_is_stale),
		cmocka_unit_test(test_other_key_is_refused),
		cmocka_unit_test(test_uses_are_apart),
		cmocka_unit_test(test_key_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
