// RUN: dsv4-opt %s | FileCheck %s
// RUN: compile-model %tiny --compile-to import -o %t.import.mlir
// RUN: dsv4-opt %t.import.mlir -o %t.import.once
// RUN: dsv4-opt %t.import.once -o %t.import.twice
// RUN: cmp %t.import.once %t.import.twice
// RUN: compile-model %tiny --compile-to fuse -o %t.fuse.mlir
// RUN: dsv4-opt %t.fuse.mlir -o %t.fuse.once
// RUN: dsv4-opt %t.fuse.once -o %t.fuse.twice
// RUN: cmp %t.fuse.once %t.fuse.twice
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A weight's type is printed without its dialect's name. A file in which nothing
// before it names qfmt must be readable all the same, as must whole models.

// CHECK: dsv4.weight "a.weight" : <64x256, bf16>
%w = dsv4.weight "a.weight" : <64x256, bf16>
