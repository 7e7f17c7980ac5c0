// SPDX-License-Identifier: GPL-2.0-only
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"
#include "xft_abi.h"

#define MAX_SESSIONS 65536
#define MAX_RINGS    8192	/* and as many CPUs of the host */

static void *grow(void *array, size_t *cap, size_t size)
{
	size_t n = *cap ? *cap * 2 : 16;
	void *p = realloc(array, n * size);

	if (!p)
		abort();
	*cap = n;
	return p;
}

void trace_init(struct trace *t)
{
	*t = (struct trace){ 0 };
}

void trace_deinit(struct trace *t)
{
	for (size_t i = 0; i < t->nr_sessions; i++) {
		symtab_destroy(t->sessions[i].symbols);
		json_decref(t->sessions[i].events);
		json_decref(t->sessions[i].host);
		json_decref(t->sessions[i].names);
		free(t->sessions[i].ring);
		free(t->sessions[i].faults);
		secret_free(t->sessions[i].seed, sizeof(struct trace_seed));
	}
	for (size_t i = 0; i < t->nr_rings; i++)
		free(t->rings[i].spans);
	for (size_t i = 0; i < t->nr_host_cpus; i++)
		free(t->host_cpus[i].pages);
	secret_free(t->keys, t->cap_keys * sizeof(*t->keys));
	for (size_t i = 0; i < t->nr_writers; i++)
		free(t->writers[i].chunks);
	free(t->rings);
	free(t->host_cpus);
	free(t->writers);
	free(t->sessions);
	json_decref(t->meta);
	json_decref(t->end);
	json_decref(t->notes);
	trace_init(t);
}

static struct trace_session *last_session(struct trace *t)
{
	return t->nr_sessions ? &t->sessions[t->nr_sessions - 1] : NULL;
}

static json_t *parse(const void *data, size_t len, struct xf_err *err)
{
	json_error_t je;
	json_t *j = json_loadb(data, len, 0, &je);

	if (j && json_is_object(j))
		return j;
	json_decref(j);
	xf_fail(err, -EBADMSG, "trace: damaged description: %s", je.text);
	return NULL;
}

uint64_t trace_u64(const json_t *obj, const char *name)
{
	const json_t *v = json_object_get(obj, name);

	if (json_is_string(v))
		return strtoull(json_string_value(v), NULL, 0);
	return json_integer_value(v);
}

static bool is_sealed(const json_t *meta)
{
	const char *mask = json_string_value(json_object_get(meta, "mask"));

	return mask && !strcmp(mask, "sealed");
}

static int add_meta(struct trace *t, const void *data, size_t len,
		    struct xf_err *err)
{
	struct trace_session s = { 0 };
	json_t *meta;
	void *p;

	if (t->nr_sessions == MAX_SESSIONS)
		return xf_fail(err, -EBADMSG, "trace: too many sessions");
	meta = parse(data, len, err);
	if (!meta)
		return -EBADMSG;
	s.number = trace_u64(meta, "session");
	s.tsc_khz = trace_u64(meta, "tsc_khz");
	s.clock_tsc = trace_u64(meta, "clock_tsc");
	s.clock_real_ns = trace_u64(meta, "clock_real_ns");
	s.sealed = is_sealed(meta);
	if (!s.tsc_khz || (t->nr_sessions &&
			   s.number <= last_session(t)->number)) {
		json_decref(meta);
		return xf_fail(err, -EBADMSG, "trace: damaged description");
	}
	if (t->meta)
		json_decref(meta);
	else
		t->meta = meta;
	p = realloc(t->sessions, (t->nr_sessions + 1) * sizeof(s));
	if (!p)
		abort();
	t->sessions = p;
	t->sessions[t->nr_sessions++] = s;
	return 0;
}

static int add_symbols(struct trace *t, const void *data, size_t len,
		       struct xf_err *err)
{
	struct trace_session *s = last_session(t);
	struct symtab *st;
	int rc;

