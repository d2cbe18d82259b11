/* SPDX-License-Identifier: Apache-2.0 */
/* cc.h - what lwIP asks of a compiler and a port. */
#ifndef KINF_LWIP_ARCH_CC_H
#define KINF_LWIP_ARCH_CC_H

#include <stdint.h>

#include "lwipopts.h"

uint32_t kinf_lwip_random(void);
void kinf_assert_failed(unsigned file, unsigned line);

#define LWIP_RAND() kinf_lwip_random()
#define LWIP_NO_CTYPE_H 1
#ifndef LWIP_NO_UNISTD_H
#define LWIP_NO_UNISTD_H 1
#endif
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(text) kinf_assert_failed(90, __LINE__)
#if !CONFIG_KINF_LWIP_THREAD
#define SYS_ARCH_DECL_PROTECT(level)
#define SYS_ARCH_PROTECT(level)
#define SYS_ARCH_UNPROTECT(level)
#endif

#endif
