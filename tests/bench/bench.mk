# SPDX-License-Identifier: Apache-2.0
#
# make bench: kinformer against client-go and a bare drain, in one run.
# ROUNDS=5 OBJECTS=10000 EVENTS=5000 make it shorter.

ROUNDS  ?= 5
OBJECTS ?= 10000
EVENTS  ?= 5000

BENCH_BIN := $(addprefix $(O)/bench/,drain count)

$(O)/host/obj/tests/bench/%.o: INC_tests += -Iport/posix -Iport/mbedtls \
    -D_GNU_SOURCE

$(O)/bench/%: $(O)/host/obj/tests/bench/%.o \
    $(O)/host/obj/tests/bench/client.o $(O)/host/libkinformer.a \
    $(O)/host/libmbedtls.a
	@mkdir -p $(@D) && echo '  LD      $@'
	@$(CC) $(filter %.o %.a,$^) -lpthread -Wl,--gc-sections -o $@

bench: deps-run
	$(MAKE_AGAIN) $(PROGRAM) $(BENCH_BIN) apiserver informer-go
	@$(PYTHON) tests/bench/bench.py --out $(O)/report/bench.json \
	    --program $(PROGRAM) --bin $(O)/bench --apiserver \
	    $(APISERVER_BIN) --kload $(KLOAD) --informer-go $(INFORMER_GO) \
	    --rounds $(ROUNDS) --objects $(OBJECTS) --events $(EVENTS)

.PHONY: bench
