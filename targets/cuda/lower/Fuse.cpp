// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Fuse.h. Encodings first, then tails (FuseTails.h), which take phases from
// farther away, then what is left of neighbours.

#include "targets/cuda/lower/Fuse.h"

#include "targets/cuda/lower/FuseTails.h"

#include "targets/cuda/device/phases/fused/combine_mix.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"
#include "targets/cuda/device/phases/fused/route_dispatch.cuh"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace dsv4::cuda {

namespace {

/// The second launch reads at `in` what the first writes at `out`.
struct Rule {
  const char *first, *second;
  const char *header, *params, *body;
  size_t out, in;
  enum class Form { Encode, FirstThenSecond, SecondThenFirst } form;
};

const Rule rules[] = {
    {"hc_pre", "encode", "encode_rows.cuh", "HcPreEncodeParams", "hcPreEncode",
     offsetof(HcPreParams, xq), offsetof(EncodeParams, x), Rule::Form::Encode},
    {"norm_quant", "encode", "encode_rows.cuh", "NormQuantEncodeParams",
     "normQuantEncode", offsetof(NormQuantParams, yq),
     offsetof(EncodeParams, x), Rule::Form::Encode},
    {"quantize", "encode", "encode_rows.cuh", "QuantizeEncodeParams",
     "quantizeEncode", offsetof(QuantizeParams, xq), offsetof(EncodeParams, x),
     Rule::Form::Encode},
    {"swiglu", "encode", "encode_rows.cuh", "SwigluEncodeParams",
     "swigluEncode", offsetof(SwigluParams, h), offsetof(EncodeParams, x),
     Rule::Form::Encode},
    {"route", "dispatch", "route_dispatch.cuh", "RouteDispatchParams",
     "routeDispatch", offsetof(RouteParams, ids), offsetof(DispatchParams, ids),
     Rule::Form::FirstThenSecond},
    // Nobody else reads what combine writes: it is the output of its sublayer.
    {"combine", "hc_mix", "combine_mix.cuh", "CombineMixParams", "combineMix",
     offsetof(CombineParams, out), offsetof(HcMixParams, out),
     Rule::Form::SecondThenFirst},
};

/// Phases of one layer that need nothing of each other.
bool isSideTask(const std::string &kind) {
  return kind == "query_heads" || kind == "store_kv" || kind == "index_query";
}

class Fuser {
public:
  Fuser(CudaProgram &program, const FuseOptions &options)
      : program(program), options(options), kernels(program) {}
  int64_t run();

private:
  void fuseEncodings(GraphSpec &graph);
  void fuseNeighbours(GraphSpec &graph);
  bool fuseChain(GraphSpec &graph, size_t at, const Rule &rule);
  bool fuseSide(GraphSpec &graph, size_t at);
  bool fits(const NodeSpec &a, const NodeSpec &b, const Rule &rule) const;
  void bringEncode(GraphSpec &graph, size_t at);
  int32_t chainKernel(const NodeSpec &a, const NodeSpec &b, const Rule &rule);
  int32_t sideKernel(llvm::ArrayRef<const NodeSpec *> nodes);

