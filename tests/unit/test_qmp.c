// SPDX-License-Identifier: GPL-2.0-only
/* qmp against a server that is slow, rude, broken or busy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <time.h>

#include "cleanup.h"
#include "fake_qmp.h"
#include "qmp.h"

#define TIMEOUT_MS 3000
#define SHORT_MS   150

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Wait for the client to close, so that it is us who is slow. */
static void linger(int fd)
{
	char c[512];

	while (recv(fd, c, sizeof(c), 0) > 0)
		;
}

/* Answers every command with its own arguments. */
static void serve_echo(int fd, void *arg)
{
	json_t *req;

	fake_greet(fd);
	while ((req = fake_request(fd))) {
		json_t *args = json_object_get(req, "arguments");

		fake_return(fd, req, args ? json_incref(args) : json_object());
	}
}

static void test_command(void **state)
{
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	_cleanup_(json_decrefp) json_t *value = NULL;
	struct xf_err err = { 0 };
	struct fake_qmp f;
	pid_t pid;

	fake_qmp_start(&f, serve_echo, NULL);
	assert_int_equal(qmp_open(&q, f.path, TIMEOUT_MS, &err), 0);
	assert_int_equal(qmp_peer_pid(&q, &pid, &err), 0);
	assert_int_equal(pid, getpid());
	assert_int_equal(q.uid, getuid());

	assert_int_equal(qmp_command(&q, "x", json_pack("{s:i}", "n", 7),
				     &value, &err),
			 0);
	assert_int_equal(json_integer_value(json_object_get(value, "n")), 7);
	assert_int_equal(qmp_command(&q, "x", NULL, NULL, &err), 0);

	qmp_close(&q);
	qmp_close(&q);
	assert_int_equal(qmp_command(&q, "x", NULL, NULL, &err), -ENOTCONN);
	assert_int_equal(qmp_peer_pid(&q, &pid, &err), -ESRCH);
	fake_qmp_stop(&f);
}

/* Events, late answers, odd spacing, single bytes: still one answer each. */
static void serve_noise(int fd, void *arg)
{
	json_t *req;

	fake_send(fd, "\r\n");
	fake_greet(fd);
	while ((req = fake_request(fd))) {
		static const char noise[] =
			"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2},"
			" \"event\": \"STOP\"}\r\n"
			"{\"return\": \"too late\", \"id\": 4711}\r\n"
			"{ \"event\":\n\t\"RESUME\" , \"data\":\n{} }";
		char text[64];

		for (const char *s = noise; *s; s++) {
			char c[2] = { *s, 0 };

			fake_send(fd, c);
		}
		snprintf(text, sizeof(text),
			 "{\n    \"id\": %d,\n    \"return\": \"right\"\n}\n",
			 (int)json_integer_value(json_object_get(req, "id")));
		fake_send(fd, text);
		json_decref(req);
	}
}

static void test_noise(void **state)
{
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct xf_err err = { 0 };
	struct fake_qmp f;

	fake_qmp_start(&f, serve_noise, NULL);
	assert_int_equal(qmp_open(&q, f.path, TIMEOUT_MS, &err), 0);
	for (int i = 0; i < 3; i++) {
		_cleanup_(json_decrefp) json_t *value = NULL;

		assert_int_equal(qmp_command(&q, "x", NULL, &value, &err), 0);
		assert_string_equal(json_string_value(value), "right");
	}
	qmp_close(&q);
	fake_qmp_stop(&f);
}

static void serve_refuse(int fd, void *arg)
{
	json_t *req;

	fake_greet(fd);
	while ((req = fake_request(fd))) {
		json_t *msg = json_pack("{s:{s:s, s:s}, s:O}", "error", "class",
					"CommandNotFound", "desc",
					"no \033[31msuch\ncommand", "id",
					json_object_get(req, "id"));
		char *text = json_dumps(msg, 0);

		fake_send(fd, text);
		free(text);
		json_decref(msg);
		json_decref(req);
	}
}

