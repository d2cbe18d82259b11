# SPDX-License-Identifier: Apache-2.0
#
# Tests of ports: the conformance suite (conformance.h) and what is particular
# to one port. Certificates are made once.

INC_tests_port += -DPKI_DIR='"$(abspath $(O))/port-pki"'
TEST_NEEDS += $(O)/port-pki/made

$(O)/port-pki/made: tests/port/pki.sh
	@echo '  PKI     $(@D)'
	@sh $< $(@D)

# The same tests of TLS with the firmware profile: 1.2 only, DER, elliptic
# curves in slices.
$(call flavour,unit-firmware,gcc,$(SANITIZE) -DKINF_TEST_DER=1,,firmware)
$(call mbedtls,unit-firmware)
$(call library,unit-firmware)
$(call c_tests,unit-firmware,port,$(addprefix $(O)/unit-firmware/, \
    libkinformer.a libmbedtls.a))

# And with an input buffer of 4,096 bytes.
$(call flavour,unit-record,gcc,$(SANITIZE) -DKINF_TEST_DER=1 \
    -DCONFIG_KINF_TLS_IN_BYTES=4096,,firmware)
$(call mbedtls,unit-record)
$(call library,unit-record)
$(call c_tests,unit-record,port,$(addprefix $(O)/unit-record/, \
    libkinformer.a libmbedtls.a))

# And with what costs more: TLS 1.3, P-384, large tables. Without sanitizers.
$(call flavour,unit-tls13,gcc,-O1 -g -DKINF_TEST_DER=1 \
    -DCONFIG_KINF_TLS_1_3=1 -DCONFIG_KINF_TLS_P384=1 \
    -DCONFIG_KINF_TLS_BIG_TABLES=1 \
    -DCONFIG_KINF_TLS_ARENA_BYTES=40960,,firmware)
$(call mbedtls,unit-tls13)
$(call library,unit-tls13)
$(call c_tests,unit-tls13,port,$(addprefix $(O)/unit-tls13/, \
    libkinformer.a libmbedtls.a))

# port/lwip on lwIP for the host, comfortable and lean, with a peer inside the
# test; and with lwIP in a thread of its own, on port/freertos, lwIP's layer for
# FreeRTOS and the stand-in for its kernel, once with core in its task. Without
# TLS.
INC_tests_port += $(INC_lwip)
LWIP_CONTRIB   := $(LWIP_DIR)/contrib/ports/freertos
LWIP_TESTED    := -DLWIP_NO_UNISTD_H=0 \
    -DKINF_LWIP_OPTS_FILE='"port/lwipopts_test.h"' -Itests \
    -DCONFIG_KINF_LWIP_DNS=1 -DCONFIG_KINF_LWIP_DHCP=1 \
    -DCONFIG_KINF_LWIP_SNTP=1

$(call flavour,unit-lwip,gcc,$(SANITIZE) $(LWIP_TESTED),,firmware)
$(call flavour,unit-lean,gcc,$(SANITIZE) $(LWIP_TESTED) \
    -DCONFIG_KINF_LWIP_LEAN=1 -DCONFIG_KINF_LWIP_HEAP_BYTES=3072,,firmware)
$(call flavour,unit-thread,gcc,$(SANITIZE) $(LWIP_TESTED) \
    -DCONFIG_KINF_LWIP_THREAD=1 -Itests/freertos/kernel \
    -isystem $(LWIP_CONTRIB)/include,,firmware)

LWIP_TEST_SRC := $(addprefix tests/port/,conformance.c rig.c peer.c simpeer.c \
    simpeer_ip.c lwip/line.c) $(wildcard port/lwip/*.c)
LWIP_WORLD    := tests/port/lwip/world.c

# $(call lwip_test_rules,FLAVOUR,SUITE,MORE OBJECTS)
define lwip_test_rules
$(O)/$(1)/port/$(2): $(call objects,$(1),tests/port/$(2).c \
    $(LWIP_TEST_SRC) $(3)) $(O)/$(1)/liblwip.a
	@mkdir -p $$(@D) && echo '  LD      $$@'
	@$$($(1)_CC) $(SANITIZE) $$^ -lpthread -o $$@
LWIP_TESTS += $(O)/$(1)/port/$(2)
endef
$(foreach f,unit-lwip unit-lean unit-thread,$(eval $(call lwip_rules,$(f))))
$(foreach f,unit-lwip unit-lean,$(foreach t,test_lwip test_lwip_names,\
    $(eval $(call lwip_test_rules,$(f),$(t),$(LWIP_WORLD)))))
$(eval $(call lwip_test_rules,unit-thread,test_lwip_thread, \
    port/freertos/platform.c port/freertos/task.c tests/freertos/standin.c \
    lwip-freertos.c $(CORE_SRC)))
$(O)/unit-thread/obj/lwip-freertos.o: $(LWIP_CONTRIB)/sys_arch.c \
    $(O)/unit-thread/.flags
	$(call compile_theirs,unit-thread,-Icore/include $(INC_lwip))

# Which suite is run in which flavour.
C_TESTS := $(filter-out $(O)/unit-gcc/port/test_record \
    $(addprefix $(O)/unit-gcc/port/test_,lwip lwip_names lwip_thread) \
    $(addprefix $(O)/unit-firmware/port/test_, \
        posix bad_ports pieces record sim lwip lwip_names lwip_thread) \
    $(addprefix $(O)/unit-record/port/test_, posix bad_ports pieces mbedtls \
        tls tls_wire tickets sim lwip lwip_names lwip_thread) \
    $(addprefix $(O)/unit-tls13/port/test_, \
        posix bad_ports pieces tls_wire record sim lwip lwip_names lwip_thread), \
    $(C_TESTS)) $(LWIP_TESTS)

# The simulated world's network, without its server.
$(O)/unit-gcc/port/test_sim: $(call objects,unit-gcc, \
    tests/sim/net.c tests/sim/base.c)

# make port-test PORT=posix|mbedtls|lwip|sim: one port through the conformance
# suite. For a port of one's own: tests/port/test_NAME.c like test_posix.c, and
# its sources in port/NAME, or in PORT_SRC.
PORT     ?= posix
PORT_SRC ?=
PORT_SUITES := $(or $(filter %/test_$(PORT) %/test_$(PORT)_thread, \
    $(LWIP_TESTS)),$(O)/unit-gcc/port/test_$(PORT))
$(O)/unit-gcc/port/test_$(PORT): $(call objects,unit-gcc,$(PORT_SRC))
port-test: $(O)/port-pki/made $(PORT_SUITES)
	@$(RUN_TESTS) --only-given $(PORT_SUITES)

.PHONY: port-test
