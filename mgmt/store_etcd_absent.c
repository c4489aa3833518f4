/* mgmt/store_etcd_absent.c: stands in until store_etcd.c is merged. */
#include "mgmt/store.h"
const struct store_ops store_etcd_ops = { .scheme = "etcd" };
