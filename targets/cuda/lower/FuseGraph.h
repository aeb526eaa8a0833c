// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What fusing launches is made of: nodes of a graph as bytes and operands,
// kernels as texts. The parameters of a fused phase are those of its phases one
// after another (device/phases/fused), so a fused launch is made of the bytes
// and operands of several and knows little of what is in them.

#ifndef DSV4_TARGETS_CUDA_LOWER_FUSEGRAPH_H
#define DSV4_TARGETS_CUDA_LOWER_FUSEGRAPH_H

#include "targets/cuda/CudaProgram.h"

#include <cstddef>
#include <map>
#include <optional>

namespace dsv4::cuda {

/// A kernel's text: what it declares, then its entry.
struct Entry {
  std::string rest, params, body;
  std::vector<std::string> args; // of the body's template

  /// "body<args>".
  std::string instance() const;
};

/// The text of a kernel with everything that it declares under names that begin
/// with `prefix`: the kernel that it came from may stay beside the fused one.
std::optional<Entry> entryOf(const KernelSpec &kernel,
                             const std::string &prefix);

/// The operand at byte `at` of the parameters, or null.
const OperandSpec *operandAt(const NodeSpec &node, size_t at);
bool sameAddress(const OperandSpec *a, const OperandSpec *b);
/// Whether one may write what the other touches: as far as their operands say,
/// where kinds say which of those are written.
bool conflicts(const NodeSpec &a, const NodeSpec &b);

/// Appends parameters of `from` behind those of `to`.
void append(NodeSpec &to, const NodeSpec &from);
/// Appends an address.
void appendOperand(NodeSpec &to, int32_t part, kern::Affine offset);
int64_t valueOf(const dsv4_cuda_count &count, const GraphSpec &graph);

/// Replaces `count` nodes from `at` by `node`; what pointed at one of them
/// points at it.
void replace(GraphSpec &graph, size_t at, size_t count, NodeSpec node);
bool isChain(const GraphSpec &graph);
/// Takes nodes, not the first, out of a chain; what was behind them follows
/// what was before.
void eraseOfChain(GraphSpec &graph, size_t at, size_t count);

/// Kernels of fused launches, made once.
class FusedKernels {
public:
  explicit FusedKernels(CudaProgram &program) : program(program) {}

  const KernelSpec &of(const NodeSpec &node) const {
    return program.kernels[size_t(node.kernel)];
  }
  /// By the symbols of what it replaces.
  std::optional<int32_t> known(const std::string &key) const;
  /// A name for the next one.
  std::string next() const { return "fused_" + std::to_string(made.size()); }
  int32_t add(const std::string &key, KernelSpec kernel);
  /// Drops kernels without a launch.
  void dropUnused();

private:
  CudaProgram &program;
  std::map<std::string, int32_t> made;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_FUSEGRAPH_H
