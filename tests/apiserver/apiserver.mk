# SPDX-License-Identifier: Apache-2.0
#
# A real kube-apiserver and the tools that speak to it. All lie in BUILD_ROOT,
# whatever O= says: what takes minutes is built once.
#
#   make apiserver [APISERVER=1.34.4]   $(APISERVER_BIN)
#   make kload informer-go              $(KLOAD) $(INFORMER_GO)

APISERVER  ?= 1.36.3
BUILD_ROOT ?= build

APISERVER_DIR := tests/apiserver
APISERVER_BIN := $(BUILD_ROOT)/apiserver-$(APISERVER)/apiserver
KLOAD         := $(BUILD_ROOT)/apiserver-tools/kload
INFORMER_GO   := $(BUILD_ROOT)/apiserver-tools/informer-go

# Go decides itself whether there is something to do.
apiserver: kload
	@sh $(APISERVER_DIR)/build.sh apiserver $(APISERVER) \
	    $(APISERVER_BIN) $(BUILD_ROOT)
kload:
	@sh $(APISERVER_DIR)/build.sh plain $(APISERVER_DIR)/kload $(KLOAD) \
	    $(BUILD_ROOT)
informer-go:
	@sh $(APISERVER_DIR)/build.sh plain tests/bench/informer-go \
	    $(INFORMER_GO) $(BUILD_ROOT)

.PHONY: apiserver kload informer-go

# tests/apiserver/test_apiserver.py and other suites start it.
test-built: apiserver
