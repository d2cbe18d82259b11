// SPDX-License-Identifier: Apache-2.0
module kinformer.test/kload

go 1.23.0
