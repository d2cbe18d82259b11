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

# Which suite is run in which flavour.
C_TESTS := $(filter-out $(O)/unit-gcc/port/test_record \
    $(addprefix $(O)/unit-firmware/port/test_,posix bad_ports pieces record) \
    $(addprefix $(O)/unit-record/port/test_, \
        posix bad_ports pieces mbedtls tls tls_wire tickets),$(C_TESTS))

# make port-test PORT=posix: one port through the conformance suite. For a port
# of one's own: tests/port/test_NAME.c like test_posix.c, and its sources in
# port/NAME, or in PORT_SRC.
PORT     ?= posix
PORT_SRC ?=
$(O)/unit-gcc/port/test_$(PORT): $(call objects,unit-gcc,$(PORT_SRC))
port-test: $(O)/port-pki/made $(O)/unit-gcc/port/test_$(PORT)
	@$(RUN_TESTS) --only-given $(O)/unit-gcc/port/test_$(PORT)

.PHONY: port-test