  CudaProgram &program;
  const FuseOptions &options;
  FusedKernels kernels;
};

bool Fuser::fits(const NodeSpec &a, const NodeSpec &b, const Rule &rule) const {
  return a.kind == rule.first && b.kind == rule.second && a.kernel >= 0 &&
         b.kernel >= 0 &&
         sameAddress(operandAt(a, rule.out), operandAt(b, rule.in));
}

/// The fused kernel, or -1 where a text is not understood.
int32_t Fuser::chainKernel(const NodeSpec &a, const NodeSpec &b,
                           const Rule &rule) {
  const KernelSpec &first = kernels.of(a), &second = kernels.of(b);
  bool encodes = rule.form == Rule::Form::Encode;
  std::string key = first.symbol + (encodes ? "" : " " + second.symbol);
  if (auto index = kernels.known(key))
    return *index;
  std::string name = kernels.next();
  auto entryA = entryOf(first, name + "_a");
  auto entryB = encodes ? entryA : entryOf(second, name + "_b");
  if (!entryA || !entryB || entryA->args.size() != 1 ||
      entryB->args.size() != 1)
    return -1;
  KernelSpec fused = encodes ? first : second;
  fused.symbol = "k_" + name;
  fused.header = std::string(fusedFolder) + rule.header;
  fused.paramsBytes = first.paramsBytes + (encodes ? 16 : second.paramsBytes);
  std::string configs = entryA->args[0], other = entryB->args[0];
  fused.text = entryA->rest + (encodes ? "" : entryB->rest);
  if (rule.form == Rule::Form::FirstThenSecond) {
    // A block of 8 warps, which route's registers fit: dispatch has E counts
    // and a row of them for each warp.
    int32_t warps = second.threads / 32;
    fused.text += "struct " + name + "_c : " + other +
                  " {\n  static constexpr dsv4::cuda::u32 Warps = 8;\n};\n";
    fused.threads = 256;
    fused.sharedBytes = second.sharedBytes / (warps + 1) * 9;
    configs += ", " + name + "_c";
  } else if (rule.form == Rule::Form::SecondThenFirst) {
    configs = other + ", " + configs;
  }
  fused.text += "DSV4_ENTRY(" + fused.symbol + ", " + rule.params + ", " +
                std::to_string(fused.threads) + ", " + rule.body + "<" +
                configs + ">)\n";
  return kernels.add(key, std::move(fused));
}

bool Fuser::fuseChain(GraphSpec &graph, size_t at, const Rule &rule) {
  const NodeSpec &a = graph.nodes[at], &b = graph.nodes[at + 1];
  bool encodes = rule.form == Rule::Form::Encode;
  if (!fits(a, b, rule) || (!encodes && graph.tokens > options.fewTokens))
    return false;
  const OperandSpec *blocks =
      encodes ? operandAt(b, offsetof(EncodeParams, blocks)) : nullptr;
  if (encodes && !blocks)
    return false;
  int32_t kernel = chainKernel(a, b, rule);
  if (kernel < 0)
    return false;
  NodeSpec node = rule.form == Rule::Form::SecondThenFirst ? b : a;
  if (encodes) {
    appendOperand(node, blocks->part, blocks->offset);
    node.params.resize(node.params.size() + 8);
    std::memcpy(node.params.data() + node.params.size() - 8,
                b.params.data() + offsetof(EncodeParams, blockBytes), 4);
  } else {
    append(node, rule.form == Rule::Form::SecondThenFirst ? a : b);
  }
  if (rule.form == Rule::Form::FirstThenSecond)
    node.gridX = node.gridY = {1, 0, 0, 0, 1};
  node.name = a.name;
  node.kind = a.kind + "+" + b.kind;
  node.kernel = kernel;
  replace(graph, at, 2, std::move(node));
  return true;
}

int32_t Fuser::sideKernel(llvm::ArrayRef<const NodeSpec *> nodes) {
  std::string key = "side";
  for (const NodeSpec *node : nodes)
    key += " " + kernels.of(*node).symbol;
  if (auto index = kernels.known(key))
    return *index;
  std::string name = kernels.next();
  KernelSpec fused = kernels.of(*nodes[0]);
  bool ofProducts = !isSideTask(nodes[0]->kind);
  fused.symbol = "k_" + name;
  fused.header = std::string(fusedFolder) +
                 (ofProducts ? "side_products.cuh" : "side_by_side.cuh");
  fused.paramsBytes = 0;
  fused.text.clear();
  std::string tasks, aliases;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const KernelSpec &one = kernels.of(*nodes[i]);
    std::string at = name + "_" + std::to_string(i);
    auto entry = entryOf(one, at);
    if (!entry)
      return -1;
    fused.text += entry->rest;
    aliases += "using " + at + "_task = SideTask<" + entry->params + ", " +
               entry->instance() + ">;\n";
    tasks += (i ? ", " : "") + at + "_task";
    fused.paramsBytes += one.paramsBytes;
    fused.sharedBytes = std::max(fused.sharedBytes, one.sharedBytes);
  }
  fused.text += aliases + "using " + name + "_params = SideParams<" + tasks +
                ">;\nDSV4_ENTRY(" + fused.symbol + ", " + name + "_params, " +
                std::to_string(fused.threads) + ", sideBySide<" + tasks +
                ">)\n";
  return kernels.add(key, std::move(fused));
}

