# SPDX-License-Identifier: Apache-2.0
#
# make help:
#   make run                  watch KUBECONFIG's cluster, or a test server's
#   make test                 every test; T="unit e2e/test_x" picks suites
#   make record-streams       tests/streams anew, from a real server
#   make unit T=test_ring     unit tests alone
#   make test-long            what takes real minutes
#   make sim                  the simulated world; SEED= SEEDS= HOURS= TRACE=1
#   make sim-shrink SEED=     a failing seed as a short script
#   make sim-mutants          planted faults that it must find
#   make coverage             lines, branches and MC/DC of core by its tests
#   make fuzz                 SECONDS=60 for each fuzzer; FUZZ="path" picks
#   make port-test PORT=lwip  a port through the conformance suite
#   make freertos             port/freertos for FREERTOS_DIR's kernel
#   make lib program          $(O)/host/libkinformer.a, $(O)/gateway/kinformer
#   make install              DESTDIR= PREFIX=
#   make size ram_report      what core costs
#   make bench                against client-go and a bare drain
#   make BOARD=lm3s6965evb run firmware size ram_report stack steps costs debug
#   make defconfig menuconfig savedefconfig
#   make deps                 what all of this needs, from Debian
# with BOARD=linux (default) or another folder of boards/, O= for the output,
# MBEDTLS_DIR= LWIP_DIR= JSMN_DIR= LIBYAML_DIR= for sources of one's own.

# Everything built lies under $(O). A "flavour" is a compiler with its flags;
# its objects lie in $(O)/FLAVOUR/obj, third party's beside ours. Each folder's
# fragment (port/*/*.mk, boards/*/board.mk, tests/*.mk) says what it adds.

BOARD ?= linux
O     ?= build
SRC   := build/src
B     := $(O)/$(BOARD)

# Third-party sources: from Debian (make deps) or a tree of the user's own.
MBEDTLS_DIR ?= $(SRC)/mbedtls
LWIP_DIR    ?= $(SRC)/lwip
JSMN_DIR    ?= $(SRC)/jsmn
LIBYAML_DIR ?= $(SRC)/libyaml

PREFIX  ?= /usr/local
VERSION := 0.1.0

MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wvla \
        -Wmissing-prototypes -Werror

