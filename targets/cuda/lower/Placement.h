// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the packed weights lie when a program runs: all on the GPU, or what is
// read least in pinned memory of the host or, if that is too small as well, in
// the mapped file itself; kernels read both through the bus. First tables of
// embeddings, of which a token reads one row, then experts, the coldest first;
// docs/cuda-placement.md.

#ifndef DSV4_TARGETS_CUDA_LOWER_PLACEMENT_H
#define DSV4_TARGETS_CUDA_LOWER_PLACEMENT_H

#include "dialects/kern/IR/KernOps.h"
#include "runtime/abi/cuda_program.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <limits>
#include <vector>

namespace dsv4::cuda {

/// How many tokens have gone to an expert, by the part of its tensors' names
/// up to its number ("layers.3.ffn.experts.17"). Who is not in it had none.
using ExpertUsage = llvm::StringMap<uint64_t>;

/// A line per expert, "layers.3.ffn.experts.17 1234"; blank lines and lines
/// that begin with # say nothing. Errors name `file` and the line.
llvm::Expected<ExpertUsage> parseUsage(llvm::StringRef text,
                                       llvm::StringRef file);

class Placement {
public:
  /// One weight. Experts of a stack lie one after another, `stride` bytes
  /// apart, those on the GPU from `offset` of its weights, cold ones from
  /// `coldOffset` of the pinned ones. Of a mapped weight `coldOffset` is where
  /// all of it, expert 0 first, lies in part `mappedPart` of the file.
  struct Weight {
    kern::WeightOp op;
    int64_t matrices = 1, stride = 0;
    bool isCold = false;    // all of it is on the host, at coldOffset
    llvm::BitVector cold{}; // of a stack: experts on the host; empty: none
    int64_t source = 0;     // in the packed weights
    int64_t offset = 0, coldOffset = 0;
    int mappedPart = -1; // into mapped(); -1: what is cold is pinned

    bool hasCold() const { return isCold || cold.any(); }
    bool isMapped() const { return mappedPart >= 0; }
  };

  /// A range of the file that the GPU reads where it is.
  struct Mapped {
    const char *name;
    int64_t source = 0, bytes = 0;
  };

  /// What there is room for, in bytes.
  struct Room {
    int64_t device = 0;
    int64_t pinned = std::numeric_limits<int64_t>::max();
  };

  /// Everything on the GPU, as packed. Weights of `program` have places.
  explicit Placement(kern::ProgramOp program);

  /// Moves weights to the host until at most `room.device` bytes are on the
  /// GPU, and leaves them in the file until at most `room.pinned` are pinned:
  /// tables first, then the cold experts of the last layers. Without usage the
  /// last experts of every layer go first. Errors: what may not be moved is too
  /// much; usage of an expert that the program has not.
  llvm::Error fit(const Room &room, const ExpertUsage &usage = {});

  const Weight &of(kern::WeightOp weight) const {
    return weights[indices.lookup(weight.getOperation())];
  }
  int64_t deviceBytes() const { return onDevice; }
  int64_t pinnedBytes() const { return onHost; }
  llvm::ArrayRef<Mapped> mapped() const { return mappedParts; }
  bool isWhole() const { return onHost == 0 && mappedParts.empty(); }

  /// Numbers of the program's parts.
  struct Parts {
    int32_t device, pinned;
    int32_t firstMapped; // mapped()[0], the others behind it
  };
  /// What is copied where, and what is mapped.
  std::vector<dsv4_cuda_segment> segments(const Parts &parts) const;

private:
  struct Expert;
  int64_t resident() const;
  void moveTables(int64_t bytes);
  void leaveInFile(int64_t pinned);
  void setMapped();
  llvm::Expected<std::vector<Expert>> experts(const ExpertUsage &usage) const;
  void setOffsets();

  std::vector<Weight> weights; // by offset in the packed weights
  llvm::DenseMap<mlir::Operation *, size_t> indices;
  std::vector<Mapped> mappedParts;
  int64_t packedBytes = 0, onDevice = 0, onHost = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_PLACEMENT_H
