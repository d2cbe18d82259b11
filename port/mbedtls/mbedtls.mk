# SPDX-License-Identifier: Apache-2.0
#
# Mbed TLS 3.6 as one archive a flavour, from every file of its library that
# the profile needs: what a configuration leaves out compiles to nothing.
# Nothing is written into the source tree.

MBEDTLS_SRC := $(filter-out net_sockets.c timing.c psa_its_file.c, \
                 $(notdir $(sort $(wildcard $(MBEDTLS_DIR)/library/*.c))))

INC_mbedtls := -Iport/mbedtls -isystem $(MBEDTLS_DIR)/include

# $(call mbedtls,FLAVOUR): rules for $(O)/FLAVOUR/libmbedtls.a.
define mbedtls_rules
$(O)/$(1)/obj/mbedtls/%.o: $(MBEDTLS_DIR)/library/%.c $(O)/$(1)/.flags
	$$(call compile_theirs,$(1),-Icore/include $$(INC_mbedtls) \
	    -I$(MBEDTLS_DIR)/library)
$(O)/$(1)/libmbedtls.a: \
    $(addprefix $(O)/$(1)/obj/mbedtls/,$(MBEDTLS_SRC:.c=.o))
	$$(call archive,$(1))
endef
mbedtls = $(eval $(call mbedtls_rules,$(1)))

# What a program that speaks TLS is linked with; see verify.c.
LDFLAGS_mbedtls := -Wl,--wrap=mbedtls_rsa_parse_pubkey
