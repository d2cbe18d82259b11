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
FW_APP    := $(addprefix boards/cortex-m/,main.c network.c page.c print.c \
                 credentials.c)
RAM_MAX   := 262144
FLASH_MAX := 262144

include boards/firmware.mk
include boards/cortex-m/run.mk

# What is common to all processors lies in the other family's folder.
INC_cortex-m   := -Iboards/cortex-m $(INC_lwip) $(INC_mbedtls)
INC_riscv-virt += -Iboards/cortex-m

DEPS_RUN   := riscv jsmn mbedtls lwip go
DEPS_BOARD := riscv jsmn mbedtls lwip
