# SPDX-License-Identifier: Apache-2.0
#
# make BOARD=x run: the firmware in QEMU against a real API server, whose
# ConfigMaps are changed from outside. CHANGES=n ends it, KEY=rsa gives the
# server another key.

CHANGES ?= 20
KEY     ?= ecdsa
# arm or riscv: which emulator and which objcopy.
PROCESSOR ?= arm

run: deps-run
	$(MAKE_AGAIN) apiserver $(FIRMWARE)
	@$(PYTHON) boards/cortex-m/run.py --firmware $(FIRMWARE) \
	    --processor $(PROCESSOR) --machine $(MACHINE) --nic $(NIC) \
	    --changes $(CHANGES) --key $(KEY) \
	    --apiserver $(APISERVER_BIN) --kload $(KLOAD) -- $(QEMU_MORE)

.PHONY: run
