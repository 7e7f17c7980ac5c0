// SPDX-License-Identifier: GPL-2.0-only
/*
 * load FILE -- what KernelShark's library finds in a trace.dat.
 *
 *	event NAME NUMBER	entries of an event
 *	task PID COMM		a task that has entries
 *	call NAME NUMBER	entries of calls of a function, as it names it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libkshark.h>

/* Counted names: few of them, so a list. */
struct count {
	struct count *next;
	unsigned long nr;
	char name[];
};

static void count(struct count **list, const char *name)
{
	struct count *c = *list;

	while (c && strcmp(c->name, name))
		c = c->next;
	if (!c) {
		c = calloc(1, sizeof(*c) + strlen(name) + 1);
		if (!c)
			abort();
		strcpy(c->name, name);
		c->next = *list;
		*list = c;
	}
	c->nr++;
}

static void print(const char *what, struct count *list)
{
	for (struct count *next; list; list = next) {
		next = list->next;
		printf("%s %s %lu\n", what, list->name, list->nr);
		free(list);
	}
}

/* "+ 12.345 us |    name();" or "|    name() {" */
static void count_call(struct count **list, char *info)
{
	char *bar = strchr(info, '|');
	char *name = bar ? bar + 1 : info;

	name += strspn(name, " ");
	name[strcspn(name, "( ")] = '\0';
	count(list, name);
}

static int report(struct kshark_context *ctx, int sd)
{
	struct kshark_entry **entries = NULL;
	struct count *events = NULL, *calls = NULL;
	ssize_t n = kshark_load_entries(ctx, sd, &entries);
	int *pids = NULL;

	if (n < 0)
		return 1;
	for (ssize_t i = 0; i < n; i++) {
		char *name = kshark_get_event_name(entries[i]);

		count(&events, name);
		if (!strcmp(name, "ftrace/funcgraph_entry")) {
			char *info = kshark_get_info(entries[i]);

			count_call(&calls, info);
			free(info);
		}
		free(name);
		free(entries[i]);
	}
	free(entries);
	print("event", events);
	print("call", calls);
	n = kshark_get_task_pids(ctx, sd, &pids);
	for (ssize_t i = 0; i < n; i++) {
		char *comm = kshark_comm_from_pid(sd, pids[i]);

		printf("task %d %s\n", pids[i], comm);
		free(comm);
	}
	free(pids);
	return 0;
}

int main(int argc, char **argv)
{
	struct kshark_context *ctx = NULL;
	int sd, rc;

	if (argc != 2 || !kshark_instance(&ctx))
		return 2;
	sd = kshark_open(ctx, argv[1]);
	if (sd < 0) {
		fprintf(stderr, "%s: %d\n", argv[1], sd);
		return 1;
	}
	rc = report(ctx, sd);
	kshark_close(ctx, sd);
	kshark_free(ctx);
	return rc;
}
