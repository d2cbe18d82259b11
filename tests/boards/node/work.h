/* SPDX-License-Identifier: Apache-2.0 */
/* work.h - instructions of each kinf_poll, by what it did. */
#ifndef KINF_TEST_WORK_H
#define KINF_TEST_WORK_H

#include "mbedtls/kinf_mbedtls.h"

/* Whose work: the loop, its first informer, its transport, and the counter of
 * its handlers' calls. */
void work_of(struct kinf *k, const struct kinf_informer *informer,
             struct kinf_mbedtls *tls, const uint32_t *calls);
void work_begin(void);
void work_network(void); /* network_poll, counted */
uint32_t work_poll(void); /* kinf_poll, counted */
void work_tell(void);

#endif
