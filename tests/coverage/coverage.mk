# SPDX-License-Identifier: Apache-2.0
#
# What of core the tests reach: make coverage (COVERAGE_SEEDS=).
#
#   coverage            core as shipped under its unit tests and the simulator
#   coverage-small      all sizes the smallest legal ones, unit tests
#   coverage-sim-small  the smallest steps a poll, simulator
#
# Clang's own counters, not gcc's: they know each condition of the source, and
# from release 18 on which of them decides (MC/DC). Debian 12 has 19 beside 14.

COVERAGE_CLANG ?= 19
COVERAGE_SEEDS ?= 30
DEPS_TEST += coverage

COVERAGE_SIM := $(filter-out tests/sim/test_%,$(wildcard tests/sim/*.c))
COVERAGE_FLAVOURS := coverage coverage-small coverage-sim-small
COVERAGE_COUNTERS := -fprofile-instr-generate -fcoverage-mapping \
    -fcoverage-mcdc

$(call flavour,coverage,clang-$(COVERAGE_CLANG),-O1 -g -w,,gateway)
$(call flavour,coverage-small,clang-$(COVERAGE_CLANG),-O1 -g -w -DTEST_SMALL=1,tests/small.h,gateway)
$(call flavour,coverage-sim-small,clang-$(COVERAGE_CLANG),-O1 -g -w,tests/sim/small.h,gateway)

# Only core is counted. $(call coverage_rules,FLAVOUR)
define coverage_rules
$(O)/$(1)/obj/core/%.o: private $(1)_FLAGS += $(COVERAGE_COUNTERS)
# Inline functions of the public headers are compiled by who uses them.
$(O)/$(1)/obj/tests/unit/test_typed.o: private $(1)_FLAGS += $(COVERAGE_COUNTERS)

$(O)/$(1)/unit/test_%: $(O)/$(1)/obj/tests/unit/test_%.o \
    $(call objects,$(1),$(CORE_SRC) $(UNIT_HELPERS))
	@mkdir -p $$(@D) && echo '  LD      $$@'
	@$$($(1)_CC) -fprofile-instr-generate $$^ -lcmocka -o $$@
$(O)/$(1)/sim: $(call objects,$(1),$(CORE_SRC) $(COVERAGE_SIM))
	@echo '  LD      $$@'
	@$$($(1)_CC) -fprofile-instr-generate $$^ -o $$@
endef
$(foreach f,$(COVERAGE_FLAVOURS),$(eval $(call coverage_rules,$(f))))

COVERAGE_UNIT := $(patsubst tests/unit/%.c,unit/%,$(wildcard tests/unit/test_*.c))
COVERAGE_PROGRAMS := $(addprefix $(O)/, \
    $(addprefix coverage/,$(COVERAGE_UNIT)) coverage/sim \
    $(addprefix coverage-small/,$(COVERAGE_UNIT)) coverage-sim-small/sim)

# What tests/coverage/test_coverage.py runs.
$(O)/coverage/programs: $(COVERAGE_PROGRAMS) FORCE
	@printf '%s\n' $(COVERAGE_PROGRAMS) >$@
TEST_NEEDS += $(O)/coverage/programs

coverage: deps-test
	$(MAKE_AGAIN) coverage-built
coverage-built: $(O)/coverage/programs
	@O='$(O)' $(PYTHON) tests/coverage/coverage.py --seeds $(COVERAGE_SEEDS)

.PHONY: coverage coverage-built
