# SPDX-License-Identifier: Apache-2.0
#
# port/freertos is compiled against the user's own kernel:
#
#   FREERTOS_DIR     folder of the kernel (with include/)
#   FREERTOS_PORT    its port, of portable/: GCC/ARM_CM4F, ...
#   FREERTOS_CONFIG  folder of FreeRTOSConfig.h
#
# Without them, against the tests' stand-in.

FREERTOS_PORT   ?= GCC/ARM_CM3
FREERTOS_CONFIG ?= .
ifneq ($(FREERTOS_DIR),)
INC_freertos := -isystem $(FREERTOS_DIR)/include \
    -isystem $(FREERTOS_DIR)/portable/$(FREERTOS_PORT) -I$(FREERTOS_CONFIG)
else
INC_freertos := -Itests/freertos/kernel
endif
FREERTOS_SRC := $(sort $(wildcard port/freertos/*.c))

# make freertos FREERTOS_DIR=...: compiles the port, for a Cortex-M3 unless
# FREERTOS_CC says otherwise. An application links these objects.
FREERTOS_CC ?= arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb

$(call flavour,freertos,$(FREERTOS_CC),-Os,,firmware)
freertos: $(call objects,freertos,$(FREERTOS_SRC))

.PHONY: freertos
