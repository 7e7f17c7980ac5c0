// SPDX-License-Identifier: GPL-2.0-only
#include "memslot.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"
#include "qmp.h"

/* Bounds against damage, not against size: real guests stay far below. */
#define MAX_MAPS_FILE (64u << 20)
#define MAX_CMDLINE   (2u << 20)
#define MAX_SLOTS     4096

#define FOUR_GIB (4ull << 30)

#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* One line of /proc/PID/maps. */
struct vma {
	uint64_t start, end;	/* virtual */
	uint64_t off;		/* in the file */
	dev_t dev;
	ino_t ino;		/* 0: anonymous memory */
	bool shared;
	char *path;		/* borrowed from vmas.text */
};

struct vmas {
	struct vma *vma;	/* by rising start */
	size_t nr;
	struct buf text;
	pid_t pid;
};

static void vmas_deinit(struct vmas *v)
{
	free(v->vma);
	buf_deinit(&v->text);
}

/* Room for one more in an array of @nr, which doubles at powers of two. */
static void *grow(void *array, size_t nr, size_t size)
{
	struct buf b = { .data = array };

	if (nr & (nr - 1))
		return array;
	/* Only for buf's answer to a lack of memory. */
	buf_reserve(&b, (nr ? nr * 2 : 1) * size);
	return b.data;
}

static int vmas_read(struct vmas *v, pid_t pid, struct xf_err *err)
{
	char path[64], *line, *save;
	int rc;

	*v = (struct vmas){ .pid = pid };
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	rc = io_read_file(path, MAX_MAPS_FILE, &v->text, err);
	if (rc)
		return xf_prefix(err, rc, "process %d's memory map", (int)pid);
	for (line = strtok_r(v->text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned int maj, min;
		struct vma m = { 0 };
		uint64_t ino;
		char perms[5];
		int n = 0;

		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
			   " %x:%x %" SCNu64 " %n",
			   &m.start, &m.end, perms, &m.off, &maj, &min, &ino,
			   &n) < 7 ||
		    !n)
			return xf_fail(err, -EPROTO, "%s: not understood: %s",
				       path, line);
		m.dev = makedev(maj, min);
		m.ino = ino;
		m.shared = perms[3] == 's';
		m.path = line + n;
		v->vma = grow(v->vma, v->nr, sizeof(m));
		v->vma[v->nr++] = m;
	}
	return 0;
}

static const struct vma *vmas_find(const struct vmas *v, uint64_t addr)
{
	for (size_t i = 0; i < v->nr; i++)
		if (addr >= v->vma[i].start && addr < v->vma[i].end)
			return &v->vma[i];
	return NULL;
}

static bool vma_is_file(const struct vma *m, dev_t dev, ino_t ino)
{
	return m->ino && m->ino == ino && m->dev == dev;
}

/* What /proc/PID/maps would say if the process had mapped @fd. */
static bool maps_like(int fd, const struct vma *want)
{
	_cleanup_(vmas_deinit) struct vmas self = { 0 };
	const struct vma *m = NULL;
	void *p = mmap(NULL, 4096, PROT_NONE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return false;
	if (!vmas_read(&self, getpid(), NULL))
		m = vmas_find(&self, (uintptr_t)p);
	munmap(p, 4096);
	return m && vma_is_file(m, want->dev, want->ino);
}

/*
 * Is @fd the file that QEMU has mapped? On btrfs and overlayfs stat() and
 * maps name different devices for one file: then compare like with like.
 */
static bool is_same_file(int fd, const struct vma *m)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	return vma_is_file(m, st.st_dev, st.st_ino) || maps_like(fd, m);
}

static int open_by_path(const struct vma *m)
{
	_cleanup_close_ int fd = open(m->path, OPEN_FLAGS | O_NOFOLLOW);

	return fd >= 0 && is_same_file(fd, m) ? xf_take_fd(fd) : -1;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Does entry @name of @dir point to @path, in the words of /proc? */
static bool links_to(int dir, const char *name, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target));

	return n == (ssize_t)strlen(path) && !memcmp(target, path, n);
}

