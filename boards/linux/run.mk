# SPDX-License-Identifier: Apache-2.0
#
# make run: the program against KUBECONFIG's cluster, or against a real
# kube-apiserver of the tests whose ConfigMaps are changed from outside.
# CHANGES=n ends it after n changes.

CHANGES ?= 20

ifeq ($(BOARD),linux)
run: deps-run
	@.ci/deps.sh python $(if $(KUBECONFIG),,go)
	$(MAKE_AGAIN) $(PROGRAM) $(if $(KUBECONFIG),,apiserver)
	@$(PYTHON) boards/linux/run.py --program $(PROGRAM) \
	    --changes $(CHANGES) $(if $(KUBECONFIG),,--apiserver \
	    $(APISERVER_BIN) --kload $(KLOAD))

.PHONY: run
endif
