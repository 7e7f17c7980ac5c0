// SPDX-License-Identifier: GPL-2.0-only
/*
 * ftrace's events, static and dynamic, as ftrace itself puts them together.
 *
 * They are switched on in an instance of our own, so that nobody else's
 * settings and nobody else's trace change. Its ring is off: ftrace writes an
 * event whose file is marked as filtered into a page of the CPU first, and
 * hands it to its exports, which is where we take a masked copy. (There is no
 * filter behind the mark, and none lets all pass.) An event that comes while
 * that page is taken, from an interrupt, is written into ftrace's temporary
 * ring instead, which a file that is marked as having a conditional trigger may
 * use when its own ring is off. So nothing is lost, nothing is committed to any
 * ring, and all that remains is wiped. See trace_event_buffer_lock_reserve()
 * and trace_event_buffer_commit() in kernel/trace/trace.c.
 */
#define pr_fmt(fmt) "xftrace: " fmt

#include <linux/kprobes.h>
#include <linux/slab.h>
#include <linux/trace.h>
#include <linux/trace_events.h>
#include <asm/msr.h>

#include "xft_compat.h"
#include "xft.h"

#define XFT_INSTANCE "xftrace"
#define XFT_MAX_IDS 16384	/* a kernel has some thousand */

/* Where an event lies in the CPU's page, and never in a ring's. */
#define XFT_PAGE_ENTRY (sizeof(struct ring_buffer_event) + sizeof(u32))

/* By common_type: XFT_EVENT_TYPE() of those that are wanted, else 0. */
static u16 xft_event_types[XFT_MAX_IDS] __read_mostly;
static bool xft_keep __read_mostly;

struct xft_event {
	char *system;		/* owned, with the name behind it */
	const char *name;
	u16 id;
	bool is_there;		/* its module is loaded */
};

/* What modules may not link to. */
static void (*xft_buffered_on)(void);
static void (*xft_buffered_off)(void);
static void (*xft_tracing_off)(struct trace_array *tr);
static struct mutex *xft_ftrace_mutex;
static struct trace_buffer **xft_temp_buffer;

/*
 * Where the temporary ring writes, by CPU; it has two pages, and one to read.
 */
#define XFT_TEMP_PAGES 4
static DEFINE_PER_CPU(u64[XFT_TEMP_PAGES], xft_temp_pages);

/* Between the poll thread and the loading of modules. */
static DEFINE_MUTEX(xft_event_mutex);
static struct xft_event *xft_events;
static u32 xft_nr_events;
static struct trace_array *xft_instance;
static bool xft_exporting;

static __always_inline u64 xft_load(const void *p)
{
	return *(const u64 *)p;
}

/*
 * Masked into a record, with another @type. What does not fill a word at the
 * end is in the last 8 bytes; there are as many, as an event has its common
 * fields.
 */
static __always_inline void xft_copy_event(struct xft_pen *pen,
					   const void *data, u32 size, u16 type,
					   enum xft_mask mask)
{
	u32 i;

	xft_pen_word(pen, (xft_load(data) & ~0xffffULL) | type, mask);
	for (i = 1; i < size / 8; i++)
		xft_pen_word(pen, xft_load(data + 8 * i), mask);
	if (size % 8)
		xft_pen_word(pen, xft_load(data + size - 8) >> (-size & 7) * 8,
			     mask);
}

/* Nobody else looks at it: it is not committed, and will not be. */
static __always_inline void xft_wipe_event(void *data, u32 size)
{
	u32 i;

	for (i = 0; i < size / 8; i++)
		WRITE_ONCE(((u64 *)data)[i], 0); /* and no call of memset() */
	WRITE_ONCE(*(u64 *)(data + size - 8), 0);
}

static __always_inline u64 xft_event_word(u32 size)
{
	return XFT_EVENT | (-size & XFT_EVENT_PAD) << XFT_DEPTH_SHIFT;
}

static __always_inline void xft_put_event(struct xft_ring *r, u64 tsc,
					  u64 first, const void *data, u32 size,
					  u16 type, enum xft_mask mask)
{
	struct xft_pen pen = xft_pen_begin(r, mask);

	xft_copy_event(&pen, data, size, type, mask);
	xft_pen_end(&pen, tsc, first, mask);
}

