# SPDX-License-Identifier: Apache-2.0
#
# The simulated world: make sim (SEED=, SEEDS=, HOURS=, FAULTS=, TRACE=1).
#
#   sim        core as shipped, sanitized
#   sim-small  the same with the smallest steps a poll
#   sim-lean   the same without the features a small firmware leaves out

SIM_SRC := $(sort $(wildcard tests/sim/*.c))
INC_tests_sim := -D_DEFAULT_SOURCE

# Core is sanitized; the world around it is not, it only has to be fast.
SIM_WORLD := -O2 -g -fno-omit-frame-pointer
$(call flavour,sim,gcc,$(SANITIZE),,gateway)
$(call flavour,sim-world,gcc,$(SIM_WORLD),,gateway)
$(call flavour,sim-small,gcc,$(SANITIZE),tests/sim/small.h,gateway)
$(call flavour,sim-small-world,gcc,$(SIM_WORLD),tests/sim/small.h,gateway)
$(call flavour,sim-lean,gcc,$(SANITIZE),tests/sim/lean.h,gateway)
$(call flavour,sim-lean-world,gcc,$(SIM_WORLD),tests/sim/lean.h,gateway)

define sim_rules
$(O)/$(1)/sim: $(call objects,$(1),$(CORE_SRC)) \
    $(call objects,$(1)-world,$(SIM_SRC))
	@echo '  LD      $$@'
	@$$($(1)_CC) $(SANITIZE) $$^ -o $$@
endef
$(foreach f,sim sim-small sim-lean,$(eval $(call sim_rules,$(f))))

# HOURS are those of all seeds together; each seed has SIM_HOURS of them.
SIM_HOURS := 10
SEED   ?= 1
HOURS  ?= 10000
SEEDS  ?= $(shell expr $(HOURS) / $(SIM_HOURS))
FAULTS ?= all
SIM_RUN = --seed $(SEED) --seeds $(SEEDS) --hours $(SIM_HOURS) \
    --faults $(FAULTS) --jobs $(shell nproc 2>/dev/null || echo 2) \
    --progress $(if $(TRACE),--trace) $(SIM_ARGS)

sim: $(O)/sim/sim
	@mkdir -p $(O)/report
	@$(O)/sim/sim $(SIM_RUN) --report $(O)/report/sim.json

# Which lines of its script does a failing seed need?
sim-shrink: $(O)/sim/sim
	@$(PYTHON) tests/sim/shrink.py $(O)/sim/sim --seed $(SEED) \
	    --hours $(SIM_HOURS) --faults $(FAULTS) \
	    --out $(O)/sim/seed-$(SEED).script

# Does the simulation find the faults of tests/sim/mutants, on two sets of
# seeds? ONLY= picks some by name; SYSTEMATIC=20 flips so many conditions of
# core in their stead, drawn anew (DRAW= draws the same again).
MUTANTS := $(addsuffix /sim,$(addprefix $(O)/,sim sim-small sim-lean))

sim-mutants: $(MUTANTS)
	@mkdir -p $(O)/report
	@$(PYTHON) $(if $(SYSTEMATIC),tests/sim/flips.py --count $(SYSTEMATIC) \
	    $(if $(DRAW),--draw $(DRAW)), \
	    tests/sim/mutants.py --report $(O)/report/sim.json \
	    $(if $(ONLY),--only $(ONLY))) --built $(O) --jsmn $(JSMN_DIR) \
	    $(SIM_ARGS)

.PHONY: sim sim-shrink sim-mutants

# tests/sim/test_sim.sh runs them.
TEST_NEEDS += $(O)/sim/sim $(O)/sim-small/sim $(O)/sim-lean/sim

# tests/sim/long_model.py compares it with a real server.
LONG_NEEDS += $(O)/sim/sim apiserver
