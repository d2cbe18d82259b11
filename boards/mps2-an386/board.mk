# SPDX-License-Identifier: Apache-2.0
#
# Arm MPS2 with image AN386: Cortex-M4, 4 MB of code memory at 0, 4 MB of data
# memory at 0x20000000, Ethernet by LAN9118. The comfortable board.

CROSS     := arm-none-eabi-
CPU_FLAGS := -mcpu=cortex-m4 -mthumb
FAMILY    := boards/cortex-m
LDSCRIPT  := boards/mps2-an386/mps2-an386.ld
MACHINE   := mps2-an386
NIC       := lan9118
RAM_MAX   := 262144
FLASH_MAX := 262144

include boards/firmware.mk