	if (!s)
		return xf_fail(err, -EBADMSG, "trace: symbols of no session");
	rc = symtab_unpack(data, len, &st, err);
	if (rc)
		return rc;
	symtab_destroy(s->symbols);
	s->symbols = st;
	return 0;
}

static int add_modules(struct trace *t, const void *data, size_t len,
		       struct xf_err *err)
{
	struct trace_session *s = last_session(t);

	if (!s)
		return xf_fail(err, -EBADMSG, "trace: modules of no session");
	/* The kernel's may have been damaged; these are good. */
	if (!s->symbols)
		s->symbols = symtab_create();
	return symtab_unpack_more(s->symbols, data, len, err);
}

static void grow_keys(struct trace *t)
{
	size_t cap = t->cap_keys ? t->cap_keys * 2 : 4096 / sizeof(*t->keys);

	t->keys = secret_grow(t->keys, t->cap_keys * sizeof(*t->keys),
			      cap * sizeof(*t->keys));
	if (!t->keys)
		abort();
	t->cap_keys = cap;
}

static int add_key(struct trace *t, const void *data, size_t len,
		   struct xf_err *err)
{
	const struct trace_key *last;
	struct trace_key k;

	if (len != sizeof(k))
		return xf_fail(err, -EBADMSG, "trace: damaged key");
	memcpy(&k, data, sizeof(k));
	last = t->nr_keys ? &t->keys[t->nr_keys - 1] : NULL;
	if (last && (k.session < last->session ||
		     (k.session == last->session && k.epoch <= last->epoch)))
		return xf_fail(err, -EBADMSG, "trace: keys out of order");
	if (t->nr_keys == t->cap_keys)
		grow_keys(t);
	t->keys[t->nr_keys++] = k;
	explicit_bzero(&k, sizeof(k));
	return 0;
}

static int add_seed(struct trace *t, const void *data, size_t len,
		    struct xf_err *err)
{
	struct trace_session *s = last_session(t);
	const struct trace_seed *seed = data;

	if (len != sizeof(*seed) || !s || s->number != seed->session || s->seed)
		return xf_fail(err, -EBADMSG, "trace: damaged seed");
	s->seed = secret_grow(NULL, 0, sizeof(*seed));
	if (!s->seed)
		abort();
	*s->seed = *seed;
	s->sealed = true;
	return 0;
}

const struct trace_span *trace_fault(const struct trace_session *s,
				     uint32_t cpu, uint32_t kind)
{
	for (size_t i = s->nr_faults; i-- > 0;)
		if (s->faults[i].at.cpu == cpu && s->faults[i].at.kind == kind)
			return &s->faults[i].at;
	return NULL;
}

static uint64_t nr_evidence(const struct trace_session *s)
{
	uint64_t nr = 0;

	for (int i = 0; i < UNSEAL_FAULTS; i++)
		nr += s->evidence[i];
	return nr;
}

static int add_fault(struct trace_session *s, const struct trace_span *span,
		     struct xf_err *err)
{
	void *p;

	if (s->nr_faults == MAX_RINGS)
		return xf_fail(err, -EBADMSG, "trace: too many rings");
	p = realloc(s->faults, (s->nr_faults + 1) * sizeof(*s->faults));
	if (!p)
		abort();
	s->faults = p;
	s->faults[s->nr_faults++] = (struct trace_fault){ *span,
							  nr_evidence(s) };
	return 0;
}

static int add_evidence(struct trace *t, const void *data, size_t len,
			struct xf_err *err)
{
	struct trace_session *s = last_session(t);
	const struct trace_span *span = data;

	if (len < sizeof(*span) || !s || s->number != span->session ||
	    span->fault >= UNSEAL_FAULTS)
		return xf_fail(err, -EBADMSG, "trace: damaged evidence");
	if (!trace_fault(s, span->cpu, span->kind) && add_fault(s, span, err))
		return -EBADMSG;
	s->evidence[span->fault]++;
	return 0;
}

