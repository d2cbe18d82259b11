# SPDX-License-Identifier: Apache-2.0
#
# Stellaris LM3S6965 evaluation board: Cortex-M3, 256 KB of flash at 0, 64 KB of
# SRAM at 0x20000000, Ethernet on the chip. The small board.

CROSS     := arm-none-eabi-
CPU_FLAGS := -mcpu=cortex-m3 -mthumb
FAMILY    := boards/cortex-m
LDSCRIPT  := boards/lm3s6965evb/lm3s6965evb.ld
MACHINE   := lm3s6965evb
NIC       := stellaris
RAM_MAX   := 65536
FLASH_MAX := 147456

include boards/firmware.mk