/* Other contexts, a ring that is not ready, an event that is too long. */
static noinline notrace void xft_event_slow(void *data, u32 size, u16 type,
					    unsigned long flags)
{
	u32 most = (XFT_LONG_WORDS - 1) * 8, len = min(size, most);
	u64 first = xft_event_word(len), tsc = rdtsc();
	u32 words = 1 + (len + 7) / 8;
	struct xft_ring *r;

	if (size > most)
		first |= XFT_EVENT_CUT << XFT_DEPTH_SHIFT;
	r = xft_push_prepare(&first, words, tsc);
	if (r)
		xft_put_event(r, tsc, first, data, len, type, xft_mask);
	xft_irq_restore(flags);
	if (!xft_keep)
		xft_wipe_event(data, size);
}
NOKPROBE_SYMBOL(xft_event_slow);

/* Preemption is off. */
static notrace bool xft_in_temp_buffer(const void *data)
{
	const u64 *pages = *this_cpu_ptr(&xft_temp_pages);
	u64 page = (u64)data & PAGE_MASK;

	return pages[0] == page || pages[1] == page || pages[2] == page ||
	       pages[3] == page;
}
NOKPROBE_SYMBOL(xft_in_temp_buffer);

static notrace void xft_event_take(struct trace_export *unused,
				   const void *data, unsigned int size)
{
	u32 id = *(const u16 *)data, words;
	u16 type = id < XFT_MAX_IDS ? xft_event_types[id] : 0;
	unsigned long flags;
	struct xft_ring *r;
	u64 tsc;

	if (!type)
		return;
	/*
	 * What ftrace says of the size of one in its page is wrong. One that
	 * lies elsewhere is another instance's, where it is on as well.
	 */
	if (likely(offset_in_page(data) == XFT_PAGE_ENTRY))
		size = *(const u32 *)(data - sizeof(u32));
	else if (!xft_in_temp_buffer(data))
		return;
	if (unlikely(size < 8))
		return;
	words = 1 + (size + 7) / 8;
	flags = xft_irq_save();
	r = this_cpu_read(xft_ring_main);
	tsc = rdtsc();
	if (unlikely(!xft_in_task() || words > XFT_LONG_WORDS ||
		     !xft_ring_room(r, current, words, xft_mask) ||
		     !xft_is_named(r, current))) {
		xft_event_slow((void *)data, size, type, flags);
		return;
	}
	if (xft_mask == XFT_MASK_SEALED)
		xft_put_event(r, tsc, xft_event_word(size), data, size, type,
			      XFT_MASK_SEALED);
	else
		xft_put_event(r, tsc, xft_event_word(size), data, size, type,
			      XFT_MASK_XOR);
	xft_irq_restore(flags);
	if (!xft_keep)
		xft_wipe_event((void *)data, size);
}
NOKPROBE_SYMBOL(xft_event_take);

static struct trace_export xft_export = {
	.write = xft_event_take,
	.flags = TRACE_EXPORT_EVENT,
};

/*
 * Mark the event's file, or take the marks off; see above. If copies are to be
 * kept its ring is on, and takes those that find the page taken.
 */
static void xft_mark_event(struct trace_event_file *file, bool on)
{
	unsigned long marks = EVENT_FILE_FL_FILTERED;

	if (!xft_keep)
		marks |= EVENT_FILE_FL_TRIGGER_COND;
	mutex_lock(xft_ftrace_mutex);
	if (on)
		file->flags |= marks;
	else
		file->flags &= ~marks;
	mutex_unlock(xft_ftrace_mutex);
}

/*
 * Find @e in the kernel as it is now, and switch it on. trace_get_event_file()
 * holds the event's module, so give it back at once.
 */
static int xft_event_on(struct xft_event *e)
{
	struct trace_event_file *file;

	file = trace_get_event_file(XFT_INSTANCE, e->system, e->name);
	if (IS_ERR(file))
		return -ENOENT;
	e->id = file->event_call->event.type;
	if (e->id >= XFT_MAX_IDS) {
		trace_put_event_file(file);
		return -ERANGE;
	}
	xft_mark_event(file, true);
	trace_put_event_file(file);

	/* First the hook, so that not even the first one stays readable. */
	WRITE_ONCE(xft_event_types[e->id], XFT_EVENT_TYPE(e - xft_events));
	e->is_there = true;
	return trace_array_set_clr_event(xft_instance, e->system, e->name,
					 true);
}

