/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd -- the verbs. Each is a file cmd_<verb>.c with one function.
 *
 * A verb returns 0, or a negative errno with a sentence; main prints it and
 * chooses the exit code: 0 done, 1 failed, 2 misused (OPT_MISUSE). A positive
 * number is the exit code itself.
 */
#ifndef XF_CMD_H
#define XF_CMD_H

#include "err.h"

int cmd_on(int argc, char **argv, struct xf_err *err);
int cmd_off(int argc, char **argv, struct xf_err *err);
int cmd_status(int argc, char **argv, struct xf_err *err);
int cmd_report(int argc, char **argv, struct xf_err *err);
int cmd_symbols(int argc, char **argv, struct xf_err *err);
int cmd_dirty(int argc, char **argv, struct xf_err *err);
int cmd_events(int argc, char **argv, struct xf_err *err);
int cmd_ls(int argc, char **argv, struct xf_err *err);
int cmd_show(int argc, char **argv, struct xf_err *err);
int cmd_rm(int argc, char **argv, struct xf_err *err);
int cmd_mv(int argc, char **argv, struct xf_err *err);
int cmd_export(int argc, char **argv, struct xf_err *err);
int cmd_import(int argc, char **argv, struct xf_err *err);
int cmd_recover(int argc, char **argv, struct xf_err *err);
int cmd_check(int argc, char **argv, struct xf_err *err);
int cmd_batch(int argc, char **argv, struct xf_err *err);
int cmd_watch(int argc, char **argv, struct xf_err *err);
int cmd_baseline(int argc, char **argv, struct xf_err *err);
int cmd_store(int argc, char **argv, struct xf_err *err);
int cmd_guest(int argc, char **argv, struct xf_err *err);

#endif
