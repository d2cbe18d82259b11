# SPDX-License-Identifier: Apache-2.0
#
# The gateway program with sanitizers. Not that of flavour unit-gcc: its sizes
# are firmware's (indexes of 16 bits), with which a program for 20,000 objects
# of up to 8 MB cannot start.

$(call flavour,sane,gcc,$(SANITIZE),$(LINUX_CONFIG),gateway)
$(call library,sane)
$(call program,sane,gcc $(SANITIZE))
# Nothing of ours decides how these two are built.
$(O)/sane/libmbedtls.a $(O)/sane/libyaml.a: $(O)/sane/%: $(O)/unit-gcc/%
	@mkdir -p $(@D) && cp $< $@

test-built: $(O)/sane/kinformer