/* Works for a file without a name, as QEMU keeps its descriptor. */
static int open_by_fd(const struct vmas *v, const struct vma *m)
{
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *e;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)v->pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		_cleanup_close_ int fd = -1;
		struct stat st;

		/* stat() first: opening some devices has consequences. */
		if (fstatat(dirfd(d), e->d_name, &st, 0) ||
		    !S_ISREG(st.st_mode) ||
		    (!vma_is_file(m, st.st_dev, st.st_ino) &&
		     !links_to(dirfd(d), e->d_name, m->path)))
			continue;
		fd = openat(dirfd(d), e->d_name, OPEN_FLAGS);
		if (fd >= 0 && is_same_file(fd, m))
			return xf_take_fd(fd);
	}
	return -1;
}

/* Always the right file, but only for the privileged. */
static int open_by_mapping(const struct vmas *v, const struct vma *m)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)v->pid, m->start, m->end);
	return open(path, OPEN_FLAGS);
}

void memslots_deinit(struct memslots *ms)
{
	for (size_t i = 0; i < ms->nr_files; i++) {
		close(ms->file[i].fd);
		free(ms->file[i].name);
	}
	free(ms->file);
	free(ms->slot);
	*ms = (struct memslots)MEMSLOTS_INIT;
}

static size_t add_file(struct memslots *ms, int fd, const char *name, dev_t dev,
		       ino_t ino)
{
	struct buf b = BUF_INIT;

	buf_add_escaped(&b, name, strlen(name));
	ms->file = grow(ms->file, ms->nr_files, sizeof(*ms->file));
	ms->file[ms->nr_files] = (struct memslot_file){
		.fd = fd, .name = buf_take(&b), .dev = dev, .ino = ino
	};
	return ms->nr_files++;
}

static int find_file(struct memslots *ms, const struct vmas *v,
		     const struct vma *m, size_t *ret_file, struct xf_err *err)
{
	int fd = -1;

	for (size_t i = 0; i < ms->nr_files; i++)
		if (vma_is_file(m, ms->file[i].dev, ms->file[i].ino)) {
			*ret_file = i;
			return 0;
		}
	if (m->path[0] == '/')
		fd = open_by_path(m);
	if (fd < 0)
		fd = open_by_fd(v, m);
	if (fd < 0)
		fd = open_by_mapping(v, m);
	if (fd < 0) {
		_cleanup_(buf_deinit) struct buf b = BUF_INIT;

		buf_puts(&b, "");
		buf_add_escaped(&b, m->path, strlen(m->path));
		return xf_fail(err, -EACCES,
			       "%s: the guest's RAM cannot be opened, neither "
			       "by name nor through process %d: use a "
			       "memory-backend-memfd or -file, or be root",
			       b.data, (int)v->pid);
	}
	*ret_file = add_file(ms, fd, m->path, m->dev, m->ino);
	return 0;
}

static int no_sense(uint64_t gpa, struct xf_err *err)
{
	return xf_fail(err, -EPROTO,
		       "guest RAM at 0x%" PRIx64 ": a layout that cannot be",
		       gpa);
}

/* Ranges come by rising gpa; pieces that continue each other become one. */
static int add_slot(struct memslots *ms, struct memslot s, struct xf_err *err)
{
	struct memslot *last = ms->nr ? &ms->slot[ms->nr - 1] : NULL;

	if (!s.len || (s.gpa | s.len | s.off) % 4096 || s.gpa + s.len < s.gpa ||
	    s.off + s.len < s.off || (last && s.gpa < last->gpa + last->len) ||
	    ms->nr == MAX_SLOTS)
		return no_sense(s.gpa, err);
	if (last && last->file == s.file && s.gpa == last->gpa + last->len &&
	    s.off == last->off + last->len &&
	    s.hva == (last->hva ? last->hva + last->len : 0)) {
		last->len += s.len;
		return 0;
	}
	ms->slot = grow(ms->slot, ms->nr, sizeof(s));
	ms->slot[ms->nr++] = s;
	return 0;
}

static int not_shared(struct xf_err *err, const char *name)
{
	return xf_fail(err, -ENOTSUP,
		       "guest RAM \"%s\" is private to QEMU: start the guest "
		       "with shared RAM (-object "
		       "memory-backend-memfd,id=ram0,share=on,size=SIZE "
		       "-machine memory-backend=ram0); \"xftrace guest args\" "
		       "prints the options",
		       name);
}

