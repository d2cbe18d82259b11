# SPDX-License-Identifier: Apache-2.0
#
# What core costs: make size, make ram_report.

DEPS_SIZE := arm jsmn

M4 := arm-none-eabi-gcc
M4_FLAGS := -mcpu=cortex-m4 -mthumb -Os -ffreestanding -fcallgraph-info=su

# lean.h leaves out the features a firmware of one informer can do without.
$(call flavour,m4,$(M4),$(M4_FLAGS) -DCONFIG_KINF_ASSERT=0,,firmware)
$(call flavour,m4-assert,$(M4),$(M4_FLAGS) -DCONFIG_KINF_ASSERT=1,,firmware)
$(call flavour,m4-lean,$(M4),$(M4_FLAGS) -DCONFIG_KINF_ASSERT=0,tests/size/lean.h,firmware)
$(call flavour,m4-lean-assert,$(M4),$(M4_FLAGS) -DCONFIG_KINF_ASSERT=1,tests/size/lean.h,firmware)

# -nostdlib: what a firmware's C library adds is none of core's.
define size_rules
$(O)/$(1)/smallest.elf $(O)/$(1)/smallest.map &: \
    $(call objects,$(1),$(CORE_SRC) tests/size/main.c)
	@echo '  LD      $(O)/$(1)/smallest.elf'
	@$$($(1)_CC) -mcpu=cortex-m4 -mthumb -nostdlib -Wl,-e,main \
	    -Wl,--gc-sections -Wl,-Map=$(O)/$(1)/smallest.map $$(filter %.o,$$^) \
	    -lc_nano -lgcc -o $(O)/$(1)/smallest.elf
endef
SIZE_FLAVOURS := m4-lean m4-lean-assert m4 m4-assert
$(foreach f,$(SIZE_FLAVOURS),$(eval $(call size_rules,$(f))))
SIZE_MAPS := $(SIZE_FLAVOURS:%=$(O)/%/smallest.map)

$(O)/report/size.json: $(SIZE_MAPS) tests/size/report.py
	@$(PYTHON) tests/size/report.py size $@ $(SIZE_MAPS)

# The sizes a board is configured for, as its own compiler sees them.
RAM_FLAVOUR ?= $(if $(filter linux,$(BOARD)),gateway,$(BOARD))
RAM_NM      ?= $(if $(filter linux,$(BOARD)),nm,$(CROSS)nm)

$(O)/report/ram.json: $(O)/$(RAM_FLAVOUR)/obj/tests/size/ram_pools.o \
    tests/size/report.py FORCE
	@$(PYTHON) tests/size/report.py ram $@ $< tests/size/ram_pools.c $(RAM_NM)

ifeq ($(BOARD),linux)
size:
	@.ci/deps.sh $(DEPS_SIZE)
	$(MAKE_AGAIN) size-built
size-built: $(SIZE_MAPS)
	@$(PYTHON) tests/size/report.py size $(O)/report/size.json $^
endif

# A board's own: tests/boards/boards.mk.
ifeq ($(BOARD),linux)
ram_report:
	$(MAKE_AGAIN) $(O)/report/ram.json
endif

DEPS_TEST  += $(DEPS_SIZE)
TEST_NEEDS += $(O)/report/size.json $(O)/report/ram.json

.PHONY: size size-built ram_report
