# SPDX-License-Identifier: Apache-2.0
#
# Cortex-M4 at 25 MHz in QEMU, LAN9118 Ethernet, bare metal: the comfortable
# profile.

CROSS     := arm-none-eabi-
CPU_FLAGS := -mcpu=cortex-m4 -mthumb
LDSCRIPT  := boards/mps2-an386/link.ld
FAMILY    := boards/cortex-m
MACHINE   := mps2-an386
NIC       := lan9118
RAM_MAX   := 262144
FLASH_MAX := 262144

include boards/firmware.mk