static void xft_event_forget(struct xft_event *e)
{
	WRITE_ONCE(xft_event_types[e->id], 0);
	e->is_there = false;
}

static void xft_event_off(struct xft_event *e)
{
	struct trace_event_file *file;

	if (!e->is_there)
		return;
	trace_array_set_clr_event(xft_instance, e->system, e->name, false);
	file = trace_get_event_file(XFT_INSTANCE, e->system, e->name);
	if (!IS_ERR(file)) {
		xft_mark_event(file, false);
		trace_put_event_file(file);
	}
	xft_event_forget(e);
}

static void xft_free_events(void)
{
	u32 i;

	for (i = 0; i < xft_nr_events; i++)
		kfree(xft_events[i].system);
	kvfree(xft_events);
	xft_events = NULL;
	xft_nr_events = 0;
}

/* The host's list, with @nr entries. */
static int xft_take_events(u32 nr)
{
	struct xft_event *e;
	u32 pos = 0, i;

	xft_events = kvcalloc(nr, sizeof(*xft_events), GFP_KERNEL);
	if (!xft_events)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		const struct xft_event_want *want;
		char *colon;
		u32 len;

		if (pos + sizeof(*want) > XFT_EVENTS_SIZE)
			return -EINVAL;
		want = (void *)xft_mbox->events + pos;
		len = READ_ONCE(want->len);
		pos += sizeof(*want) + ALIGN(len, 4);
		if (!len || pos > XFT_EVENTS_SIZE)
			return -EINVAL;
		e = &xft_events[xft_nr_events];
		e->system = kmemdup_nul(want->name, len, GFP_KERNEL);
		if (!e->system)
			return -ENOMEM;
		xft_nr_events++;
		colon = strchr(e->system, ':');
		if (!colon)
			return -EINVAL;
		*colon = '\0';
		e->name = colon + 1;
		e->id = READ_ONCE(want->id);
	}
	return 0;
}

static int xft_take_event_kfuncs(void)
{
	int rc;

	rc = xft_take_kfunc(XFT_KFUNC_BUFFERED_ON,
			    "trace_buffered_event_enable", &xft_buffered_on);
	rc = rc ?: xft_take_kfunc(XFT_KFUNC_BUFFERED_OFF,
				  "trace_buffered_event_disable",
				  &xft_buffered_off);
	rc = rc ?: xft_take_kfunc(XFT_KFUNC_TRACING_OFF, "tracer_tracing_off",
				  &xft_tracing_off);
	rc = rc ?: xft_take_kfunc(XFT_KFUNC_EVENT_MUTEX, "event_mutex",
				  &xft_ftrace_mutex);
	return rc ?: xft_take_kfunc(XFT_KFUNC_TEMP_BUFFER, "temp_buffer",
				    &xft_temp_buffer);
}

/* Which pages the temporary ring of this CPU has: write until it repeats. */
static void xft_learn_temp_pages(void *unused)
{
	u64 *pages = *this_cpu_ptr(&xft_temp_pages);
	int i, n;

	memset(pages, 0, sizeof(xft_temp_pages));
	for (i = 0; i < 8 * XFT_TEMP_PAGES; i++) {
		struct ring_buffer_event *event =
			ring_buffer_lock_reserve(*xft_temp_buffer, 1024);
		u64 page;

		if (!event)
			continue;
		page = (u64)event & PAGE_MASK;
		for (n = 0; n < XFT_TEMP_PAGES; n++) {
			if (!pages[n])
				pages[n] = page;
			if (pages[n] == page)
				break;
		}
		xft_ring_buffer_commit(*xft_temp_buffer, event);
	}
}

/*
 * Before a1f157c7a3bb ("tracing: Expand all ring buffers individually"), 6.7, a
 * new instance makes ftrace forget that its own buffer is still small, and it
 * would stay so.
 */
static struct trace_array *xft_get_instance_cleanly(void)
{
	bool *expanded = NULL, was;
	struct trace_array *tr;

	if (READ_ONCE(xft_mbox->kfunc[XFT_KFUNC_EXPANDED]) &&
	    xft_take_kfunc(XFT_KFUNC_EXPANDED, "ring_buffer_expanded",
			   &expanded))
		return NULL;
	was = expanded && *expanded;
	tr = xft_get_instance(XFT_INSTANCE);
	if (expanded)
		*expanded = was;
	return tr;
}

