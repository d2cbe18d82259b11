# SPDX-License-Identifier: Apache-2.0
#
# C tests. A folder tests/X with test_*.c is a set of suites: each such file is
# a program of its own, linked with the folder's other files, with core, and,
# except in tests/unit, with the ports and the parts of the gateway program.
#
#   unit-gcc, unit-clang   address and undefined-behaviour sanitizers
#   unit-small             as unit-gcc, all sizes the smallest legal ones
#
# make unit T=test_ring picks suites, and CORE="base wire" builds these folders
# alone; make test T="unit e2e/test_x" picks by parts of the suites' names.

T ?= *
PICKED := $(if $(filter unit,$(MAKECMDGOALS)),$(T),*)

DEPS_TEST := test

SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer

$(call flavour,unit-gcc,gcc,$(SANITIZE),,gateway)
$(call flavour,unit-clang,clang,$(SANITIZE),,gateway)
$(call flavour,unit-small,gcc,$(SANITIZE) -DTEST_SMALL=1,tests/small.h,gateway)
UNIT_FLAVOURS := unit-gcc unit-clang unit-small

# What tests of ports and of the program's parts link: gcc's flavour alone.
$(call mbedtls,unit-gcc)
$(call yaml,unit-gcc)
$(call library,unit-gcc)

# $(call c_tests,FLAVOUR,FOLDER,ARCHIVES): sets FLAVOUR_FOLDER_TESTS.
define c_tests_rules
$(1)_$(2)_TESTS := $(patsubst tests/$(2)/%.c,$(O)/$(1)/$(2)/%, \
    $(foreach t,$(PICKED),$(wildcard tests/$(2)/$(patsubst test_test_%,test_%,test_$(t)).c)))
$(O)/$(1)/$(2)/test_%: $(O)/$(1)/obj/tests/$(2)/test_%.o \
    $(call objects,$(1),$(filter-out tests/$(2)/test_%,$(wildcard tests/$(2)/*.c))) \
    $(3)
	@mkdir -p $$(@D) && echo '  LD      $$@'
	@$$($(1)_CC) $(SANITIZE) $$(filter %.o,$$^) \
	    -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
	    $$(LDFLAGS_mbedtls) -Wl,--gc-sections -lcmocka -o $$@
C_TESTS += $$($(1)_$(2)_TESTS)
endef
c_tests = $(eval $(call c_tests_rules,$(1),$(2),$(3)))

define core_rules
$(O)/$(1)/libcore.a: $(call objects,$(1),$(CORE_SRC))
	$$(call archive,$(1))
endef
$(foreach f,$(UNIT_FLAVOURS),$(eval $(call core_rules,$(f))))
$(foreach f,$(UNIT_FLAVOURS),$(call c_tests,$(f),unit,$(O)/$(f)/libcore.a))

UNIT_HELPERS := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
include tests/cross.mk

# Everything of the gateway but its main.
$(O)/unit-gcc/libboard.a: \
    $(call objects,unit-gcc,$(filter-out %/main.c,$(BOARD_SRC)))
	$(call archive,unit-gcc)
HOST_ARCHIVES := $(addprefix $(O)/unit-gcc/, \
    libboard.a libkinformer.a libmbedtls.a libyaml.a)
INC_tests_linux := $(INC_linux)
INC_tests_port  := $(INC_linux)

# tests/sim, the simulated world, needs core alone.
$(foreach f,unit-gcc unit-clang,$(call c_tests,$(f),sim,$(O)/$(f)/libcore.a))

# tests/faults, too: the port's calls fail one after the other.
$(foreach f,$(UNIT_FLAVOURS),$(call c_tests,$(f),faults,$(O)/$(f)/libcore.a))

# All other folders of suites in C.
HOST_FOLDERS := $(filter-out unit sim faults size,$(patsubst tests/%/,%, \
    $(sort $(dir $(wildcard tests/*/test_*.c)))))
$(foreach d,$(HOST_FOLDERS),$(call c_tests,unit-gcc,$(d),$(HOST_ARCHIVES)))

# What the house's own checks look at.
TEST_NEEDS += $(O)/host/libkinformer.a $(O)/host/libmbedtls.a

# The suites in C, for the driver, which finds all others itself.
$(O)/test/suites: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(C_TESTS) >$@

RUN_TESTS = python3=/usr/bin/python3; [ -x $$python3 ] || python3=python3; \
    O='$(O)' $$python3 tests/run.py --logs '$(O)/test/logs'

# make unit T=test_ring: these suites alone, sanitized, and their small build.
F ?= $(UNIT_FLAVOURS)
unit: $(foreach f,$(F),$($(f)_unit_TESTS))
	@$(RUN_TESTS) --only-given $^

test: deps-test
	$(MAKE_AGAIN) test-built
test-built: $(O)/test/suites $(PROGRAM)
	@$(RUN_TESTS) --list $(O)/test/suites $(if $(filter-out *,$(T)),--filter '$(T)')

# make test-long: suites tests/*/long_*, which take real minutes and are not
# for CI. Fragments add what they need to LONG_NEEDS.
test-long: deps-test
	$(MAKE_AGAIN) test-long-built
test-long-built:
	@$(RUN_TESTS) --only-given $(wildcard tests/*/long_*.py tests/*/long_*.sh)

.PHONY: unit test test-built test-long test-long-built
