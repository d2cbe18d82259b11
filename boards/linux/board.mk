# SPDX-License-Identifier: Apache-2.0
#
# The gateway: a static program of musl's, and the library for other programs
# of the host.

DEPS_RUN := run jsmn mbedtls libyaml

INC_linux := -Iboards/linux -Iport/posix $(INC_mbedtls) \
    -isystem $(LIBYAML_DIR)/include -D_GNU_SOURCE
INC_posix := -Iport/posix -D_GNU_SOURCE
INC_https := -Iport/posix -Iport/mbedtls -D_GNU_SOURCE

LINUX_CONFIG := $(O)/linux/config.h

POSIX_SRC := $(sort $(wildcard port/posix/*.c))
TLS_SRC   := $(sort $(wildcard port/mbedtls/*.c))
HTTPS_SRC := $(sort $(wildcard port/https/*.c))
BOARD_SRC := $(sort $(wildcard boards/linux/*.c))
YAML_SRC  := $(notdir $(sort $(wildcard $(LIBYAML_DIR)/src/*.c)))

# libyaml without its autoconf: four names are all it wants. Its memory is
# boards/linux/yaml_memory.c, which wipes what it held.
YAML_FLAGS := -I$(LIBYAML_DIR)/include -DYAML_DECLARE_STATIC \
    -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 \
    -DYAML_VERSION_STRING='"0.2.5"' -Dmalloc=kinf_yaml_malloc \
    -Drealloc=kinf_yaml_realloc -Dfree=kinf_yaml_free -Dstrdup=kinf_yaml_strdup

define yaml_rules
$(O)/$(1)/obj/libyaml/%.o: $(LIBYAML_DIR)/src/%.c $(O)/$(1)/.flags
	$$(call compile_theirs,$(1),$$(YAML_FLAGS))
$(O)/$(1)/libyaml.a: $(addprefix $(O)/$(1)/obj/libyaml/,$(YAML_SRC:.c=.o))
	$$(call archive,$(1))
endef
yaml = $(eval $(call yaml_rules,$(1)))

# The library: core with the ports of a host.
define library_rules
$(O)/$(1)/libkinformer.a: \
    $(call objects,$(1),$(CORE_SRC) $(POSIX_SRC) $(TLS_SRC) $(HTTPS_SRC))
	$$(call archive,$(1))
endef
library = $(eval $(call library_rules,$(1)))

# The program, from a flavour's own library, Mbed TLS and libyaml.
define program_rules
$(O)/$(1)/kinformer: $(call objects,$(1),$(BOARD_SRC)) \
    $(O)/$(1)/libkinformer.a $(O)/$(1)/libmbedtls.a $(O)/$(1)/libyaml.a
	@echo '  LD      $$@'
	@$(2) $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) \
	    -Wl,--end-group $$(LDFLAGS_mbedtls) -o $$@
endef
program = $(eval $(call program_rules,$(1),$(2)))

# gateway: what make run starts, one file without anything beside it.
# host: the same for programs of others that link the library; its functions may
# be inlined, which -fPIC alone forbids.
$(call flavour,gateway,musl-gcc,-O2 -fno-asynchronous-unwind-tables -fno-pie,$(LINUX_CONFIG),gateway)
$(call mbedtls,gateway)
$(call yaml,gateway)
$(call library,gateway)
$(call program,gateway,musl-gcc -static -no-pie -Wl$(comma)--gc-sections -s)

$(call flavour,host,$(CC),-O2 -g -fPIC -fno-semantic-interposition,$(LINUX_CONFIG),gateway)
$(call mbedtls,host)
$(call library,host)

PROGRAM := $(O)/gateway/kinformer

program: deps-run
	$(MAKE_AGAIN) $(PROGRAM)
lib: deps-run
	$(MAKE_AGAIN) $(O)/host/libkinformer.a $(O)/host/libmbedtls.a

.PHONY: program lib
