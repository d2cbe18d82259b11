# SPDX-License-Identifier: Apache-2.0
#
# Another architecture: core, port/mbedtls and port/lwip compile and link for
# a 32-bit RISC-V with picolibc, with every option of lwIP; port/lwip is linked
# for itself: the smallest firmware does not call it. And boards/riscv-virt,
# which is run.

DEPS_TEST += riscv

RISCV_FLAGS := -march=rv32imac -mabi=ilp32 --specs=picolibc.specs

$(call flavour,riscv,riscv64-unknown-elf-gcc,$(RISCV_FLAGS) -Os -DWITH_TLS=1 \
    -DCONFIG_KINF_LWIP_DNS=1 -DCONFIG_KINF_LWIP_DHCP=1 \
    -DCONFIG_KINF_LWIP_SNTP=1,,firmware)
$(call mbedtls,riscv)
$(call lwip,riscv)

# The smallest firmware of tests/size, over TLS.
RISCV_OBJECTS := $(call objects,riscv,$(CORE_SRC) $(TLS_SRC) \
                   $(wildcard port/lwip/*.c) tests/size/main.c) \
                   $(addprefix $(O)/riscv/lib,mbedtls.a lwip.a)
$(O)/riscv/linked.elf: $(RISCV_OBJECTS)
	@echo '  LD      $@'
	@riscv64-unknown-elf-gcc $(RISCV_FLAGS) -nostartfiles -Wl,-e,main \
	    -Wl,-u,kinf_lwip_tcp_ops -Wl,-u,kinf_lwip_platform \
	    -Wl,-u,kinf_lwip_sntp_start \
	    -Wl,--gc-sections -Wl,--no-warn-rwx-segments \
	    -Wl,--defsym=__flash_size=0x40000 -Wl,--defsym=__ram_size=0x20000 \
	    $^ -o $@

TEST_NEEDS += $(O)/riscv/linked.elf

ifeq ($(BOARD),linux)
image-riscv-virt: FORCE
	$(MAKE_AGAIN) BOARD=riscv-virt $(O)/riscv-virt/firmware.elf
image-riscv-overflow: image-riscv-virt
	$(MAKE_AGAIN) BOARD=riscv-virt FW_NAME=overflow \
	    FW_APP=tests/riscv/overflow.c $(O)/riscv-virt/overflow.elf
test-built: image-riscv-overflow
endif
INC_tests_riscv := -Iboards/cortex-m
