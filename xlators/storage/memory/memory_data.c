/* xlators/storage/memory/memory_data.c: content of files. Nothing is stable before fsync, O_DSYNC or a durable call. */
#include "xlators/storage/memory/memory_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX (4u << 20)

static int regular(struct memory *m, struct inode *inode, struct fd *fd, struct disk_object **ret_obj)
{
	int ret = memory_object(m, inode, fd, ret_obj);

	if (ret < 0)
		return ret;
	return S_ISREG((*ret_obj)->st.mode) ? 0 : S_ISDIR((*ret_obj)->st.mode) ? -EISDIR : -EINVAL;
}

static void iobuf_drop(void *arg)
{
	iobuf_unref(arg);
}

int memory_content(struct call *call, const struct disk_object *obj, uint64_t offset, uint32_t size, struct payload *ret_data)
{
	struct iobuf *buf;

	*ret_data = (struct payload){ NULL, 0, 0 };
	if (!size)
		return 0;
	buf = iobuf_new(size);
	if (!buf || arena_cleanup(call->arena, iobuf_drop, buf) < 0)
		return -ENOMEM;
	disk_data_read(obj, offset, buf->data, size);
	*ret_data = (struct payload){ buf, 0, size };
	return 0;
}

int coroutine_fn memory_readv(struct xlator *xl, struct call *call, const struct readv_args *args, struct readv_res *res)
{
	struct disk_object *obj;
	uint32_t size = args->size < READ_MAX ? args->size : READ_MAX;
	int ret = regular(xl->priv, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret == -ESTALE ? -ENOENT : ret;
	if (args->offset >= obj->size)
		size = 0;
	else if (size > obj->size - args->offset)
		size = (uint32_t)(obj->size - args->offset);
	if (call->time_flags & TIME_ATIME)
		memory_stamp(xl, call, obj, TIME_ATIME, false);
	disk_object_stat(obj, &res->stat);
	res->eof = args->offset + size >= obj->size;
	return memory_content(call, obj, args->offset, size, &res->data);
}

/* What a write by an ordinary user takes away. */
static void clear_setid(struct disk_object *obj, const struct call *call)
{
	if (call->uid != 0)
		obj->st.mode &= ~(uint32_t)(obj->st.mode & S_IXGRP ? S_ISUID | S_ISGID : S_ISUID);
}

/* After a change of content: times, attributes after it, and force if @stable. */
static int coroutine_fn changed(struct xlator *xl, struct call *call, struct disk_object *obj, bool stable, struct iatt *ret_post)
{
	int ret = 0;

	memory_stamp(xl, call, obj, TIME_CTIME | TIME_MTIME, false);
	clear_setid(obj, call);
	disk_object_stat(obj, ret_post);
	if (!stable)
		return 0;
	disk_object_ref(obj);
	ret = memory_force(xl, obj->last_txn);
	if (ret == 0)
		disk_data_sync(obj);
	disk_object_unref(obj);
	return ret;
}

int coroutine_fn memory_writev(struct xlator *xl, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	struct memory *m = xl->priv;
	uint32_t flags = args->flags | (args->fd ? (uint32_t)args->fd->flags : 0);
	uint64_t offset = args->offset;
	struct disk_object *obj;
	int ret = regular(m, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	memset(res, 0, sizeof(*res));
	disk_object_stat(obj, &res->pre);
	if (flags & O_APPEND)
		offset = obj->size;
	res->is_append = offset == obj->size;
	disk_begin(m->disk);
	ret = disk_data_write(obj, offset, payload_data(&args->data), args->data.len);
	if (ret < 0)
		return ret;
	res->written = args->data.len;
	res->counts.open_fd = obj->opens;
	return changed(xl, call, obj, flags & (O_DSYNC | O_SYNC), &res->post);
}

int coroutine_fn memory_truncate(struct xlator *xl, struct call *call, const struct truncate_args *args, struct truncate_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	int ret = regular(m, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	if (!args->fd && !args->handle && !memory_allowed(obj, call, 2))
		return -EACCES;
	disk_object_stat(obj, &res->pre);
	disk_begin(m->disk);
	ret = disk_data_truncate(obj, args->offset);
	return ret < 0 ? ret : changed(xl, call, obj, call->durable, &res->post);
}

int coroutine_fn memory_fsync(struct xlator *xl, struct call *call, const struct fsync_args *args, struct fsync_res *res)
{
	struct disk_object *obj;
	int ret = memory_object(xl->priv, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	memset(res, 0, sizeof(*res));
	disk_object_stat(obj, &res->pre);
	res->post = res->pre;
	disk_object_ref(obj);
	ret = memory_force(xl, obj->last_txn);
	if (ret == 0)
		disk_data_sync(obj);
	disk_object_unref(obj);
	return ret;
}

int coroutine_fn memory_fallocate(struct xlator *xl, struct call *call, const struct fallocate_args *args, struct fallocate_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	int ret = regular(m, args->inode, args->fd, &obj);

	if (ret == 0 && (!args->len || args->offset + args->len < args->offset))
		ret = -EINVAL;
	if (ret < 0)
		return ret;
	if (m->disk->used + args->len > m->disk->limit)
		return -ENOSPC;
	disk_object_stat(obj, &res->pre);
	disk_begin(m->disk);
	if (!args->keep_size && args->offset + args->len > obj->size)
		ret = disk_data_truncate(obj, args->offset + args->len);
	return ret < 0 ? ret : changed(xl, call, obj, call->durable, &res->post);
}

int coroutine_fn memory_discard(struct xlator *xl, struct call *call, const struct discard_args *args, struct discard_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	int ret = regular(m, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	disk_object_stat(obj, &res->pre);
	disk_begin(m->disk);
	disk_data_punch(obj, args->offset, args->len);
	return changed(xl, call, obj, call->durable, &res->post);
}

int coroutine_fn memory_zerofill(struct xlator *xl, struct call *call, const struct zerofill_args *args, struct zerofill_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	int ret = regular(m, args->inode, args->fd, &obj);

	if (ret == 0 && args->offset + args->len < args->offset)
		ret = -EINVAL;
	if (ret < 0)
		return ret;
	disk_object_stat(obj, &res->pre);
	disk_begin(m->disk);
	disk_data_punch(obj, args->offset, args->len);
	if (args->offset + args->len > obj->size)
		ret = disk_data_truncate(obj, args->offset + args->len);
	return ret < 0 ? ret : changed(xl, call, obj, call->durable, &res->post);
}

int coroutine_fn memory_seek(struct xlator *xl, struct call *call, const struct seek_args *args, struct seek_res *res)
{
	struct disk_object *obj;
	int ret = regular(xl->priv, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	return disk_data_next(obj, args->offset, args->hole, &res->offset) ? 0 : -ENXIO;
}

/* Checksums are compared between bricks of one kind only: any good hash serves. */
int coroutine_fn memory_rchecksum(struct xlator *xl, struct call *call, const struct rchecksum_args *args, struct rchecksum_res *res)
{
	struct payload data;
	struct disk_object *obj;
	uint64_t h[4];
	uint32_t i, a = 0, b = 0, size = args->len < READ_MAX ? args->len : READ_MAX;
	int ret = regular(xl->priv, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	size = args->offset >= obj->size ? 0 : obj->size - args->offset < size ? (uint32_t)(obj->size - args->offset) : size;
	ret = memory_content(call, obj, args->offset, size, &data);
	if (ret < 0)
		return ret;
	memset(res, 0, sizeof(*res));
	res->zeroes = true;
	for (i = 0; i < size; i++) {
		a += payload_data(&data)[i];
		b += a;
		res->zeroes = res->zeroes && payload_data(&data)[i] == 0;
	}
	res->weak = (a & 0xffff) | (b << 16);
	for (i = 0; i < 4; i++)
		h[i] = hash_bytes(size ? payload_data(&data) : (const uint8_t *)"", size, i + 1);
	memcpy(res->strong, h, sizeof(h));
	return 0;
}
