/* rpc/mac.c: SipHash through EVP_MAC. Setting the key anew costs less than duplicating a context, so one context serves
 * all calls. */
#include "rpc/mac.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define SIPHASH_KEY_SIZE 16

struct mac {
	EVP_MAC_CTX *ctx;
	uint8_t key[MAC_KEY_SIZE];
};

struct mac *mac_new(const uint8_t key[MAC_KEY_SIZE])
{
	EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	struct mac *mac = calloc(1, sizeof(*mac));

	if (mac && algorithm)
		mac->ctx = EVP_MAC_CTX_new(algorithm);
	EVP_MAC_free(algorithm);
	if (!mac || !mac->ctx) {
		free(mac);
		return NULL;
	}
	memcpy(mac->key, key, MAC_KEY_SIZE);
	return mac;
}

void mac_free(struct mac *mac)
{
	if (!mac)
		return;
	EVP_MAC_CTX_free(mac->ctx);
	OPENSSL_cleanse(mac->key, sizeof(mac->key));
	free(mac);
}

int mac_tag(struct mac *mac, enum mac_use use, const void *data, size_t len, uint8_t ret_tag[MAC_SIZE])
{
	const uint8_t *key = mac->key + (use == MAC_SIGN ? 0 : SIPHASH_KEY_SIZE);
	size_t made = 0;

	if (!EVP_MAC_init(mac->ctx, key, SIPHASH_KEY_SIZE, NULL) || !EVP_MAC_update(mac->ctx, data, len) ||
	    !EVP_MAC_final(mac->ctx, ret_tag, &made, MAC_SIZE) || made != MAC_SIZE)
		return -EIO;
	return 0;
}

bool mac_equal(const uint8_t a[MAC_SIZE], const uint8_t b[MAC_SIZE])
{
	return CRYPTO_memcmp(a, b, MAC_SIZE) == 0;
}
