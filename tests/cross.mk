# SPDX-License-Identifier: Apache-2.0
#
# Core's unit tests on a big-endian and on a 32-bit processor, under QEMU's
# user mode: no assumption about byte order, word size or alignment.
#
#   unit-s390x   64 bits, big-endian
#   unit-armhf   32 bits, little-endian

DEPS_TEST += cross cmocka-s390x cmocka-armhf

# $(call cross,ARCH,COMPILER PREFIX,QEMU)
define cross_rules
$(call flavour_rules,unit-$(1),$(2)-gcc,-O1 -g -isystem $(SRC)/cmocka-$(1)/usr/include,,gateway)
$(call core_rules,unit-$(1))
unit-$(1)_unit_TESTS := $(patsubst $(O)/unit-gcc/%,$(O)/unit-$(1)/%,$(unit-gcc_unit_TESTS))
C_TESTS += $$(unit-$(1)_unit_TESTS)

$(O)/unit-$(1)/unit/test_%.elf: $(O)/unit-$(1)/obj/tests/unit/test_%.o \
    $(call objects,unit-$(1),$(UNIT_HELPERS)) $(O)/unit-$(1)/libcore.a
	@mkdir -p $$(@D) && echo '  LD      $$@'
	@$(2)-gcc $$(filter %.o %.a,$$^) \
	    $$(wildcard $(SRC)/cmocka-$(1)/usr/lib/*/libcmocka.so.0) -o $$@
# The program the driver starts: QEMU with the other processor's libraries.
$(O)/unit-$(1)/unit/test_%: $(O)/unit-$(1)/unit/test_%.elf
	@printf '#!/bin/sh\nexec %s -L /usr/%s -E LD_LIBRARY_PATH=%s %s "$$$$@"\n' \
	    $(3) $(2) '$(abspath $(wildcard $(SRC)/cmocka-$(1)/usr/lib/*))' \
	    '$$(abspath $$<)' >$$@ && chmod +x $$@
endef
$(eval $(call cross_rules,s390x,s390x-linux-gnu,qemu-s390x))
$(eval $(call cross_rules,armhf,arm-linux-gnueabihf,qemu-arm))
