# SPDX-License-Identifier: Apache-2.0
#
# The boards' images, each by a make of its own: firmware.elf, as a user builds
# it, with its sizes and the bound of its stack in $(O)/report; node.elf, the
# tests' firmware with the same sizes; event.elf; and short/, node.elf with short
# deadlines and counting pools.

BOARDS_TESTED := mps2-an386 lm3s6965evb
DEPS_TEST     += board lwip debug

NODE  := $(wildcard tests/boards/node/*.c)
EVENT := tests/boards/event/event.c
SHORT := $(O)/short

ifeq ($(BOARD),linux)
IMAGES := firmware node event short
BOARD_IMAGES := $(foreach i,$(IMAGES),$(BOARDS_TESTED:%=image-$(i)-%))

# One after the other for a board, since they share its objects.
image-firmware-%: FORCE
	$(MAKE_AGAIN) BOARD=$* size >$(O)/$*.size
	$(MAKE_AGAIN) BOARD=$* ram_report >$(O)/$*.ram
	$(MAKE_AGAIN) BOARD=$* stack_bound >$(O)/$*.stack
image-node-%: image-firmware-%
	$(MAKE_AGAIN) BOARD=$* FW_NAME=node FW_APP='$(NODE)' $(O)/$*/node.elf
image-event-%: image-node-%
	$(MAKE_AGAIN) BOARD=$* FW_NAME=event FW_APP='$(EVENT)' $(O)/$*/event.elf
image-short-%: $(SHORT)/%/.config
	$(MAKE_AGAIN) BOARD=$* O=$(SHORT) FW_DEFINES='-DKINF_LWIP_STATS -DNODE_INFORMERS=2 -DTCP_MSL=500UL' \
	    FW_NAME=node FW_APP='$(NODE)' $(SHORT)/$*/node.elf

# The board's sizes, then what differs; the last word on a symbol counts.
$(SHORT)/%/.config: boards/%/defconfig tests/boards/short.config \
    $(wildcard tests/boards/*.short)
	@mkdir -p $(@D)
	@cat boards/$*/defconfig tests/boards/short.config \
	    $(wildcard tests/boards/$*.short) >$@
endif
test-built: $(BOARD_IMAGES)

LONG_NEEDS += $(BOARD_IMAGES)

# ---- what a board costs ----------------------------------------------------

ifneq ($(BOARD),linux)
measure = @O=$(O) $(PYTHON) tests/boards/measure.py $(BOARD)

# All RAM, by pool and by file.
RAM_SOURCES := tests/size/ram_pools.c tests/boards/ram/pools.c
RAM_OBJECTS := $(call objects,$(BOARD),$(RAM_SOURCES))
ram_report: deps-board
	$(MAKE_AGAIN) $(FIRMWARE) $(RAM_OBJECTS)
	@$(PYTHON) tests/boards/ram.py $(FIRMWARE:.elf=.map) $(REPORT) \
	    $(CROSS)nm $(join $(addsuffix =,$(RAM_OBJECTS)),$(RAM_SOURCES))

# Instructions and the painted stack, against a real API server: first every
# scenario that is shown, some minutes, for the longest kinf_poll of all.
steps: deps-run
	$(MAKE_AGAIN) BOARD=linux apiserver image-short-$(BOARD)
	$(MAKE_AGAIN) FW_NAME=node FW_APP='$(NODE)' $(O)/$(BOARD)/node.elf
	$(MAKE_AGAIN) FW_NAME=event FW_APP='$(EVENT)' $(O)/$(BOARD)/event.elf
	@echo '  STEPS   $(BOARD): every scenario'
	@for suite in boards limits refusing; do \
	    O=$(O) BOARDS=$(BOARD) $(PYTHON) tests/boards/test_$$suite.py || \
	        exit 1; done
	$(measure)
stack: stack_bound steps

# What each option of TLS costs.
costs: deps-run
	$(MAKE_AGAIN) apiserver
	@O=$(O) $(PYTHON) tests/boards/costs.py $(BOARD)

# Compares with what is recorded in boards/BOARD/figures, or records it anew.
figures: size stack
	@$(PYTHON) boards/figures.py check $(REPORT) boards/$(BOARD)/figures \
	    --cross $(CROSS)
record: size stack
	@$(PYTHON) boards/figures.py record $(REPORT) boards/$(BOARD)/figures \
	    --cross $(CROSS)

.PHONY: ram_report steps stack costs figures record
endif
