// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches that become tails of the ones before: the last block to arrive at
// rows that are complete goes on with them (docs/cuda-fusion.md). Counters of
// arrivals lie behind the workspace, which starts as zeros, and are zero again
// behind every launch.

#ifndef DSV4_TARGETS_CUDA_LOWER_FUSETAILS_H
#define DSV4_TARGETS_CUDA_LOWER_FUSETAILS_H

#include "targets/cuda/lower/Fuse.h"
#include "targets/cuda/lower/FuseGraph.h"

#include "llvm/ADT/StringRef.h"

namespace dsv4::cuda {

/// `base` is "linear" or "expert_linear", without tails or with the sum of
/// parts alone.
bool isProduct(const NodeSpec &node, llvm::StringRef base);
bool productsConflict(const NodeSpec &a, const NodeSpec &b);
/// Counters of a product that runs beside another one.
void useOtherCounters(NodeSpec &node);

class TailFuser {
public:
  TailFuser(CudaProgram &program, FusedKernels &kernels,
            const FuseOptions &options);

  /// Sums of parts, and the row phases that read products.
  void productTails(GraphSpec &graph);
  /// hc_pre behind hc_mix, top_k behind index_score.
  void rowTails(GraphSpec &graph);
  /// Makes room for the counters.
  void finish();

private:
  struct Host;
  void addTails(GraphSpec &graph, size_t at);
  bool take(GraphSpec &graph, Host &host, size_t at, size_t from);
  int32_t hostKernel(const Host &host);
  void joinAtCounters(GraphSpec &graph, size_t at, int32_t kernel);
  bool fusePre(GraphSpec &graph, size_t at);
  bool fuseTopK(GraphSpec &graph, size_t at);
  int64_t blocksOf(const KernelSpec &host, int64_t shared) const;
  bool fitsShared(const KernelSpec &host, int64_t with) const;

  CudaProgram &program;
  FusedKernels &kernels;
  const FuseOptions &options;
  kern::Affine counters; // in the workspace
  bool hasCounters = false;
  std::map<std::string, int64_t> phases; // of the graph at hand, in order
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_FUSETAILS_H