# CORE="base wire" builds those stretches alone.
comma := ,
CORE  ?= *
CORE_SRC := $(sort $(wildcard core/*.c) \
              $(foreach c,$(CORE),$(wildcard core/$(c)/*.c)))
objects   = $(patsubst %.c,$(O)/$(1)/obj/%.o,$(2))

# What each folder of ours sees: the floors of design.md, as include paths.
INC_core  := -Icore/include -Icore -isystem $(JSMN_DIR)
INC_port  := -Icore/include -Iport
INC_board := $(INC_port)
INC_tests := $(INC_core) -Iport -Itests

# $(call renew,COMMAND): the target is what it prints, touched only when that
# changes. Several makes may do so at once (lib and program of one board): each
# writes a file of its own.
renew = @mkdir -p $(@D) && new=$@.$$$$ && $(1) >$$new && \
    if cmp -s $$new $@; then rm $$new; else mv $$new $@; fi

# $(call flavour,NAME,COMPILER,FLAGS,CONFIG,PROFILE): rules for its objects.
# CONFIG: a header of Kconfig's that goes before kinf_config.h, or nothing;
# PROFILE: the configuration of Mbed TLS, gateway or firmware.
define flavour_rules
$(1)_CC    := $(2)
$(1)_FLAGS := $(3) -ffunction-sections -fdata-sections -MD -MP \
    $(if $(4),-DKINF_CONFIG_FILE='"$(abspath $(4))"') \
    -DMBEDTLS_CONFIG_FILE='"config_$(5).h"'

$(O)/$(1)/.flags: export COMMAND = $$($(1)_CC) $$($(1)_FLAGS) $$(WARN)
$(O)/$(1)/.flags: FORCE $(4)
	$$(call renew,printenv COMMAND)

$(O)/$(1)/obj/core/%.o: core/%.c $(O)/$(1)/.flags
	$$(call compile,$(1),$$(INC_core))
$(O)/$(1)/obj/port/%.o: port/%.c $(O)/$(1)/.flags
	$$(call compile,$(1),$$(INC_port) $$(INC_$$(word 2,$$(subst /, ,$$<))))
$(O)/$(1)/obj/boards/%.o: boards/%.c $(O)/$(1)/.flags
	$$(call compile,$(1),$$(INC_board) $$(INC_$$(word 2,$$(subst /, ,$$<))))
$(O)/$(1)/obj/tests/%.o: tests/%.c $(O)/$(1)/.flags
	$$(call compile,$(1),$$(INC_tests) $$(INC_tests_$$(word 2,$$(subst /, ,$$<))))

-include $$(wildcard $(O)/$(1)/obj/*/*.d $(O)/$(1)/obj/*/*/*.d \
    $(O)/$(1)/obj/*/*/*/*.d)
endef
flavour = $(eval $(call flavour_rules,$(1),$(2),$(3),$(4),$(5)))

compile = @mkdir -p $(@D) && echo '  CC      $@' && \
    $($(1)_CC) -std=c11 $(WARN) $($(1)_FLAGS) $(2) -c $< -o $@
# A third party's file: its warnings are not ours.
compile_theirs = @mkdir -p $(@D) && \
    $($(1)_CC) $($(1)_FLAGS) -w $(2) -c $< -o $@
archive = @mkdir -p $(@D) && rm -f $@ && echo '  AR      $@' && \
    $(or $($(1)_AR),ar) rcs $@ $(filter %.o,$^)

FORCE:

# A configuration that Kconfig wrote, else the board's defconfig. Values left
# out keep kinf_config.h's defaults, so that no Kconfig tool is needed here.
CONFIG_OF = $(firstword $(wildcard $(O)/$(1)/.config) \
                        $(wildcard boards/$(1)/defconfig))
$(O)/%/config.h: FORCE
	$(call renew,awk -f boards/config.awk $(call CONFIG_OF,$*) /dev/null)

# Goals that build in this very make: on a new machine deps comes before what
# looks for third parties' sources, below.
AT_ONCE := unit sim sim-shrink sim-mutants fuzz port-test freertos bench \
    record-streams
ifneq ($(and $(filter 0,$(MAKELEVEL)),$(filter $(AT_ONCE),$(MAKECMDGOALS))),)
$(if $(shell $(MAKE) deps >&2 && echo done),,$(error make deps failed))
endif

include port/mbedtls/mbedtls.mk
include $(filter-out port/mbedtls/mbedtls.mk,$(wildcard port/*/*.mk))
include boards/linux/board.mk
include $(filter-out %/board.mk,$(wildcard boards/linux/*.mk))
ifneq ($(BOARD),linux)
ifeq ($(wildcard boards/$(BOARD)/board.mk),)
$(error no board '$(BOARD)': there are \
    $(patsubst boards/%/board.mk,%,$(wildcard boards/*/board.mk)))
endif
include boards/$(BOARD)/board.mk
endif
include tests/tests.mk
include $(wildcard tests/*/*.mk)
test-built: $(C_TESTS) $(TEST_NEEDS)
test-long-built: $(LONG_NEEDS)

# ---- what a user types -----------------------------------------------------

# Sub-makes, because what deps fetches is looked for when a make starts.
MAKE_AGAIN = +@$(MAKE) --no-print-directory

all: lib program

deps:
	@.ci/deps.sh $(DEPS_RUN) $(DEPS_TEST) $(DEPS_BOARD)
deps-run:
	@.ci/deps.sh $(DEPS_RUN)
deps-test:
	@.ci/deps.sh $(DEPS_RUN) $(DEPS_TEST) $(DEPS_BOARD)
deps-board:
	@.ci/deps.sh $(DEPS_BOARD)

help:
	@sed -n '/^# make help:/,/^$$/s/^# \{0,1\}//p' Makefile | sed 1d

# All but sources and test servers, which take long to come again.
clean:
	rm -rf $(filter-out %/src $(O)/apiserver%,$(wildcard $(O)/*))

# Changes files: look at the difference before you keep it.
format:
	clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: help clean format

# ---- configuration ---------------------------------------------------------

# Debian's own Python: another one first in PATH lacks kconfiglib.
PYTHON  := $(firstword $(wildcard /usr/bin/python3) python3)
KCONFIG  = @mkdir -p $(B) && KCONFIG_CONFIG=$(B)/.config \
    KCONFIG_WARN_UNDEF_ASSIGN=y $(PYTHON) -m

defconfig: deps-config
	$(KCONFIG) defconfig --kconfig Kconfig boards/$(BOARD)/defconfig
$(B)/.config:
	$(MAKE_AGAIN) defconfig
menuconfig: deps-config $(B)/.config
	$(KCONFIG) menuconfig Kconfig
savedefconfig: deps-config $(B)/.config
	$(KCONFIG) savedefconfig --kconfig Kconfig --out boards/$(BOARD)/defconfig
deps-config:
	@.ci/deps.sh config

.PHONY: defconfig menuconfig savedefconfig deps-config
.PHONY: all deps deps-run deps-test deps-board FORCE
