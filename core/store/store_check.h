/* SPDX-License-Identifier: Apache-2.0 */
/* store_check.h - the store's invariants, for tests and debugging. */
#ifndef KINF_STORE_STORE_CHECK_H
#define KINF_STORE_STORE_CHECK_H

#include "kinformer.h"

/* Walks everything and asserts that it hangs together; between two polls. */
void kinf_store_check(const struct kinf_store *s,
                      const struct kinf_delta_fifo *fifo,
                      const struct kinf_processor *processor);

#endif
