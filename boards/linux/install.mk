# SPDX-License-Identifier: Apache-2.0
#
# make install DESTDIR= PREFIX=: library, headers, pkg-config and CMake files,
# program, manual page.

# kinf_config.h is installed with the sizes the library was built with.
define installed_config
$(O)/host/kinf_config.h: $(LINUX_CONFIG) core/include/kinf_config.h
	@{ sed -n '1,/^#define KINF_CONFIG_H/p' core/include/kinf_config.h; \
	   echo; grep '^#define' $(LINUX_CONFIG) || :; \
	   sed '1,/^#define KINF_CONFIG_H/d; \
	     /^#ifdef KINF_CONFIG_FILE/,/^#endif/d' core/include/kinf_config.h; \
	 } >$$@
endef
$(eval $(installed_config))

$(O)/host/%: boards/linux/%.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LDFLAGS@|$(LDFLAGS_mbedtls)|' $< >$@

AT          = $(DESTDIR)$(PREFIX)
HEADERS    := $(filter-out %/kinf_config.h,$(wildcard core/include/*.h)) \
              $(wildcard $(addsuffix /kinf_*.h, \
              port/posix port/mbedtls port/https))
PACKAGE    := $(addprefix $(O)/host/, kinformer.pc kinformer-config.cmake \
              kinformer-config-version.cmake)

install: deps-run
	$(MAKE_AGAIN) install-built
install-built: $(O)/host/libkinformer.a $(O)/host/libmbedtls.a $(PROGRAM) \
    $(O)/host/kinf_config.h $(PACKAGE)
	@install -d $(AT)/bin $(AT)/include/kinformer $(AT)/lib/pkgconfig \
	    $(AT)/lib/cmake/kinformer $(AT)/share/man/man1 \
	    $(AT)/share/doc/kinformer
	@install -m 755 $(PROGRAM) $(AT)/bin/kinformer
	@install -m 644 $(HEADERS) $(O)/host/kinf_config.h \
	    $(AT)/include/kinformer
	@install -m 644 $(O)/host/libkinformer.a $(AT)/lib/libkinformer.a
	@install -m 644 $(O)/host/libmbedtls.a $(AT)/lib/libkinformer-mbedtls.a
	@install -m 644 $(O)/host/kinformer.pc $(AT)/lib/pkgconfig
	@install -m 644 $(filter %.cmake,$^) $(AT)/lib/cmake/kinformer
	@install -m 644 boards/linux/kinformer.1 $(AT)/share/man/man1
	@install -m 644 boards/linux/kinformer.service boards/linux/rbac.yaml \
	    $(AT)/share/doc/kinformer
	@echo 'installed in $(AT)'

.PHONY: install install-built