static void test_refused(void **state)
{
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct xf_err err = { 0 };
	struct fake_qmp f;

	fake_qmp_start(&f, serve_refuse, NULL);
	assert_int_equal(qmp_open(&q, f.path, TIMEOUT_MS, &err), 0);
	/* A refusal leaves the connection usable. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(qmp_command(&q, "fly", NULL, NULL, &err),
				 -EREMOTEIO);
		assert_non_null(strstr(err.msg, "refused fly: no \\x1b[31msuch"
						"\\x0acommand"));
	}
	assert_int_equal(qmp_command(&q, "fly", NULL, NULL, NULL), -EREMOTEIO);
	qmp_close(&q);
	fake_qmp_stop(&f);
}

static void serve_hmp(int fd, void *arg)
{
	json_t *req;

	fake_greet(fd);
	while ((req = fake_request(fd))) {
		const char *line = NULL;
		char *copy;

		json_unpack(req, "{s:{s:s}}", "arguments", "command-line",
			    &line);
		if (!line) {
			fake_return(fd, req, json_integer(1));
			continue;
		}
		copy = strdup(line);
		if (!strcmp(copy, "number"))
			fake_return(fd, req, json_integer(5));
		else if (!strcmp(copy, "info registers -a"))
			fake_return(fd, req,
				    json_string("CPU#0\r\nCR0=80050033 "
						"CR3=0000000002a10000 CR4=0"
						"\r\nCPU#1\r\nCR3=abc000 "
						"CR4=0\r\nCR3=1000\r\n"));
		else
			fake_return(fd, req, json_string("one\r\ntwo\r\n"));
		free(copy);
	}
}

static void test_hmp(void **state)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct xf_err err = { 0 };
	struct fake_qmp f;
	uint64_t cr3[2];
	size_t nr;

	fake_qmp_start(&f, serve_hmp, NULL);
	assert_int_equal(qmp_open(&q, f.path, TIMEOUT_MS, &err), 0);
	assert_int_equal(qmp_hmp(&q, "info x", &text, &err), 0);
	assert_string_equal(text.data, "one\ntwo\n");
	assert_int_equal(qmp_hmp(&q, "number", &text, &err), -EPROTO);
	assert_int_equal(qmp_cr3(&q, cr3, 2, &nr, &err), 0);
	assert_int_equal(nr, 2);
	assert_int_equal(cr3[0], 0x2a10000);
	assert_int_equal(cr3[1], 0xabc000);
	qmp_close(&q);
	fake_qmp_stop(&f);
}

static void serve_nothing(int fd, void *arg)
{
	linger(fd);
}

static void test_busy(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct xf_err err = { 0 };
	struct qmp q = QMP_INIT;
	struct fake_qmp f;
	int64_t start;
	int fd[8];

	fake_qmp_start(&f, serve_nothing, NULL);
	start = now_ms();
	assert_int_equal(qmp_open(&q, f.path, SHORT_MS, &err), -EBUSY);
	assert_in_range(now_ms() - start, SHORT_MS - 10, SHORT_MS + 2000);
	assert_non_null(strstr(err.msg, "one client at a time"));

	/* Nor may a full listen queue block us. */
	strcpy(sa.sun_path, f.path);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = socket(AF_UNIX,
			       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(fd[i], (struct sockaddr *)&sa, sizeof(sa));
	}
	start = now_ms();
	assert_int_equal(qmp_open(&q, f.path, SHORT_MS, &err), -EBUSY);
	assert_in_range(now_ms() - start, SHORT_MS - 40, SHORT_MS + 2000);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	fake_qmp_stop(&f);
}

static void serve_mute(int fd, void *arg)
{
	fake_greet(fd);
	linger(fd);
}

static void test_timeout(void **state)
{
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct xf_err err = { 0 };
	struct fake_qmp f;
	int64_t start;

	fake_qmp_start(&f, serve_mute, NULL);
	assert_int_equal(qmp_open(&q, f.path, TIMEOUT_MS, &err), 0);
	q.timeout_ms = SHORT_MS;
	start = now_ms();
	assert_int_equal(qmp_command(&q, "x", NULL, NULL, &err), -ETIMEDOUT);
	assert_in_range(now_ms() - start, SHORT_MS - 10, SHORT_MS + 2000);
	/* The answer may still come; the next command must not take it. */
	assert_int_equal(qmp_command(&q, "x", NULL, NULL, &err), -ENOTCONN);
	qmp_close(&q);
	fake_qmp_stop(&f);
}

/* Sends arg instead of an answer, then closes. */
static void serve_text(int fd, void *arg)
{
	json_t *req;

	fake_greet(fd);
	req = fake_request(fd);
	json_decref(req);
	fake_send(fd, arg);
}

