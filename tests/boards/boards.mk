# SPDX-License-Identifier: Apache-2.0
#
# The boards' images, as a user builds them: a make of their own each.

BOARDS_TESTED := mps2-an386 lm3s6965evb
DEPS_TEST     += board lwip

BOARD_IMAGES := $(foreach b,$(BOARDS_TESTED),$(O)/$(b)/firmware.elf)
ifeq ($(BOARD),linux)
$(BOARD_IMAGES): $(O)/%/firmware.elf: FORCE
	$(MAKE_AGAIN) BOARD=$* O=$(O) $@
endif
test-built: $(BOARD_IMAGES)
