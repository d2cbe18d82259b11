/* SPDX-License-Identifier: Apache-2.0 */
/* print.h - text and numbers, without a heap and without printf's 10 KB. */
#ifndef KINF_BOARD_PRINT_H
#define KINF_BOARD_PRINT_H

#include "kinformer.h"

void print(const char *text);
void print_span(struct kinf_span text);
void print_number(uint32_t number);

#endif
