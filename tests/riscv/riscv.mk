# SPDX-License-Identifier: Apache-2.0
#
# Another architecture: core, port/mbedtls and port/lwip for a 32-bit RISC-V with
# picolibc, as boards/riscv-virt, which is run.

DEPS_TEST += riscv

ifeq ($(BOARD),linux)
image-riscv-virt: FORCE
	$(MAKE_AGAIN) BOARD=riscv-virt $(O)/riscv-virt/firmware.elf
image-riscv-overflow: image-riscv-virt
	$(MAKE_AGAIN) BOARD=riscv-virt FW_NAME=overflow \
	    FW_APP=tests/riscv/overflow.c $(O)/riscv-virt/overflow.elf
test-built: image-riscv-overflow
endif
INC_tests_riscv := -Iboards/common
