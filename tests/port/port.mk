# SPDX-License-Identifier: Apache-2.0
#
# Tests of ports: the conformance suite (conformance.h) and what is particular
# to one port. Certificates are made once.

INC_tests_port += -DPKI_DIR='"$(abspath $(O))/port-pki"'
TEST_NEEDS += $(O)/port-pki/made

$(O)/port-pki/made: tests/port/pki.sh
	@echo '  PKI     $(@D)'
	@sh $< $(@D)

# make port-test PORT=posix: one port through the conformance suite. A port of
# one's own: PORT_SRC= its files and a test like test_posix.c.
PORT     ?= posix
PORT_SRC ?=
port-test: $(O)/port-pki/made $(O)/unit-gcc/port/test_$(PORT)
	@$(RUN_TESTS) --only-given $(O)/unit-gcc/port/test_$(PORT)

.PHONY: port-test