/*
 * Rings are few and spans come in bursts of one ring: look at the last first.
 */
static struct trace_ring *find_ring(struct trace *t, const struct trace_span *s)
{
	for (size_t i = t->nr_rings; i-- > 0;) {
		struct trace_ring *r = &t->rings[i];

		if (r->session < s->session)
			break;
		if (r->session == s->session && r->cpu == s->cpu &&
		    r->kind == s->kind)
			return r;
	}
	return NULL;
}

static int add_span(struct trace *t, const void *data, size_t len,
		    struct xf_err *err)
{
	const struct trace_span *s = data, *last;
	struct trace_ring *r;
	void *p;

	if (len < sizeof(*s) || s->len != len - sizeof(*s) || s->len % 8 ||
	    s->cpu >= XFT_MAX_CPUS || s->fault || s->reserved)
		return xf_fail(err, -EBADMSG, "trace: damaged records");
	if (!t->nr_sessions || s->session != last_session(t)->number)
		return xf_fail(err, -EBADMSG, "trace: records of no session");
	r = find_ring(t, s);
	if (!r) {
		if (t->nr_rings == MAX_RINGS)
			return xf_fail(err, -EBADMSG, "trace: too many rings");
		p = realloc(t->rings, (t->nr_rings + 1) * sizeof(*r));
		if (!p)
			abort();
		t->rings = p;
		r = &t->rings[t->nr_rings++];
		*r = (struct trace_ring){ .session = s->session,
					  .cpu = s->cpu,
					  .kind = s->kind };
	}
	last = r->nr ? r->spans[r->nr - 1] : NULL;
	if (last && (s->nr < last->nr || (s->nr == last->nr &&
					  s->offset < last->offset + last->len)))
		return xf_fail(err, -EBADMSG, "trace: records out of order");
	if (r->nr == r->cap)
		r->spans = grow(r->spans, &r->cap, sizeof(*r->spans));
	r->spans[r->nr++] = s;
	t->bytes += s->len;
	return 0;
}

static int add_json(json_t **slot, bool array, const void *data, size_t len,
		    struct xf_err *err)
{
	json_t *j = parse(data, len, err);

	if (!j)
		return -EBADMSG;
	if (!array) {
		json_decref(*slot);
		*slot = j;
		return 0;
	}
	if (!*slot)
		*slot = json_array();
	json_array_append_new(*slot, j);
	return 0;
}

/* The newest evidence is what a guest that was reset made of its rings. */
static void drop_overwritten(struct trace *t, const json_t *note)
{
	const json_t *by_name = json_object_get(note, "overwritten");
	struct trace_session *s = last_session(t);

	if (!s || !by_name)
		return;
	for (int i = 0; i < UNSEAL_FAULTS; i++) {
		json_int_t nr = json_integer_value(
			json_object_get(by_name, unseal_fault_name(i)));

		if (nr > 0)
			s->evidence[i] -= (uint64_t)nr < s->evidence[i] ?
						  (uint64_t)nr : s->evidence[i];
	}
	while (s->nr_faults &&
	       s->faults[s->nr_faults - 1].before >= nr_evidence(s))
		s->nr_faults--;
}

static int add_note(struct trace *t, const void *data, size_t len,
		    struct xf_err *err)
{
	int rc = add_json(&t->notes, true, data, len, err);

	if (!rc)
		drop_overwritten(t, json_array_get(t->notes,
					json_array_size(t->notes) - 1));
	return rc;
}

static int add_events(struct trace *t, const void *data, size_t len,
		      struct xf_err *err)
{
	struct trace_session *s = last_session(t);

	if (!s)
		return xf_fail(err, -EBADMSG, "trace: events of no session");
	return add_json(&s->events, true, data, len, err);
}

