/* runtime/list.h: a circular doubly linked list whose links live in the elements. */
#ifndef RUNTIME_LIST_H
#define RUNTIME_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list { struct list *next, *prev; };

#define LIST_INIT(name) { &(name), &(name) }
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)
/* Survives removal of @pos, not of @tmp. */
#define list_for_each_safe(pos, tmp, head) \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); (pos) = (tmp), (tmp) = (pos)->next)

#define list_for_each_entry(pos, head, member) \
	for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head); \
	     (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))
#define list_for_each_entry_safe(pos, tmp, head, member) \
	for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member), \
	     (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member); &(pos)->member != (head); \
	     (pos) = (tmp), (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

static inline void list_init(struct list *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct list *head) { return head->next == head; }

static inline void list_insert(struct list *where, struct list *item)	/* after @where */
{
	item->next = where->next;
	item->prev = where;
	where->next->prev = item;
	where->next = item;
}

static inline void list_push(struct list *head, struct list *item) { list_insert(head, item); }
static inline void list_append(struct list *head, struct list *item) { list_insert(head->prev, item); }

static inline void list_remove(struct list *item)	/* and leaves @item an empty list, so twice does no harm */
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

static inline struct list *list_pop(struct list *head)	/* NULL when empty */
{
	struct list *item = head->next;

	if (item == head)
		return NULL;
	list_remove(item);
	return item;
}

/* Moves all of @from to the end of @to. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#endif
