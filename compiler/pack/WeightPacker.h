// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packs the checkpoint's tensors into the layout of the target's kernels and
// streams them, in the order of their offsets, with bounded memory: one buffer
// of a few MiB, whatever the size of the model.

#ifndef DSV4_COMPILER_PACK_WEIGHTPACKER_H
#define DSV4_COMPILER_PACK_WEIGHTPACKER_H

#include "dialects/kern/IR/KernOps.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace dsv4 {

/// The bytes of a tensor by its official name, as they lie in the checkpoint
/// (row-major, usually a mapped file). Must stay valid until the work that
/// reads is done: matrices of a stack are looked at together.
using TensorReader = llvm::function_ref<llvm::Expected<llvm::ArrayRef<uint8_t>>(
    llvm::StringRef name)>;

/// Takes the next bytes of the packed weights.
using ByteSink = llvm::function_ref<llvm::Error(llvm::ArrayRef<uint8_t>)>;

/// Called with packed bytes so far and in all; an error stops the packing.
using PackProgress = llvm::function_ref<llvm::Error(uint64_t, uint64_t)>;

/// Sets `escapes` of every FP4 weight for a GPU: the most tiles of any of its
/// matrices whose scales a base and offsets cannot say. Before
/// cuda-assign-packing; reads all FP4 scales, whose bytes `progress` counts.
/// Errors name the tensor: a wrong number of bytes, a scale of 255 (NaN).
llvm::Error countEscapes(kern::ProgramOp program, TensorReader read,
                         PackProgress progress, unsigned threads = 1);

/// Streams exactly program.weight_bytes bytes: every kern.weight at its offset,
/// zeros in the gaps. Errors name the tensor: a wrong number of bytes, an E8M0
/// scale of 255 (NaN) or, unless all its codes are 0, beyond 2^-60 to 2^60, a
/// NaN code in FP8, an index that is no expert of its router (or, elsewhere,
/// outside 32 bits) in I64, for a GPU more escapes than were counted. `threads`
/// pack the parts of one buffer; bytes do not depend on it.
llvm::Error packWeights(kern::ProgramOp program, TensorReader read,
                        ByteSink sink, PackProgress progress,
                        unsigned threads = 1);

} // namespace dsv4

#endif // DSV4_COMPILER_PACK_WEIGHTPACKER_H
