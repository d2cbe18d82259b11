# SPDX-License-Identifier: Apache-2.0
#
# make BOARD=x run: the firmware in QEMU against a real API server, whose
# ConfigMaps are changed from outside. CHANGES=n ends it.

CHANGES ?= 20

run: deps-run
	$(MAKE_AGAIN) apiserver
	@$(PYTHON) boards/cortex-m/run.py --make '$(MAKE)' --board $(BOARD) \
	    --out $(O) --machine $(MACHINE) --nic $(NIC) --changes $(CHANGES) \
	    --apiserver $(APISERVER_BIN) --kload $(KLOAD) -- $(QEMU_MORE)

# Made by run.py for one server; the firmware is built anew when it changes.
INC_cortex-m += -I$(O)/$(BOARD)/credentials

.PHONY: run
