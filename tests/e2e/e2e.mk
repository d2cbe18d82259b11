# SPDX-License-Identifier: Apache-2.0
#
# What the suites against a real API server need: it is built when there are
# any. And the sanitized program of program.mk once more, with core's deadlines
# and waits so short that a test can see each of them pass.

ifneq ($(wildcard tests/e2e/test_*),)
DEPS_TEST  += go
TEST_NEEDS += apiserver

E2E_SHORT := CONNECT=3000 HANDSHAKE=5000 SEND=3000 HEADERS=2500 BODY=2000 \
    OBJECT=4000 IDLE=4000 STREAM=2000 DOUBT=2000 PROBE=3000 BACKOFF=100 \
    BACKOFF_CAP=800 DENIED=1500 REPAIR=1000
$(call flavour,e2e-short,gcc,$(SANITIZE) \
    $(patsubst %,-DCONFIG_KINF_%,$(subst =,_MS=,$(E2E_SHORT))),\
    $(LINUX_CONFIG),gateway)

# The archive's own core stays out: all its names are known by then.
$(O)/e2e-short/kinformer: $(call objects,e2e-short,$(CORE_SRC)) \
    $(call objects,sane,$(BOARD_SRC)) \
    $(addprefix $(O)/sane/,libkinformer.a libmbedtls.a libyaml.a)
	@echo '  LD      $@'
	@gcc $(SANITIZE) $(filter %.o %.a,$^) -o $@
test-built: $(O)/e2e-short/kinformer
endif
