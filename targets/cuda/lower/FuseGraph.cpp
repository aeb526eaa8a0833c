// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FuseGraph.h.

#include "targets/cuda/lower/FuseGraph.h"

#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/dispatch.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"
#include "targets/cuda/device/phases/matrix_items.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <regex>

namespace dsv4::cuda {

std::string Entry::instance() const {
  std::string text = body;
  for (size_t i = 0; i < args.size(); ++i)
    text += (i ? ", " : "<") + args[i];
  return args.empty() ? text : text + ">";
}

static std::string renamed(std::string text,
                           const std::map<std::string, std::string> &names) {
  for (const auto &[from, to] : names)
    text = std::regex_replace(text, std::regex("\\b" + from + "\\b"), to);
  return text;
}

std::optional<Entry> entryOf(const KernelSpec &kernel,
                             const std::string &prefix) {
  static const std::regex form(
      R"(DSV4_ENTRY(?:_OF)?\(\s*(\w+),\s*(\w+),\s*\d+,(?:\s*\d+,)?\s*(\w+)(?:<([\w\s,]*)>)?\s*\))");
  static const std::regex declared(R"((?:struct|using) (\w+) (?:\{|:|=))");
  static const std::regex word(R"(\w+)");
  std::smatch found;
  if (!std::regex_search(kernel.text, found, form) || found[1] != kernel.symbol)
    return std::nullopt;
  std::string rest = found.prefix().str();
  std::map<std::string, std::string> names;
  for (std::sregex_iterator i(rest.begin(), rest.end(), declared), end;
       i != end; ++i) {
    std::string name = prefix + "_" + std::to_string(names.size());
    names.try_emplace((*i)[1].str(), name);
  }
  Entry entry{renamed(rest, names), renamed(found[2], names), found[3], {}};
  std::string args = renamed(found[4], names);
  for (std::sregex_iterator i(args.begin(), args.end(), word), end; i != end;
       ++i)
    entry.args.push_back(i->str());
  return entry;
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

/// What a kind writes; of others, anything that it touches. Counters of tails
/// are no data.
static std::optional<std::vector<size_t>> writesOf(llvm::StringRef name) {
  name.consume_back("+reduce");
  std::string kind = name.str();
  static const std::map<std::string, std::vector<size_t>> known = {
      {"encode", {offsetof(EncodeParams, blocks)}},
      {"query_heads", {offsetof(QueryHeadsParams, q)}},
      {"index_query", {offsetof(IndexQueryParams, q)}},
      {"store_kv", {offsetof(StoreKvParams, window)}},
      {"rope_table", {offsetof(RopeTableParams, tab)}},
      {"carry", {offsetof(CarryParams, carry)}},
      {"compress", {offsetof(CompressParams, entries)}},
      {"norm_quant+encode",
       {offsetof(NormQuantParams, y), offsetof(NormQuantParams, yq),
        offsetof(NormQuantEncodeParams, blocks)}},
      {"swiglu+encode",
       {offsetof(SwigluParams, h), offsetof(SwigluEncodeParams, blocks)}},
      {"quantize+encode",
       {offsetof(QuantizeParams, xq), offsetof(QuantizeEncodeParams, blocks)}},
      {"route", {offsetof(RouteParams, ids), offsetof(RouteParams, weights)}},
      {"dispatch", {offsetof(DispatchParams, lists)}}};
  auto found = known.find(kind);
  if (found != known.end())
    return found->second;
  size_t jobs = kind == "linear"          ? offsetof(LinearParams, jobs)
                : kind == "expert_linear" ? offsetof(ExpertLinearParams, jobs)
                                          : 0;
  if (!jobs)
    return std::nullopt;
  std::vector<size_t> at;
  for (size_t i = 0; i < LinearParams::MaxJobs; ++i) {
    at.push_back(jobs + i * sizeof(MatrixJob) + offsetof(MatrixJob, y));
    at.push_back(jobs + i * sizeof(MatrixJob) + offsetof(MatrixJob, partials));
  }
  return at;
}

static bool mayWrite(const NodeSpec &node, const OperandSpec &operand) {
  auto writes = writesOf(node.kind);
  return !writes || llvm::is_contained(*writes, size_t(operand.at));
}

bool conflicts(const NodeSpec &a, const NodeSpec &b) {
  if (a.kernel < 0 || b.kernel < 0)
    return true;
  for (const OperandSpec &x : a.operands)
    for (const OperandSpec &y : b.operands)
      if (x.part != WeightsPart && x.part < ColdWeightsPart &&
          x.part != StepPart && sameAddress(&x, &y) &&
          (mayWrite(a, x) || mayWrite(b, y)))
        return true;
  return false;
}

int64_t valueOf(const dsv4_cuda_count &count, const GraphSpec &graph) {
  return (count.fixed + count.per_token * graph.tokens +
          count.per_output * graph.outputs) /
         count.divisor;
}

void append(NodeSpec &to, const NodeSpec &from) {
  auto shift = int32_t(to.params.size());
  to.params.insert(to.params.end(), from.params.begin(), from.params.end());
  for (OperandSpec operand : from.operands) {
    operand.at += shift;
    to.operands.push_back(operand);
  }
}

void appendOperand(NodeSpec &to, int32_t part, kern::Affine offset) {
  to.operands.push_back({part, int32_t(to.params.size()), offset});
  to.params.resize(to.params.size() + 8);
}

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

void eraseOfChain(GraphSpec &graph, size_t at, size_t count) {
  auto node = graph.nodes.begin() + long(at);
  graph.nodes.erase(node, node + long(count));
  auto edge = graph.edges.begin() + long(at) - 1;
  graph.edges.erase(edge, edge + long(count));
  for (size_t i = 0; i < graph.edges.size(); ++i) {
    graph.edges[i].from = int32_t(i);
    graph.edges[i].to = int32_t(i) + 1;
  }
}

bool isChain(const GraphSpec &graph) {
  if (graph.edges.size() + 1 != graph.nodes.size())
    return false;
  for (size_t i = 0; i < graph.edges.size(); ++i)
    if (size_t(graph.edges[i].from) != i || size_t(graph.edges[i].to) != i + 1)
      return false;
  return true;
}

std::optional<int32_t> FusedKernels::known(const std::string &key) const {
  auto found = made.find(key);
  return found == made.end() ? std::nullopt : std::optional(found->second);
}

int32_t FusedKernels::add(const std::string &key, KernelSpec kernel) {
  auto index = int32_t(program.kernels.size());
  program.kernels.push_back(std::move(kernel));
  made[key] = index;
  return index;
}

void FusedKernels::dropUnused() {
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

} // namespace dsv4::cuda
