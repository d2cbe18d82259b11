/* SPDX-License-Identifier: Apache-2.0 */
/* print.h - text and numbers, without a heap and without printf's 10 KB. */
#ifndef KINF_BOARD_PRINT_H
#define KINF_BOARD_PRINT_H

#include "kinformer.h"

void print(const char *text);
void print_span(struct kinf_span text);
void print_number(uint32_t number);
/* A line: what, namespace, name and version. */
void print_change(const char *what, const struct kinf_object *object);
/* For kinf_informer_config.on_error. */
void print_error(void *ctx, int err, int status, struct kinf_span message,
                 const struct kinf_object *object);

#endif
