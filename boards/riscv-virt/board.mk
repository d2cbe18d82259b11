# SPDX-License-Identifier: Apache-2.0
#
# QEMU's RISC-V "virt" with one rv32imac hart and virtio's network card, bare
# metal: the board that port/README.md was followed for.

CROSS     := riscv64-unknown-elf-
CPU_FLAGS := -march=rv32imac -mabi=ilp32
FW_SPECS  := --specs=picolibc.specs
FW_LIBC   := --specs=picolibc.specs
PROCESSOR := riscv
MACHINE   := virt
NIC       := virtio
LDSCRIPT  := boards/riscv-virt/riscv-virt.ld
RAM_MAX   := 262144
FLASH_MAX := 262144

include boards/firmware.mk

DEPS_RUN   := riscv jsmn mbedtls lwip go
DEPS_BOARD := riscv jsmn mbedtls lwip
