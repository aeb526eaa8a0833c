// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All ops of the dsv4 dialect; the TableGen entry file.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4OPS_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4OPS_TD

include "dialects/dsv4/IR/Dsv4ModelOps.td"
include "dialects/dsv4/IR/Dsv4HyperOps.td"
include "dialects/dsv4/IR/Dsv4AttentionOps.td"
include "dialects/dsv4/IR/Dsv4MoeOps.td"
include "dialects/dsv4/IR/Dsv4FusedOps.td"

#endif
