# SPDX-License-Identifier: Apache-2.0
#
# What the suites against a real API server need: it is built when there are
# any.

ifneq ($(wildcard tests/e2e/test_*),)
DEPS_TEST  += go
TEST_NEEDS += apiserver
endif