/* Trickles bytes: the deadline is for all of an answer, not for each byte. */
static void serve_trickle(int fd, void *arg)
{
	json_t *req;

	fake_greet(fd);
	req = fake_request(fd);
	json_decref(req);
	for (int i = 0; i < 100; i++) {
		fake_send(fd, " ");
		poll(NULL, 0, 20);
	}
}

static int ask_once(void (*serve)(int, void *), void *arg, int timeout_ms)
{
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct xf_err err = { 0 };
	struct fake_qmp f;
	int rc;

	fake_qmp_start(&f, serve, arg);
	assert_int_equal(qmp_open(&q, f.path, TIMEOUT_MS, &err), 0);
	q.timeout_ms = timeout_ms;
	rc = qmp_command(&q, "x", NULL, NULL, &err);
	if (rc)
		assert_int_equal(err.code, rc);
	qmp_close(&q);
	fake_qmp_stop(&f);
	return rc;
}

static void test_damage(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{ "", -ECONNRESET },
		{ "{\"return\": {", -ECONNRESET },
		{ "{\"return\": \"half a str", -ECONNRESET },
		{ "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO },
		{ "[{\"return\": {}}]", -EPROTO },
		{ "7\r\n", -EPROTO },
		{ "{\"return\": \"\xff\xfe\"}", -EPROTO },
		{ "{\"return\": 99999999999999999999999999}", -EPROTO },
		{ "{\"return\": 1e99999}", -EPROTO },
		{ "{\"return\": {}, }", -EPROTO },
		{ "{\"id\": {}, \"return\": 1}", -ECONNRESET },
		{ "{\"neither\": 1}", -ECONNRESET },
		{ "{\"error\": 5}", -EREMOTEIO },
		{ "{\"error\": {\"desc\": \"\"}}", -EREMOTEIO },
		{ "{\"return\": {}}", 0 },	/* an id is not a must */
		{ "{\"return\": null}", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(ask_once(serve_text, (void *)cases[i].text,
					  TIMEOUT_MS),
				 cases[i].rc);
	assert_int_equal(ask_once(serve_trickle, NULL, SHORT_MS), -ETIMEDOUT);
}

static void test_huge(void **state)
{
	_cleanup_free_ char *text = malloc(QMP_MAX_REPLY + 100);

	/* A string without an end, and brackets without an end. */
	strcpy(text, "{\"return\": \"");
	memset(text + 12, 'a', QMP_MAX_REPLY);
	text[QMP_MAX_REPLY + 12] = '\0';
	assert_int_equal(ask_once(serve_text, text, TIMEOUT_MS), -EMSGSIZE);
	memset(text + 11, '[', QMP_MAX_REPLY);
	assert_int_equal(ask_once(serve_text, text, TIMEOUT_MS), -EPROTO);
	/* Events without an end do not keep us forever. */
	memset(text, ' ', QMP_MAX_REPLY);
	assert_int_equal(ask_once(serve_text, text, TIMEOUT_MS), -EMSGSIZE);
}

static void serve_wrong_greeting(int fd, void *arg)
{
	fake_send(fd, arg);
	linger(fd);
}

static void test_open_fails(void **state)
{
	static const char *const greetings[] = { "{\"hello\": 1}", "220 ftp\n",
						 "{\"QMP\"" };
	struct xf_err err = { 0 };
	struct qmp q = QMP_INIT;
	struct fake_qmp f;
	char longer[300];

	for (size_t i = 0; i < ARRAY_SIZE(greetings); i++) {
		fake_qmp_start(&f, serve_wrong_greeting, (void *)greetings[i]);
		assert_int_equal(qmp_open(&q, f.path, SHORT_MS, &err),
				 i == 2 ? -EBUSY : -EPROTO);
		assert_int_equal(q.fd, -1);
		fake_qmp_stop(&f);
	}
	assert_int_equal(qmp_open(&q, f.path, SHORT_MS, &err), -ENOENT);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(qmp_open(&q, longer, SHORT_MS, &err), -ENAMETOOLONG);
	assert_int_equal(qmp_open(&q, "/dev/null", SHORT_MS, &err),
			 -ECONNREFUSED);
	qmp_close(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hmp),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_open_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