static int xft_add_instance(void)
{
	xft_instance = xft_get_instance_cleanly();
	if (!xft_instance)
		return -ENOMEM;
	if (!xft_keep)
		xft_tracing_off(xft_instance);
	mutex_lock(xft_ftrace_mutex);
	xft_buffered_on();
	mutex_unlock(xft_ftrace_mutex);
	on_each_cpu(xft_learn_temp_pages, NULL, true);
	return 0;
}

/* One that somebody in the guest looks into stays, switched off. */
static void xft_remove_instance(void)
{
	if (!xft_instance)
		return;
	mutex_lock(xft_ftrace_mutex);
	xft_buffered_off();
	mutex_unlock(xft_ftrace_mutex);
	trace_array_put(xft_instance);
	if (trace_array_destroy(xft_instance))
		pr_info("trace instance %s is in use and stays\n",
			XFT_INSTANCE);
	xft_instance = NULL;
}

static void xft_nothing(void *unused)
{
}

static void xft_undo_events(void)
{
	u32 i;

	for (i = 0; i < xft_nr_events; i++)
		xft_event_off(&xft_events[i]);
	if (xft_exporting) {
		unregister_ftrace_export(&xft_export);
		xft_exporting = false;
		/* Hooks run with preemption off; see xft_func_stop(). */
		synchronize_rcu();
		synchronize_rcu_tasks_rude();
		on_each_cpu(xft_nothing, NULL, true);
	}
	xft_remove_instance();
	xft_free_events();
}

static int xft_do_events(u32 nr)
{
	u32 i;
	int rc;

	rc = xft_take_event_kfuncs();
	if (rc)
		return rc;
	xft_ctl->detail = XFT_DETAIL_PARAM;
	if (nr > XFT_MAX_IDS)
		return -EINVAL;
	rc = xft_take_events(nr);
	if (rc)
		return rc;
	xft_ctl->detail = XFT_DETAIL_EXPORT;
	xft_keep = READ_ONCE(xft_mbox->keep_events);
	rc = xft_add_instance();
	rc = rc ?: register_ftrace_export(&xft_export);
	if (rc)
		return rc;
	xft_exporting = true;
	for (i = 0; i < nr; i++) {
		u16 id = xft_events[i].id;

		xft_ctl->detail = XFT_DETAIL_EVENT + i;
		rc = xft_event_on(&xft_events[i]);
		if (rc)
			return rc;
		/* The host would decode it with another event's format. */
		if (xft_events[i].id != id)
			return -ESTALE;
	}
	xft_ctl->detail = XFT_DETAIL_NONE;
	return 0;
}

int xft_event_start(void)
{
	u32 nr = READ_ONCE(xft_mbox->nr_events);
	int rc;

	if (!nr)
		return 0;
	mutex_lock(&xft_event_mutex);
	rc = xft_do_events(nr);
	if (rc)
		xft_undo_events();
	mutex_unlock(&xft_event_mutex);
	return rc;
}

void xft_event_stop(void)
{
	mutex_lock(&xft_event_mutex);
	xft_undo_events();
	mutex_unlock(&xft_event_mutex);
}

/*
 * A module takes its events with it; when it is loaded again they have other
 * ids, and those of before may be another event's. ftrace is told before us.
 */
static int xft_module_notify(struct notifier_block *nb, unsigned long what,
			     void *unused)
{
	bool changed = false;
	u32 i;

	if (what != MODULE_STATE_COMING && what != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&xft_event_mutex);
	for (i = 0; i < xft_nr_events; i++) {
		struct xft_event *e = &xft_events[i];
		struct trace_event_file *file;

		file = trace_get_event_file(XFT_INSTANCE, e->system, e->name);
		if (!IS_ERR(file))
			trace_put_event_file(file);
		if (!IS_ERR(file) == e->is_there)
			continue;
		if (e->is_there)
			xft_event_forget(e);
		else
			xft_event_on(e);
		changed = true;
	}
	if (changed)
		WRITE_ONCE(xft_ctl->events_changed,
			   xft_ctl->events_changed + 1);
	mutex_unlock(&xft_event_mutex);
	return NOTIFY_DONE;
}

static struct notifier_block xft_module_nb = {
	.notifier_call = xft_module_notify,
};

int xft_event_init(void)
{
	return register_module_notifier(&xft_module_nb);
}

void xft_event_exit(void)
{
	unregister_module_notifier(&xft_module_nb);
}
