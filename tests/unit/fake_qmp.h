/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_qmp -- a QMP server in a thread of the test, good or ill-behaved.
 *
 *	struct fake_qmp f;
 *	fake_qmp_start(&f, serve, arg);
 *	qmp_open(&q, f.path, ...);
 *	fake_qmp_stop(&f);
 *
 * serve() gets each connection, one after the other, and returns to close it.
 */
#ifndef FAKE_QMP_H
#define FAKE_QMP_H

#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct fake_qmp {
	void (*serve)(int fd, void *arg);
	void *arg;
	char dir[32], path[64];
	int listen_fd;
	pthread_t thread;
};

static inline void fake_send(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= n;
	}
}

static inline json_t *fake_request(int fd)
{
	return json_loadfd(fd, JSON_DISABLE_EOF_CHECK, NULL);
}

/* Answer @req, which is consumed, with @value, which is too. */
static inline void fake_return(int fd, json_t *req, json_t *value)
{
	json_t *msg = json_pack("{s:o, s:O}", "return", value, "id",
				json_object_get(req, "id"));
	char *text = json_dumps(msg, 0);

	fake_send(fd, text);
	fake_send(fd, "\r\n");
	free(text);
	json_decref(msg);
	json_decref(req);
}

static inline void fake_greet(int fd)
{
	json_t *req;

	fake_send(fd, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, "
		      "\"minor\": 2, \"major\": 7}}, \"capabilities\": "
		      "[\"oob\"]}}\r\n");
	req = fake_request(fd);
	if (req)
		fake_return(fd, req, json_object());
}

static inline void *fake_thread(void *arg)
{
	struct fake_qmp *f = arg;
	int fd;

	while ((fd = accept(f->listen_fd, NULL, NULL)) >= 0) {
		f->serve(fd, f->arg);
		close(fd);
	}
	return NULL;
}

static inline void fake_qmp_start(struct fake_qmp *f,
				  void (*serve)(int fd, void *arg), void *arg)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	*f = (struct fake_qmp){ .serve = serve, .arg = arg };
	strcpy(f->dir, "/tmp/xftrace-test-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	snprintf(f->path, sizeof(f->path), "%s/qmp", f->dir);
	strcpy(sa.sun_path, f->path);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(f->listen_fd, 1) ||
	    pthread_create(&f->thread, NULL, fake_thread, f))
		abort();
}

static inline void fake_qmp_stop(struct fake_qmp *f)
{
	shutdown(f->listen_fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listen_fd);
	unlink(f->path);
	rmdir(f->dir);
}

#endif