/* A line of "info mtree -f" that is memory. */
struct range {
	uint64_t gpa, len;
	uint64_t off;		/* in its memory region */
	uint64_t hva;		/* QEMU's virtual address */
	uint64_t ram_addr;
	bool rom, nvram;
	char *name;		/* memory region; borrowed from the text */
};

/*
 * Of the flat views in @text, take the one that the CPUs see:
 *
 *	FlatView #1
 *	 AS "memory", root: system
 *	 AS "cpu-memory-0", root: system
 *	 Root memory region: system
 *	  0000000000000000-000000000009ffff (prio 0, ram): m0
 *	  00000000000c0000-00000000000cafff (prio 0, rom): m0 @00000000000c0000
 *
 * Under KVM a line may end with " KVM".
 */
static void parse_flatview(char *text, struct range **ret, size_t *ret_nr)
{
	bool wanted = false;
	char *line, *save;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct range r = { 0 };
		uint64_t last;
		char type[16];
		int n = 0;

		if (!strncmp(line, "FlatView", 8)) {
			if (*ret_nr)
				return;
			wanted = false;
		} else if (!strncmp(line, " AS \"memory\",", 13)) {
			wanted = true;
		}
		if (!wanted ||
		    sscanf(line,
			   " %" SCNx64 "-%" SCNx64 " (prio %*d, %15[^)]): %n",
			   &r.gpa, &last, type, &n) < 3 ||
		    !n)
			continue;
		r.rom = !strcmp(type, "rom");
		r.nvram = !strcmp(type, "nv-ram");
		if (!r.rom && !r.nvram && strcmp(type, "ram"))
			continue;
		r.len = last - r.gpa + 1;
		r.name = line + n;
		sscanf(r.name, "%*s @%" SCNx64, &r.off);
		r.name[strcspn(r.name, " ")] = '\0';
		*ret = grow(*ret, *ret_nr, sizeof(r));
		(*ret)[(*ret_nr)++] = r;
	}
}

/*
 * RAM is what a memory backend provides; all else that looks like RAM belongs
 * to a device. Old machine types name the region after the object's path.
 */
static bool is_backend(const json_t *memdevs, const char *region)
{
	const char *slash = strrchr(region, '/');
	const json_t *dev;
	size_t i;

	if (slash)
		region = slash + 1;
	json_array_foreach(memdevs, i, dev) {
		const char *id = json_string_value(json_object_get(dev, "id"));

		if (id && !strcmp(id, region))
			return true;
	}
	return false;
}

static bool is_ram(const struct range *r, const struct range *all, size_t nr,
		   const json_t *memdevs)
{
	if (!r->rom)
		return !r->nvram &&
		       (!r->gpa || is_backend(memdevs, r->name));
	/* Firmware's shadow is a piece of RAM, a ROM proper is none. */
	for (size_t i = 0; i < nr; i++)
		if (!all[i].rom && !strcmp(all[i].name, r->name))
			return is_ram(&all[i], NULL, 0, memdevs);
	return false;
}

