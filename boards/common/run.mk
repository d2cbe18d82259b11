# SPDX-License-Identifier: Apache-2.0
#
# make BOARD=x run: the firmware in QEMU against a real API server, whose
# ConfigMaps are changed from outside. CHANGES=n ends it, KEY=rsa gives the
# server another key.

CHANGES ?= 20
KEY     ?= ecdsa
# arm or riscv: which emulator and which objcopy.
PROCESSOR ?= arm

RUN = $(PYTHON) boards/common/run.py --firmware $(FIRMWARE) \
    --processor $(PROCESSOR) --machine $(MACHINE) --nic $(NIC) \
    --changes $(CHANGES) --key $(KEY) --apiserver $(APISERVER_BIN) \
    --kload $(KLOAD)

run: deps-run
	$(MAKE_AGAIN) apiserver $(FIRMWARE)
	@$(RUN) -- $(QEMU_MORE)

# GDB_MORE="-batch -ex 'break main' -ex continue" and the like.
debug: deps-run
	@.ci/deps.sh debug
	$(MAKE_AGAIN) apiserver $(FIRMWARE)
	@$(RUN) --debugger "gdb-multiarch $(GDB_MORE)" -- $(QEMU_MORE)

.PHONY: run debug
