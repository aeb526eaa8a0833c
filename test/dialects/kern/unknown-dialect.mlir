// RUN: not kern-opt %s 2>&1 | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern-opt does not know the model dialect: IR that leaked through the lowering
// fails to parse.

// CHECK: error: {{.*}}dsv4
dsv4.model @m {
}
