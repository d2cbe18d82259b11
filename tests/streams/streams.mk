# SPDX-License-Identifier: Apache-2.0
#
# make record-streams [APISERVER=1.34.4]: tests/streams/VERSION, anew, from a
# real server. It takes two minutes; look at the difference before you keep it.

record-streams: apiserver $(O)/sim/sim
	@O='$(O)' $(PYTHON) tests/streams/record.py

.PHONY: record-streams
