// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All ops of the kern dialect; the TableGen entry file.

#ifndef DSV4_DIALECTS_KERN_IR_KERNOPS_TD
#define DSV4_DIALECTS_KERN_IR_KERNOPS_TD

include "dialects/kern/IR/KernProgramOps.td"
include "dialects/kern/IR/KernLinearOps.td"
include "dialects/kern/IR/KernHyperOps.td"
include "dialects/kern/IR/KernAttentionOps.td"
include "dialects/kern/IR/KernMoeOps.td"

#endif
