// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Fuse.h. The parameters of a fused phase are those of its phases one after
// another (device/phases/fused), so a fused launch is made of the bytes and
// operands of two and knows nothing of what is in them.

#include "targets/cuda/lower/Fuse.h"

#include "targets/cuda/device/phases/fused/combine_mix.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"
#include "targets/cuda/device/phases/fused/route_dispatch.cuh"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <optional>
#include <regex>

namespace dsv4::cuda {

namespace {

constexpr const char *fusedFolder = "targets/cuda/device/phases/fused/";

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

/// What a kernel's text says: `rest`, then its entry.
struct Entry {
  std::string rest, params, body, config;
};

std::optional<Entry> entryOf(const KernelSpec &kernel) {
  static const std::regex form(
      R"(DSV4_ENTRY\(\s*(\w+),\s*(\w+),\s*\w+,\s*(\w+)<(\w+)>\s*\))");
  std::smatch found;
  if (!std::regex_search(kernel.text, found, form) || found[1] != kernel.symbol)
    return std::nullopt;
  return Entry{found.prefix().str(), found[2], found[3], found[4]};
}

/// The text with the config struct under a name of its own: the kernel that it
/// came from may stay beside the fused one.
std::string renamed(const Entry &entry, const std::string &name) {
  return std::regex_replace(entry.rest,
                            std::regex("\\b" + entry.config + "\\b"), name);
}

const OperandSpec *operandAt(const NodeSpec &node, size_t at) {
  for (const OperandSpec &operand : node.operands)
    if (size_t(operand.at) == at)
      return &operand;
  return nullptr;
}

bool sameAddress(const OperandSpec *a, const OperandSpec *b) {
  return a && b && a->part == b->part && a->offset.fixed == b->offset.fixed &&
         a->offset.perBlock == b->offset.perBlock;
}

int64_t valueOf(const dsv4_cuda_count &count, const GraphSpec &graph) {
  return (count.fixed + count.per_token * graph.tokens +
          count.per_output * graph.outputs) /
         count.divisor;
}

/// Appends parameters of `from` behind those of `to`.
void append(NodeSpec &to, const NodeSpec &from) {
  auto shift = int32_t(to.params.size());
  to.params.insert(to.params.end(), from.params.begin(), from.params.end());
  for (OperandSpec operand : from.operands) {
    operand.at += shift;
    to.operands.push_back(operand);
  }
}

class Fuser {
public:
  Fuser(CudaProgram &program, const FuseOptions &options)
      : program(program), options(options) {}
  int64_t run();

private:
  bool fuseAt(GraphSpec &graph, size_t at);
  bool fuseChain(GraphSpec &graph, size_t at, const Rule &rule);
  bool fuseSide(GraphSpec &graph, size_t at);
  bool fits(const NodeSpec &a, const NodeSpec &b, const Rule &rule) const;
  void bringEncode(GraphSpec &graph, size_t at);
  int32_t chainKernel(const NodeSpec &a, const NodeSpec &b, const Rule &rule);
  int32_t sideKernel(llvm::ArrayRef<const NodeSpec *> nodes);
  std::optional<int32_t> known(const std::string &key) const;
  int32_t add(const std::string &key, KernelSpec kernel);
  const KernelSpec &kernelOf(const NodeSpec &node) const {
    return program.kernels[size_t(node.kernel)];
  }
  void dropKernels();

