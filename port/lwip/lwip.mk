# SPDX-License-Identifier: Apache-2.0
#
# lwIP 2.2 as one archive a flavour. port/lwip holds lwipopts.h and arch/cc.h;
# what they leave out compiles to nothing.

LWIP_SRC := $(patsubst $(LWIP_DIR)/src/%,%,$(sort \
    $(wildcard $(LWIP_DIR)/src/core/*.c $(LWIP_DIR)/src/core/ipv4/*.c) \
    $(wildcard $(LWIP_DIR)/src/api/*.c) \
    $(wildcard $(LWIP_DIR)/src/netif/ethernet.c)))
INC_lwip := -Iport/lwip -isystem $(LWIP_DIR)/src/include

# $(call lwip,FLAVOUR): rules for $(O)/FLAVOUR/liblwip.a.
define lwip_rules
$(O)/$(1)/obj/lwip/%.o: $(LWIP_DIR)/src/%.c $(O)/$(1)/.flags
	$$(call compile_theirs,$(1),-Icore/include $$(INC_lwip))
$(O)/$(1)/liblwip.a: $(addprefix $(O)/$(1)/obj/lwip/,$(LWIP_SRC:.c=.o))
	$$(call archive,$(1))
endef
lwip = $(eval $(call lwip_rules,$(1)))
