# SPDX-License-Identifier: Apache-2.0
#
# What all bare-metal boards share. A board.mk states its facts, then includes
# this file:
#
#   CROSS       prefix of the compiler        CPU_FLAGS  for it
#   LDSCRIPT    linker script                 FAMILY     of its processor
#   MACHINE     QEMU's name of it             NIC        QEMU's network card
#   RAM_MAX     bytes, all in                 FLASH_MAX  bytes, all in
#
# The flavour has the board's name: make BOARD=x gives $(O)/x/firmware.elf.
# Another program on the same board: FW_NAME=x FW_APP="its files", in place of
# boards/common/main.c.

# What a user asks for together comes one after the other; the makes below
# these are parallel.
ifeq ($(MAKELEVEL),0)
.NOTPARALLEL:
endif

DEPS_RUN   := board jsmn mbedtls lwip go
DEPS_BOARD := board jsmn mbedtls lwip

# The C library: newlib's small one, unless the board has another.
FW_SPECS ?= --specs=nano.specs
FW_LIBC  ?= --specs=nano.specs --specs=nosys.specs

FW_CONFIG := $(O)/$(BOARD)/config.h
FW_FLAGS  := $(CPU_FLAGS) -Os -g -fstack-usage -fcallgraph-info=su \
    $(FW_SPECS) $(FW_DEFINES)

$(call flavour,$(BOARD),$(CROSS)gcc,$(FW_FLAGS),$(FW_CONFIG),firmware)
$(call mbedtls,$(BOARD))
$(call lwip,$(BOARD))

# Most of a reconnect and of a received byte is spent here: 0.7 KB for twice the
# speed.
$(addprefix $(O)/$(BOARD)/obj/mbedtls/,sha256.o chacha20.o poly1305.o): \
    $(BOARD)_FLAGS += -O2

# A board is compiled as port/lwip is: its driver speaks to lwIP's netif.
FW_DIRS := boards/$(BOARD) $(FAMILY) boards/common
FW_NAME ?= firmware
FW_APP  ?= boards/common/main.c
FW_SRC  := $(sort $(FW_APP) $(filter-out %/main.c,\
    $(wildcard $(addsuffix /*.c,$(FW_DIRS)))))
FW_PORT := $(sort $(wildcard port/lwip/*.c port/mbedtls/*.c))
$(foreach d,$(FW_DIRS),$(eval \
    INC_$(notdir $(d)) := $(addprefix -I,$(FW_DIRS)) $(INC_lwip) $(INC_mbedtls)))

# An image knows when it was built; SOURCE_DATE_EPOCH says otherwise.
$(O)/$(BOARD)/obj/boards/common/tls.o: $(BOARD)_FLAGS += \
    -DBOARD_BUILT_S=$(or $(SOURCE_DATE_EPOCH),$(shell date +%s))

INC_tests_boards := $(addprefix -I,$(FW_DIRS)) $(INC_lwip) $(INC_mbedtls)

FIRMWARE := $(O)/$(BOARD)/$(FW_NAME).elf

$(FIRMWARE) $(FIRMWARE:.elf=.map) &: \
    $(call objects,$(BOARD),$(FW_SRC) $(FW_PORT) $(CORE_SRC)) \
    $(O)/$(BOARD)/libmbedtls.a $(O)/$(BOARD)/liblwip.a $(LDSCRIPT)
	@echo '  LD      $(FIRMWARE)'
	@$(CROSS)gcc $(CPU_FLAGS) $(FW_LIBC) \
	    -nostartfiles -Wl,--gc-sections -T $(LDSCRIPT) \
	    -Wl,-Map=$(FIRMWARE:.elf=.map) -Wl,--fatal-warnings \
	    $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -lc -lgcc \
	    -Wl,--end-group $(LDFLAGS_mbedtls) -o $(FIRMWARE)
	@$(PYTHON) boards/budget.py $(FIRMWARE:.elf=.map) $(RAM_MAX) $(FLASH_MAX)

firmware: deps-board
	$(MAKE_AGAIN) $(FIRMWARE)
all: firmware

.PHONY: firmware

# ---- what it costs ---------------------------------------------------------

REPORT := $(O)/report/$(BOARD).json

# The same firmware for servers with ECDSA keys alone.
ECDSA := $(O)/ecdsa
$(ECDSA)/$(BOARD)/.config: boards/$(BOARD)/defconfig
	@mkdir -p $(@D) && { cat $< && echo CONFIG_KINF_TLS_RSA=n; } >$@

size: deps-board $(ECDSA)/$(BOARD)/.config
	$(MAKE_AGAIN) $(FIRMWARE)
	$(MAKE_AGAIN) O=$(ECDSA) $(ECDSA)/$(BOARD)/firmware.elf
	@$(PYTHON) boards/budget.py $(ECDSA)/$(BOARD)/firmware.map $(RAM_MAX) \
	    $(FLASH_MAX) $(REPORT) flash_ecdsa
	@$(PYTHON) boards/budget.py $(FIRMWARE:.elf=.map) $(RAM_MAX) \
	    $(FLASH_MAX) $(REPORT)

# The reserve in the linker script is at least the bound.
stack_bound: deps-board
	$(MAKE_AGAIN) $(FIRMWARE)
	@$(PYTHON) boards/stack.py $(FIRMWARE) $(FIRMWARE:.elf=.map) \
	    boards/calls --cross $(CROSS) --path --report $(REPORT)

.PHONY: size stack_bound

include boards/common/run.mk
