// SPDX-License-Identifier: Apache-2.0
//
// The real requirements are in versions/VERSION.mod, one file for each version
// of Kubernetes, and are given to go by -modfile; go wants this file only to
// see where the module begins.
module kinformer.test/apiserver

go 1.24.0