static int add_host(struct trace *t, const void *data, size_t len,
		    struct xf_err *err)
{
	struct trace_session *s = last_session(t);

	if (!s)
		return xf_fail(err, -EBADMSG, "trace: a host of no session");
	return add_json(&s->host, false, data, len, err);
}

/* The entry of a page's CPU; a session's come together, at the end. */
static struct trace_host_cpu *host_cpu(struct trace *t,
				       const struct trace_host_page *p)
{
	struct trace_host_cpu *c;

	for (size_t i = t->nr_host_cpus; i-- > 0;) {
		c = &t->host_cpus[i];
		if (c->session != p->session)
			break;
		if (c->cpu == p->cpu)
			return c;
	}
	if (t->nr_host_cpus == MAX_RINGS)
		return NULL;
	c = realloc(t->host_cpus, (t->nr_host_cpus + 1) * sizeof(*c));
	if (!c)
		abort();
	t->host_cpus = c;
	c += t->nr_host_cpus++;
	*c = (struct trace_host_cpu){ .session = p->session, .cpu = p->cpu };
	return c;
}

static int add_host_page(struct trace *t, const void *data, size_t len,
			 struct xf_err *err)
{
	const struct trace_host_page *p = data;
	struct trace_host_cpu *c;

	if (len < sizeof(*p) || p->len != len - sizeof(*p) ||
	    p->len < TRACE_HOST_PAGE_HEAD)
		return xf_fail(err, -EBADMSG, "trace: damaged host events");
	if (!t->nr_sessions || !last_session(t)->host ||
	    p->session != last_session(t)->number)
		return xf_fail(err, -EBADMSG, "trace: host events of no host");
	c = host_cpu(t, p);
	if (!c)
		return xf_fail(err, -EBADMSG, "trace: too many host CPUs");
	if (c->nr == c->cap)
		c->pages = grow(c->pages, &c->cap, sizeof(*c->pages));
	c->pages[c->nr++] = p;
	return 0;
}

static struct trace_writer *writer(struct trace *t, const struct trace_dirty *d)
{
	struct trace_writer *w;

	for (size_t i = t->nr_writers; i-- > 0;) {
		w = &t->writers[i];
		if (w->session != d->session)
			break;
		if (w->vcpu == d->vcpu)
			return w;
	}
	if (t->nr_writers == MAX_RINGS)
		return NULL;
	w = realloc(t->writers, (t->nr_writers + 1) * sizeof(*w));
	if (!w)
		abort();
	t->writers = w;
	w += t->nr_writers++;
	*w = (struct trace_writer){ .session = d->session, .vcpu = d->vcpu };
	return w;
}

static int add_dirty(struct trace *t, const void *data, size_t len,
		     struct xf_err *err)
{
	const struct trace_dirty *d = data;
	struct trace_writer *w;

	if (len < sizeof(*d) || !d->nr ||
	    (len - sizeof(*d)) / sizeof(struct trace_dirty_record) != d->nr ||
	    (len - sizeof(*d)) % sizeof(struct trace_dirty_record) ||
	    d->vcpu >= XFT_MAX_CPUS)
		return xf_fail(err, -EBADMSG, "trace: damaged dirty pages");
	if (!t->nr_sessions || d->session != last_session(t)->number)
		return xf_fail(err, -EBADMSG,
			       "trace: dirty pages of no session");
	w = writer(t, d);
	if (!w)
		return xf_fail(err, -EBADMSG, "trace: too many vCPUs");
	if (w->nr == w->cap)
		w->chunks = grow(w->chunks, &w->cap, sizeof(*w->chunks));
	w->chunks[w->nr++] = d;
	return 0;
}

static int add_names(struct trace *t, const void *data, size_t len,
		     struct xf_err *err)
{
	struct trace_session *s = last_session(t);
	json_t *j = s ? parse(data, len, err) : NULL;

