# SPDX-License-Identifier: Apache-2.0
#
# The program of lines that test_library.py speaks to: the library with the
# short deadlines of e2e.mk, so that doubt takes two seconds and not 75.

INC_tests_library := $(INC_linux) -D_DEFAULT_SOURCE

$(O)/e2e-short/informers: $(call objects,e2e-short,$(CORE_SRC) \
    tests/library/informers.c) \
    $(addprefix $(O)/sane/,libkinformer.a libmbedtls.a)
	@echo '  LD      $@'
	@gcc $(SANITIZE) $(filter %.o %.a,$^) -o $@
test-built: $(O)/e2e-short/informers