/// How many launches from `at` on may be rows of one grid.
size_t sideCount(const GraphSpec &graph, const FusedKernels &kernels, size_t at,
                 const FuseOptions &options) {
  const NodeSpec &first = graph.nodes[at];
  auto fits = [&](const NodeSpec &node) {
    return node.kernel >= 0 &&
           kernels.of(node).threads == kernels.of(first).threads;
  };
  if (first.kernel < 0)
    return 0;
  size_t end = at;
  while (end < graph.nodes.size() && isSideTask(graph.nodes[end].kind) &&
         fits(graph.nodes[end]))
    ++end;
  // The shared expert's last product beside the experts'.
  bool areProducts = at + 1 < graph.nodes.size() &&
                     graph.tokens <= options.fewTokens &&
                     isProduct(first, "expert_linear") &&
                     isProduct(graph.nodes[at + 1], "linear");
  if (areProducts && fits(graph.nodes[at + 1]) &&
      !productsConflict(first, graph.nodes[at + 1]))
    end = at + 2;
  return end - at;
}

bool Fuser::fuseSide(GraphSpec &graph, size_t at) {
  size_t count = sideCount(graph, kernels, at, options);
  if (count < 2)
    return false;
  std::vector<const NodeSpec *> nodes;
  for (size_t i = at; i < at + count; ++i)
    nodes.push_back(&graph.nodes[i]);
  int32_t kernel = sideKernel(nodes);
  if (kernel < 0)
    return false;
  NodeSpec fused = *nodes[0];
  for (const NodeSpec *node : llvm::ArrayRef(nodes).drop_front()) {
    NodeSpec other = *node;
    useOtherCounters(other);
    append(fused, other);
    fused.kind += "|" + node->kind;
    // Bodies go over their items with whatever grid: the largest is enough.
    if (valueOf(node->gridX, graph) > valueOf(fused.gridX, graph))
      fused.gridX = node->gridX;
  }
  fused.gridY = {int64_t(nodes.size()), 0, 0, 0, 1};
  fused.kernel = kernel;
  replace(graph, at, nodes.size(), std::move(fused));
  return true;
}

/// In a chain, the encoding of what the launch at `at` quantised comes right
/// behind it, past launches that touch nothing of it: its blocks have a place
/// of their own for as long (ProgramBuilder::workspace).
void Fuser::bringEncode(GraphSpec &graph, size_t at) {
  constexpr size_t farthest = 4;
  auto begin = graph.nodes.begin();
  for (size_t i = at + 1; i < graph.nodes.size() && i <= at + farthest; ++i)
    for (const Rule &rule : rules)
      if (rule.form == Rule::Form::Encode &&
          fits(graph.nodes[at], graph.nodes[i], rule)) {
        bool isFree = std::none_of(
            begin + long(at) + 1, begin + long(i),
            [&](const NodeSpec &n) { return conflicts(graph.nodes[i], n); });
        if (isFree)
          std::rotate(begin + long(at) + 1, begin + long(i),
                      begin + long(i) + 1);
        return;
      }
}

void Fuser::fuseEncodings(GraphSpec &graph) {
  for (size_t at = 0; at + 1 < graph.nodes.size(); ++at) {
    if (isChain(graph))
      bringEncode(graph, at);
    for (const Rule &rule : rules)
      if (rule.form == Rule::Form::Encode && at + 1 < graph.nodes.size() &&
          fuseChain(graph, at, rule))
        break;
  }
}

void Fuser::fuseNeighbours(GraphSpec &graph) {
  for (size_t at = 0; at + 1 < graph.nodes.size(); ++at) {
    bool done = false;
    for (const Rule &rule : rules)
      done = done || fuseChain(graph, at, rule);
    if (!done)
      fuseSide(graph, at);
  }
}

int64_t Fuser::run() {
  int64_t before = 0, after = 0;
  TailFuser tails(program, kernels, options);
  for (GraphSpec &graph : program.graphs) {
    before += int64_t(graph.nodes.size());
    fuseEncodings(graph);
    bool hasTails =
        options.tails && graph.tokens <= options.fewTokens && isChain(graph);
    if (hasTails)
      tails.productTails(graph);
    fuseNeighbours(graph);
    if (hasTails)
      tails.rowTails(graph);
    after += int64_t(graph.nodes.size());
  }
  tails.finish();
  kernels.dropUnused();
  return before - after;
}

} // namespace

int64_t fuseLaunches(CudaProgram &program, const FuseOptions &options) {
  return Fuser(program, options).run();
}

} // namespace dsv4::cuda