	if (!s)
		return xf_fail(err, -EBADMSG, "trace: names of no session");
	if (!j)
		return -EBADMSG;
	if (!s->names)
		s->names = json_array();
	json_array_extend(s->names, json_object_get(j, "names"));
	json_decref(j);
	return 0;
}

const char *trace_page_name(const struct trace_session *s, uint32_t number)
{
	return number ? json_string_value(json_array_get(s->names, number - 1)) :
			NULL;
}

int trace_add_chunk(struct trace *t, uint32_t type, const void *data,
		    size_t len, struct xf_err *err)
{
	switch (type) {
	case TRACE_META:
		return add_meta(t, data, len, err);
	case TRACE_SYMBOLS:
		return add_symbols(t, data, len, err);
	case TRACE_MODULES:
		return add_modules(t, data, len, err);
	case TRACE_KEY:
		return add_key(t, data, len, err);
	case TRACE_SPAN:
		return add_span(t, data, len, err);
	case TRACE_SEED:
		return add_seed(t, data, len, err);
	case TRACE_EVIDENCE:
		return add_evidence(t, data, len, err);
	case TRACE_END:
		return add_json(&t->end, false, data, len, err);
	case TRACE_NOTE:
		return add_note(t, data, len, err);
	case TRACE_EVENTS:
		return add_events(t, data, len, err);
	case TRACE_HOST:
		return add_host(t, data, len, err);
	case TRACE_HOST_PAGE:
		return add_host_page(t, data, len, err);
	case TRACE_DIRTY:
		return add_dirty(t, data, len, err);
	case TRACE_NAMES:
		return add_names(t, data, len, err);
	case TRACE_BASELINE:
		return xf_fail(err, -EINVAL, "is a baseline, not a trace");
	default:
		return 0;
	}
}

/* Without the seed nobody can tell what the records of @s are. */
static int count_keyless(const struct trace *t, struct trace_session *s,
			 struct xf_err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->nr_rings; i++) {
		const struct trace_ring *r = &t->rings[s->ring[i]];
		struct trace_span first = *r->spans[0];

		first.fault = UNSEAL_KEYLESS;
		s->evidence[UNSEAL_KEYLESS] += r->nr;
		if (!trace_fault(s, r->cpu, r->kind))
			rc = add_fault(s, &first, err);
	}
	return rc;
}

int trace_seal(struct trace *t, struct xf_err *err)
{
	int rc = 0;

	if (!t->nr_sessions)
		return xf_fail(err, -EBADMSG,
			       "trace: empty, recording never began");
	for (size_t i = 0; !rc && i < t->nr_sessions; i++) {
		struct trace_session *s = &t->sessions[i];

		if (!s->symbols) {
			s->symbols = symtab_create();
			symtab_seal(s->symbols);
		}
		s->ring = calloc(t->nr_rings + 1, sizeof(*s->ring));
		if (!s->ring)
			abort();
		for (size_t n = 0; n < t->nr_rings; n++)
			if (t->rings[n].session == s->number)
				s->ring[s->nr_rings++] = n;
		if (s->sealed && !s->seed)
			rc = count_keyless(t, s, err);
	}
	return rc;
}

const uint64_t *trace_key(const struct trace *t, uint32_t session,
			  uint32_t epoch)
{
	size_t low = 0, high = t->nr_keys;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct trace_key *k = &t->keys[mid];

		if (k->session == session && k->epoch == epoch)
			return &k->key;
		if (k->session < session ||
		    (k->session == session && k->epoch < epoch))
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const char *trace_meta_str(const struct trace *t, const char *name)
{
	const char *s = json_string_value(json_object_get(t->meta, name));

	return s ? s : "";
}

uint64_t trace_time_ns(const struct trace_session *s, uint64_t tsc)
{
	return tsc > s->first_tsc ?
		       trace_ticks_ns(tsc - s->first_tsc, s->tsc_khz) : 0;
}
