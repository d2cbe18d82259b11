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
C_TESTS := $(filter-out $(addprefix $(O)/unit-firmware/port/test_, \
    posix bad_ports pieces),$(C_TESTS))

# make port-test PORT=posix: one port through the conformance suite. For a port
# of one's own: tests/port/test_NAME.c like test_posix.c, and its sources in
# port/NAME, or in PORT_SRC.
PORT     ?= posix
PORT_SRC ?=
$(O)/unit-gcc/port/test_$(PORT): $(call objects,unit-gcc,$(PORT_SRC))
port-test: $(O)/port-pki/made $(O)/unit-gcc/port/test_$(PORT)
	@$(RUN_TESTS) --only-given $(O)/unit-gcc/port/test_$(PORT)

.PHONY: port-test
