# SPDX-License-Identifier: Apache-2.0
#
# port/freertos on a stand-in for the kernel (kernel/, standin.c): the kernel
# itself is in no registry of packages.

INC_tests_freertos := -Itests/freertos/kernel -D_GNU_SOURCE
$(filter $(O)/unit-gcc/freertos/test_%,$(C_TESTS)): \
    $(call objects,unit-gcc,$(filter-out %/assert.c,$(FREERTOS_SRC)))
TEST_NEEDS += $(call objects,freertos,$(FREERTOS_SRC))