  CudaProgram &program;
  const FuseOptions &options;
  std::map<std::string, int32_t> made; // by the symbols that it replaces
};

/// Replaces `count` nodes from `at` by `node`; what pointed at one of them
/// points at it.
void replace(GraphSpec &graph, size_t at, size_t count, NodeSpec node) {
  auto moved = [&](int32_t index) {
    auto i = size_t(index);
    return int32_t(i < at ? i : i < at + count ? at : i - (count - 1));
  };
  graph.nodes[at] = std::move(node);
  graph.nodes.erase(graph.nodes.begin() + long(at) + 1,
                    graph.nodes.begin() + long(at + count));
  std::vector<dsv4_cuda_edge> edges;
  for (dsv4_cuda_edge edge : graph.edges) {
    edge.from = moved(edge.from);
    edge.to = moved(edge.to);
    bool isThere = false;
    for (dsv4_cuda_edge &other : edges)
      if (other.from == edge.from && other.to == edge.to) {
        isThere = true;
        other.kind = std::min(other.kind, edge.kind); // full is the stronger
      }
    if (edge.from != edge.to && !isThere)
      edges.push_back(edge);
  }
  graph.edges = std::move(edges);
}

bool Fuser::fits(const NodeSpec &a, const NodeSpec &b, const Rule &rule) const {
  return a.kind == rule.first && b.kind == rule.second && a.kernel >= 0 &&
         b.kernel >= 0 &&
         sameAddress(operandAt(a, rule.out), operandAt(b, rule.in));
}

std::optional<int32_t> Fuser::known(const std::string &key) const {
  auto found = made.find(key);
  return found == made.end() ? std::nullopt : std::optional(found->second);
}

int32_t Fuser::add(const std::string &key, KernelSpec kernel) {
  auto index = int32_t(program.kernels.size());
  program.kernels.push_back(std::move(kernel));
  made[key] = index;
  return index;
}

/// The fused kernel, or -1 where a text is not understood.
int32_t Fuser::chainKernel(const NodeSpec &a, const NodeSpec &b,
                           const Rule &rule) {
  const KernelSpec &first = kernelOf(a), &second = kernelOf(b);
  bool encodes = rule.form == Rule::Form::Encode;
  std::string key = first.symbol + (encodes ? "" : " " + second.symbol);
  if (auto index = known(key))
    return *index;
  auto entryA = entryOf(first), entryB = encodes ? entryA : entryOf(second);
  if (!entryA || !entryB)
    return -1;
  std::string name = "fused_" + std::to_string(made.size());
  KernelSpec fused = rule.form == Rule::Form::FirstThenSecond ||
                             rule.form == Rule::Form::SecondThenFirst
                         ? second
                         : first;
  fused.symbol = "k_" + name;
  fused.header = std::string(fusedFolder) + rule.header;
  fused.paramsBytes = first.paramsBytes + (encodes ? 16 : second.paramsBytes);
  std::string configs = name + "_a";
  fused.text = renamed(*entryA, configs);
  if (!encodes) {
    std::string other = name + "_b";
    fused.text += renamed(*entryB, other);
    if (rule.form == Rule::Form::FirstThenSecond) {
      // A block of 8 warps, which route's registers fit: dispatch has E counts
      // and a row of them for each warp.
      int32_t warps = second.threads / 32;
      fused.text += "struct " + name + "_c : " + other +
                    " {\n  static constexpr dsv4::cuda::u32 Warps = 8;\n};\n";
      fused.threads = 256;
      fused.sharedBytes = second.sharedBytes / (warps + 1) * 9;
      configs += ", " + name + "_c";
    } else {
      configs = other + ", " + configs;
    }
  }
  fused.text += "DSV4_ENTRY(" + fused.symbol + ", " + rule.params + ", " +
                std::to_string(fused.threads) + ", " + rule.body + "<" +
                configs + ">)\n";
  return add(key, std::move(fused));
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
    OperandSpec operand = *blocks;
    operand.at = int32_t(node.params.size());
    node.params.resize(node.params.size() + 16);
    std::memcpy(node.params.data() + operand.at + 8,
                b.params.data() + offsetof(EncodeParams, blockBytes), 4);
    node.operands.push_back(operand);
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
    key += " " + kernelOf(*node).symbol;
  if (auto index = known(key))
    return *index;
  std::string name = "fused_" + std::to_string(made.size());
  KernelSpec fused = kernelOf(*nodes[0]);
  fused.symbol = "k_" + name;
  fused.header = std::string(fusedFolder) + "side_by_side.cuh";
  fused.paramsBytes = 0;
  fused.text.clear();
  std::string tasks, aliases;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const KernelSpec &one = kernelOf(*nodes[i]);
    auto entry = entryOf(one);
    if (!entry)
      return -1;
    std::string at = name + "_" + std::to_string(i);
    fused.text += renamed(*entry, at);
    aliases += "using " + at + "_task = SideTask<" + entry->params + ", " +
               entry->body + "<" + at + ">>;\n";
    tasks += (i ? ", " : "") + at + "_task";
    fused.paramsBytes += one.paramsBytes;
    fused.sharedBytes = std::max(fused.sharedBytes, one.sharedBytes);
  }
  fused.text += aliases + "using " + name + "_params = SideParams<" + tasks +
                ">;\nDSV4_ENTRY(" + fused.symbol + ", " + name + "_params, " +
                std::to_string(fused.threads) + ", sideBySide<" + tasks +
                ">)\n";
  return add(key, std::move(fused));
}

bool Fuser::fuseSide(GraphSpec &graph, size_t at) {
  std::vector<const NodeSpec *> nodes;
  for (size_t i = at; i < graph.nodes.size(); ++i) {
    const NodeSpec &node = graph.nodes[i];
    if (!isSideTask(node.kind) || node.kernel < 0 ||
        kernelOf(node).threads != kernelOf(graph.nodes[at]).threads)
      break;
    nodes.push_back(&node);
  }
  if (nodes.size() < 2)
    return false;
  int32_t kernel = sideKernel(nodes);
  if (kernel < 0)
    return false;
  NodeSpec fused = *nodes[0];
  for (const NodeSpec *node : llvm::ArrayRef(nodes).drop_front()) {
    append(fused, *node);
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

bool isChain(const GraphSpec &graph) {
  if (graph.edges.size() + 1 != graph.nodes.size())
    return false;
  for (size_t i = 0; i < graph.edges.size(); ++i)
    if (size_t(graph.edges[i].from) != i || size_t(graph.edges[i].to) != i + 1)
      return false;
  return true;
}

/// In a chain, the encoding of what the launch at `at` quantised comes right
/// behind it, past launches that leave the workspace alone: those have written
/// nothing that it reads (its operand is alive), and read nothing of it.
void Fuser::bringEncode(GraphSpec &graph, size_t at) {
  auto usesWorkspace = [](const NodeSpec &node) {
    return node.kernel < 0 || llvm::any_of(
                                  node.operands,
                                  [](const OperandSpec &operand) {
                                    return operand.part == WorkspacePart;
                                  });
  };
  constexpr size_t farthest = 3;
  for (size_t i = at + 1; i < graph.nodes.size() && i <= at + farthest; ++i) {
    for (const Rule &rule : rules)
      if (rule.form == Rule::Form::Encode &&
          fits(graph.nodes[at], graph.nodes[i], rule)) {
        std::rotate(graph.nodes.begin() + long(at) + 1,
                    graph.nodes.begin() + long(i),
                    graph.nodes.begin() + long(i) + 1);
        return;
      }
    if (usesWorkspace(graph.nodes[i]))
      return;
  }
}

bool Fuser::fuseAt(GraphSpec &graph, size_t at) {
  if (at + 1 >= graph.nodes.size())
    return false;
  for (const Rule &rule : rules)
    if (fuseChain(graph, at, rule))
      return true;
  return fuseSide(graph, at);
}

/// Kernels without a launch, whose places the others take.
void Fuser::dropKernels() {
  std::vector<int32_t> place(program.kernels.size(), -1);
  for (const GraphSpec &graph : program.graphs)
    for (const NodeSpec &node : graph.nodes)
      if (node.kernel >= 0)
        place[size_t(node.kernel)] = 0;
  std::vector<KernelSpec> kept;
  for (size_t i = 0; i < place.size(); ++i)
    if (place[i] == 0) {
      place[i] = int32_t(kept.size());
      kept.push_back(std::move(program.kernels[i]));
    }
  program.kernels = std::move(kept);
  for (GraphSpec &graph : program.graphs)
    for (NodeSpec &node : graph.nodes)
      if (node.kernel >= 0)
        node.kernel = place[size_t(node.kernel)];
}

int64_t Fuser::run() {
  int64_t gone = 0;
  for (GraphSpec &graph : program.graphs) {
    auto before = int64_t(graph.nodes.size());
    for (size_t at = 0; at < graph.nodes.size(); ++at) {
      if (isChain(graph))
        bringEncode(graph, at);
      fuseAt(graph, at);
    }
    gone += before - int64_t(graph.nodes.size());
  }
  dropKernels();
  return gone;
}

} // namespace

int64_t fuseLaunches(CudaProgram &program, const FuseOptions &options) {
  return Fuser(program, options).run();
}

} // namespace dsv4::cuda
