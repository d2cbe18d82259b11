# SPDX-License-Identifier: Apache-2.0
#
# Fuzzers: make fuzz SECONDS=10 (each so long), FUZZ="json_stream path" picks.
#
# tests/fuzz/fuzz_NAME.c begins with corpus/NAME, which is kept small (its form
# is corpus.py's); what is found lies in $(O)/fuzz/NAME. make fuzz-corpus puts
# the least of it that reaches as much into corpus/NAME.

$(call flavour,fuzz,clang,-O1 -g -fsanitize=fuzzer-no-link$(comma)address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer,,gateway)
$(call yaml,fuzz)
$(eval $(call core_rules,fuzz))

FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
INC_tests_fuzz := $(INC_linux)
# Parts of the program that a fuzzer needs.
FUZZ_BOARD := $(addprefix boards/linux/,kubeconfig.c yaml_memory.c out.c) \
    $(sort $(wildcard boards/linux/mirror_*.c))

$(O)/fuzz/libboard.a: $(call objects,fuzz,$(FUZZ_BOARD))
	$(call archive,fuzz)
$(O)/fuzz/fuzz_%: $(O)/fuzz/obj/tests/fuzz/fuzz_%.o \
    $(call objects,fuzz,tests/fuzz/fuzz.c) \
    $(O)/fuzz/libboard.a $(O)/fuzz/libcore.a $(O)/fuzz/libyaml.a
	@echo '  LD      $@'
	@clang $(SANITIZE) -fsanitize=fuzzer $(filter %.o,$^) \
	    -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -o $@

SECONDS ?= 60
FUZZ    ?= $(FUZZERS)
fuzz: $(patsubst %,$(O)/fuzz/fuzz_%,$(FUZZ))
	@O='$(O)' sh tests/fuzz/fuzz.sh $(SECONDS) $(FUZZ)
fuzz-corpus: $(patsubst %,$(O)/fuzz/fuzz_%,$(FUZZ))
	@O='$(O)' sh tests/fuzz/minimise.sh $(FUZZ)

.PHONY: fuzz fuzz-corpus

# tests/fuzz/test_fuzz.sh runs each for some seconds.
TEST_NEEDS += $(patsubst %,$(O)/fuzz/fuzz_%,$(FUZZERS))