/* One range may span several mappings, which mbind() or madvise() split. */
static int add_range(struct memslots *ms, const struct vmas *v,
		     const struct range *r, struct xf_err *err)
{
	uint64_t len;

	if (r->gpa + r->len <= r->gpa)
		return no_sense(r->gpa, err);
	for (uint64_t done = 0; done < r->len; done += len) {
		uint64_t hva = r->hva + done;
		const struct vma *m = vmas_find(v, hva);
		struct memslot s = { .gpa = r->gpa + done, .hva = hva };
		int rc;

		if (!m)
			return xf_fail(err, -EPROTO,
				       "guest RAM \"%s\": process %d has "
				       "nothing mapped at 0x%" PRIx64,
				       r->name, (int)v->pid, hva);
		if (!m->shared || !m->ino)
			return not_shared(err, r->name);
		len = m->end - hva;
		if (len > r->len - done)
			len = r->len - done;
		s.len = len;
		s.off = m->off + (hva - m->start);
		s.ram_addr = r->ram_addr == MEMSLOT_NO_RAM_ADDR ?
				     r->ram_addr : r->ram_addr + done;
		rc = find_file(ms, v, m, &s.file, err);
		if (!rc)
			rc = add_slot(ms, s, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* "Host virtual address for 0x0 (m0) is 0x7fb09ffff000" */
static int gpa_to_hva(struct qmp *q, uint64_t gpa, uint64_t *ret_hva,
		      struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	char line[64];
	const char *s;
	int rc;

	snprintf(line, sizeof(line), "gpa2hva 0x%" PRIx64, gpa);
	rc = qmp_hmp(q, line, &text, err);
	if (rc)
		return rc;
	s = text.len ? strstr(text.data, ") is 0x") : NULL;
	if (!s || sscanf(s, ") is %" SCNx64, ret_hva) != 1) {
		_cleanup_(buf_deinit) struct buf b = BUF_INIT;

		buf_puts(&b, "");
		buf_add_escaped(&b, text.data, text.len);
		return xf_fail(err, -EPROTO, "QEMU's answer to \"%s\": %s",
			       line, b.data);
	}
	return 0;
}

/*
 * A memory region is one piece of QEMU's memory: ask for its first range only.
 * (While firmware runs, the others may change between two questions.)
 */
static int locate(struct range *all, size_t nr, struct qmp *q,
		  struct xf_err *err)
{
	struct range *r = &all[nr];

	for (size_t i = 0; i < nr; i++)
		if (all[i].hva && !strcmp(all[i].name, r->name)) {
			r->hva = all[i].hva - all[i].off + r->off;
			return 0;
		}
	return gpa_to_hva(q, r->gpa, &r->hva, err);
}

/*
 * Where @r lies among QEMU's RAM blocks, as "info ramblock" has them:
 *
 *	  Block Name    PSize              Offset               Used ...
 *	        ram0    4 KiB  0x0000000000000000 0x0000000020000000 ...
 *
 * Old machine types name the block after the object's path.
 */
static uint64_t ram_addr_of(const struct range *r, const char *blocks)
{
	const char *slash = strrchr(r->name, '/');
	const char *name = slash ? slash + 1 : r->name;
	size_t len = strlen(name);

	for (const char *line = blocks; line; line = strchr(line, '\n')) {
		const char *end;
		uint64_t off;

		line += strspn(line, " \n");
		end = line + strcspn(line, " \n");
		if ((size_t)(end - line) >= len &&
		    !strncmp(end - len, name, len) &&
		    (end - len == line || *(end - len - 1) == '/') &&
		    sscanf(end, " %*d %*s %" SCNx64, &off) == 1)
			return off + r->off;
	}
	return MEMSLOT_NO_RAM_ADDR;
}

/* What the CPUs see as memory. */
struct ranges {
	struct range *range;
	size_t nr;
	struct buf text, blocks; /* of QEMU, where it comes from */
};

static void ranges_deinit(struct ranges *r)
{
	free(r->range);
	buf_deinit(&r->text);
	buf_deinit(&r->blocks);
}

static int ranges_ask(struct ranges *r, struct qmp *q, struct xf_err *err)
{
	int rc;

	*r = (struct ranges){ 0 };
	rc = qmp_hmp(q, "info mtree -f", &r->text, err);
	if (!rc)
		rc = qmp_hmp(q, "info ramblock", &r->blocks, err);
	if (rc || !r->text.len)
		return rc;
	parse_flatview(r->text.data, &r->range, &r->nr);
	for (size_t i = 0; i < r->nr; i++)
		r->range[i].ram_addr = ram_addr_of(&r->range[i],
						   r->blocks.data);
	return 0;
}

static int some(const struct memslots *ms, struct xf_err *err)
{
	return ms->nr ? 0 : xf_fail(err, -EPROTO, "QEMU does not say where the "
						  "guest's RAM is");
}

static int ask_qemu(struct memslots *ms, struct qmp *q, struct xf_err *err)
{
	_cleanup_(json_decrefp) json_t *memdevs = NULL;
	_cleanup_(ranges_deinit) struct ranges r = { 0 };
	_cleanup_(vmas_deinit) struct vmas v = { 0 };
	int rc;

	rc = qmp_peer_pid(q, &ms->pid, err);
	if (!rc)
		rc = qmp_command(q, "query-memdev", NULL, &memdevs, err);
	if (!rc)
		rc = ranges_ask(&r, q, err);
	if (!rc)
		rc = vmas_read(&v, ms->pid, err);
	if (rc)
		return rc;
	ms->uid = q->uid;
	for (size_t i = 0; i < r.nr; i++) {
		if (!is_ram(&r.range[i], r.range, r.nr, memdevs))
			continue;
		rc = locate(r.range, i, q, err);
		if (!rc)
			rc = add_range(ms, &v, &r.range[i], err);
		if (rc)
			return rc;
	}
	return some(ms, err);
}

static int ask_places(struct memslots *ms, struct qmp *q, struct xf_err *err)
{
	_cleanup_(ranges_deinit) struct ranges r = { 0 };
	int rc = ranges_ask(&r, q, err);

	for (size_t i = 0; !rc && i < r.nr; i++) {
		const struct range *at = &r.range[i];

		/* Devices have memory in all sizes, some of it moves away. */
		if ((at->gpa | at->len) % 4096 || locate(r.range, i, q, NULL))
			continue;
		rc = add_slot(ms, (struct memslot){ .gpa = at->gpa,
						    .len = at->len,
						    .hva = at->hva,
						    .ram_addr = at->ram_addr },
			      err);
	}
	return rc ? rc : some(ms, err);
}

int memslots_from_qmp(struct memslots *ms, struct qmp *q, struct xf_err *err)
{
	int rc;

	*ms = (struct memslots)MEMSLOTS_INIT;
	rc = ask_qemu(ms, q, err);
	if (rc)
		memslots_deinit(ms);
	return rc;
}

int memslots_places_from_qmp(struct memslots *ms, struct qmp *q,
			     struct xf_err *err)
{
	int rc;

	*ms = (struct memslots)MEMSLOTS_INIT;
	rc = ask_places(ms, q, err);
	if (rc)
		memslots_deinit(ms);
	return rc;
}

/* A command line, cut into its arguments. */
struct argv {
	char **arg;		/* borrowed from text */
	size_t nr;
	struct buf text;
};

static void argv_deinit(struct argv *a)
{
	free(a->arg);
	buf_deinit(&a->text);
}

static int argv_read(struct argv *a, pid_t pid, struct xf_err *err)
{
	char path[64];
	size_t pos = 0;
	int rc;

	*a = (struct argv){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	rc = io_read_file(path, MAX_CMDLINE, &a->text, err);
	if (rc)
		return xf_prefix(err, rc, "process %d", (int)pid);
	while (pos < a->text.len) {
		a->arg = grow(a->arg, a->nr, sizeof(*a->arg));
		a->arg[a->nr++] = a->text.data + pos;
		pos += strlen(a->text.data + pos) + 1;
	}
	return 0;
}

/* The argument after option @name (-name or --name) from *@pos on, or NULL. */
static const char *argv_option(const struct argv *a, const char *name,
			       size_t *pos)
{
	while (*pos + 1 < a->nr) {
		const char *s = a->arg[(*pos)++];

		if (*s == '-' && !strcmp(s + 1 + (s[1] == '-'), name))
			return a->arg[(*pos)++];
	}
	return NULL;
}

/*
 * The value of @key in "first,key=value,...", where a comma inside a value is
 * doubled; @key NULL: what stands before the first comma. malloc()ed or NULL.
 */
static char *option_value(const char *s, const char *key)
{
	struct buf b = BUF_INIT;
	size_t key_len = key ? strlen(key) : 0;

	while (key && (strncmp(s, key, key_len) || s[key_len] != '=')) {
		while (*s && (*s != ',' || s[1] == ','))
			s += *s == ',' ? 2 : 1;
		if (!*s++)
			return NULL;
	}
	for (s += key ? key_len + 1 : 0; *s && (*s != ',' || s[1] == ','); s++)
		buf_putc(&b, *s == ',' ? *s++ : *s);
	return buf_take(&b);
}

static char *resolve(pid_t pid, char *path)
{
	struct buf b = BUF_INIT;

	if (!path || *path == '/')
		return path;
	buf_printf(&b, "/proc/%d/cwd/%s", (int)pid, path);
	free(path);
	return buf_take(&b);
}

/* "-chardev socket,id=@id,path=..." */
static char *chardev_path(const struct argv *a, const char *id)
{
	const char *opt;
	size_t pos = 0;

	while ((opt = argv_option(a, "chardev", &pos))) {
		_cleanup_free_ char *this_id = option_value(opt, "id");
		_cleanup_free_ char *kind = option_value(opt, NULL);

		if (this_id && !strcmp(this_id, id) && !strcmp(kind, "socket"))
			return option_value(opt, "path");
	}
	return NULL;
}

/* The path behind "-qmp unix:PATH,..." or "-qmp chardev:ID". */
static char *qmp_option_path(const struct argv *a, const char *opt)
{
	_cleanup_free_ char *dev = option_value(opt, NULL);

	if (!strncmp(dev, "unix:", 5))
		return strdup(dev + 5);
	if (!strncmp(dev, "chardev:", 8))
		return chardev_path(a, dev + 8);
	return NULL;
}

static char *mon_option_path(const struct argv *a, const char *opt)
{
	_cleanup_free_ char *mode = option_value(opt, "mode");
	_cleanup_free_ char *dev = option_value(opt, "chardev");

	/* "-mon ID,..." is short for "-mon chardev=ID,..." */
	if (!dev)
		dev = option_value(opt, NULL);
	if (!mode || strcmp(mode, "control"))
		return NULL;
	return chardev_path(a, dev);
}

int qemu_find_qmp(pid_t pid, size_t nth, char **ret_path, struct xf_err *err)
{
	static const struct {
		const char *option;
		char *(*path)(const struct argv *a, const char *opt);
	} kinds[] = {
		{ "qmp", qmp_option_path },
		{ "qmp-pretty", qmp_option_path },
		{ "mon", mon_option_path },
	};
	_cleanup_(argv_deinit) struct argv a = { 0 };
	int rc = argv_read(&a, pid, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *opt;
		size_t pos = 0;

		while ((opt = argv_option(&a, kinds[i].option, &pos))) {
			char *path = kinds[i].path(&a, opt);

			if (path && !nth--) {
				*ret_path = resolve(pid, path);
				return 0;
			}
			free(path);
		}
	}
	return xf_fail(err, -ENOENT,
		       "process %d has no further QMP socket on its command "
		       "line",
		       (int)pid);
}

/* "512", "6G", "size=6G,slots=2": bytes, 0 when not understood. */
static uint64_t parse_ram_size(const char *opt)
{
	static const char units[] = "bkmgt";
	_cleanup_free_ char *size = option_value(opt, "size");
	const char *unit;
	uint64_t n;
	char *end;
	int shift;

	if (!size)
		size = option_value(opt, NULL);
	n = strtoull(size, &end, 10);
	if (end == size || (*end && end[1]))
		return 0;
	unit = strchr(units, *end ? tolower(*end) : 'm');
	if (!unit)
		return 0;
	shift = (unit - units) * 10;
	return n << shift >> shift == n ? n << shift : 0;
}

/*
 * Where QEMU ends low RAM. q35 leaves 2 GiB below the hole once RAM would
 * reach into it, pc 3 GiB; both keep the split on a gigabyte for huge pages.
 */
static uint64_t guess_lowmem(const struct argv *a, uint64_t ram)
{
	static const char *const options[] = { "machine", "M" };
	bool q35 = false;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *opt;
		size_t pos = 0;

		while ((opt = argv_option(a, options[i], &pos)))
			q35 |= strstr(opt, "q35") != NULL;
	}
	if (q35)
		return ram >= 0xb0000000 ? MEMSLOT_LOWMEM_Q35 : ram;
	return ram >= 0xe0000000 ? MEMSLOT_LOWMEM_PC : ram;
}

static int add_split(struct memslots *ms, size_t file, uint64_t off,
		     uint64_t len, uint64_t lowmem, struct xf_err *err)
{
	uint64_t low = len < lowmem ? len : lowmem;
	struct memslot s = { .len = low, .off = off, .file = file,
			     .ram_addr = MEMSLOT_NO_RAM_ADDR };
	int rc = add_slot(ms, s, err);

	if (rc || len <= low)
		return rc;
	s.gpa = FOUR_GIB;
	s.len = len - low;
	s.off = off + low;
	return add_slot(ms, s, err);
}

/* The one shared mapping of @ram bytes, all of its pieces taken together. */
static int guess_from_maps(struct memslots *ms, const struct vmas *v,
			   const struct argv *a, uint64_t ram,
			   struct xf_err *err)
{
	const struct vma *found = NULL;
	size_t i, end, file;
	int rc;

	for (i = 0; i < v->nr; i = end) {
		const struct vma *m = &v->vma[i];

		for (end = i + 1; end < v->nr; end++) {
			const struct vma *next = &v->vma[end];

			if (next->start != next[-1].end ||
			    next->shared != m->shared ||
			    !vma_is_file(next, m->dev, m->ino) ||
			    next->off != m->off + (next->start - m->start))
				break;
		}
		if (!m->shared || !m->ino ||
		    v->vma[end - 1].end - m->start != ram)
			continue;
		if (found && !vma_is_file(found, m->dev, m->ino))
			return xf_fail(err, -ENOTSUP,
				       "process %d maps several files of the "
				       "size of its RAM: give it a QMP socket",
				       (int)v->pid);
		found = m;
	}
	if (!found)
		return xf_fail(err, -ENOTSUP,
			       "process %d has no QMP socket and no shared "
			       "mapping of the size of its RAM (%" PRIu64
			       " MiB): start the guest with shared RAM and "
			       "-qmp; \"xftrace guest args\" prints the "
			       "options",
			       (int)v->pid, ram >> 20);
	rc = find_file(ms, v, found, &file, err);
	return rc ? rc :
		    add_split(ms, file, found->off, ram, guess_lowmem(a, ram),
			      err);
}

static int guess_from_pid(struct memslots *ms, pid_t pid, struct xf_err *err)
{
	_cleanup_(argv_deinit) struct argv a = { 0 };
	_cleanup_(vmas_deinit) struct vmas v = { 0 };
	uint64_t ram = 128u << 20; /* QEMU's default */
	char path[64];
	struct stat st;
	const char *opt;
	size_t pos = 0;
	int rc;

	*ms = (struct memslots){ .pid = pid, .guessed = true };
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &st))
		return xf_fail_errno(err, "process %d", (int)pid);
	ms->uid = st.st_uid;
	rc = argv_read(&a, pid, err);
	if (rc)
		return rc;
	while ((opt = argv_option(&a, "m", &pos)))
		ram = parse_ram_size(opt);
	rc = vmas_read(&v, pid, err);
	if (!rc)
		rc = guess_from_maps(ms, &v, &a, ram, err);
	if (rc)
		memslots_deinit(ms);
	return rc;
}

int memslots_from_pid(struct memslots *ms, pid_t pid, int timeout_ms,
		      struct xf_err *err)
{
	int rc = 0;

	*ms = (struct memslots)MEMSLOTS_INIT;
	for (size_t nth = 0;; nth++) {
		_cleanup_(qmp_close) struct qmp q = QMP_INIT;
		_cleanup_free_ char *path = NULL;
		int again = qemu_find_qmp(pid, nth, &path, nth ? NULL : err);

		if (again == -ENOENT)
			return nth ? rc : guess_from_pid(ms, pid, err);
		if (again)
			return again;
		rc = qmp_open(&q, path, timeout_ms, err);
		if (rc)
			continue;
		if (q.pid != pid) {
			rc = xf_fail(err, -ESTALE,
				     "%s: belongs to process %d, not %d", path,
				     (int)q.pid, (int)pid);
			continue;
		}
		return memslots_from_qmp(ms, &q, err);
	}
}

int memslots_from_file(struct memslots *ms, const char *path, uint64_t lowmem,
		       struct xf_err *err)
{
	_cleanup_close_ int fd = open(path, OPEN_FLAGS | O_NOFOLLOW);
	struct stat st;
	size_t file;
	int rc;

	*ms = (struct memslots)MEMSLOTS_INIT;
	if (fd < 0 || fstat(fd, &st))
		return xf_fail_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size < 4096 || lowmem > FOUR_GIB ||
	    (st.st_size | lowmem) % 4096)
		return xf_fail(err, -EINVAL, "%s: not a file of guest RAM",
			       path);
	if (!lowmem)
		lowmem = st.st_size >= 0xb0000000 ? MEMSLOT_LOWMEM_Q35 :
						    (uint64_t)st.st_size;
	ms->guessed = true;
	file = add_file(ms, xf_take_fd(fd), path, st.st_dev, st.st_ino);
	rc = add_split(ms, file, 0, st.st_size, lowmem, err);
	if (rc)
		memslots_deinit(ms);
	return rc;
}
