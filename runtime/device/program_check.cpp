// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See program_check.h.

#include "runtime/device/program_check.h"

#include <string.h>

namespace dsv4::cuda {

namespace {

// Of every number in a size: with at most 2^20 rows and maxBlocks no sum leaves
// 63 bits.
constexpr int64_t largest = int64_t(1) << 40;

Status damaged(const char *table, int64_t row, const char *expected) {
  return makeError(Code::Corrupt,
                   "the CUDA program is damaged: %s %lld: expected %s; compile "
                   "the model again",
                   table, (long long)row, expected);
}

bool isCount(int64_t value) { return value >= 0 && value <= largest; }

/// [first, first + count) lies in a table of `rows`.
bool isRange(int64_t first, int64_t count, int64_t rows) {
  return first >= 0 && count >= 0 && first <= rows && count <= rows - first;
}

bool isAffine(const dsv4_affine &size) {
  return isCount(size.fixed) && isCount(size.per_block);
}

bool isRule(const dsv4_cuda_count &rule) {
  return isCount(rule.fixed) && isCount(rule.per_token) &&
         isCount(rule.per_output) && isCount(rule.per_block) &&
         rule.divisor >= 1;
}

Status checkImages(const dsv4_cuda_program &p) {
  if (p.num_images < 1)
    return damaged("image", 0, "at least one");
  for (int64_t i = 0; i < p.num_images; ++i) {
    const dsv4_cuda_image &image = p.images[i];
    const char *data = static_cast<const char *>(image.data.data);
    if (image.kind != DSV4_CUDA_CUBIN && image.kind != DSV4_CUDA_PTX)
      return damaged("image", i, "a cubin or PTX");
    if (!data || image.data.size < 1)
      return damaged("image", i, "code, found none");
    if (image.kind == DSV4_CUDA_PTX && data[image.data.size - 1] != 0)
      return damaged("image", i, "a zero byte behind the PTX");
  }
  return okStatus();
}

Status checkKernelTable(const dsv4_cuda_program &p) {
  for (int64_t i = 0; i < p.num_kernels; ++i) {
    const dsv4_cuda_kernel &kernel = p.kernels[i];
    if (!kernel.name || !kernel.name[0])
      return damaged("kernel", i, "a name");
    if (kernel.threads < 1 || kernel.dynamic_shared_bytes < 0)
      return damaged("kernel", i, "sizes that are not negative");
    if (kernel.params_bytes < 1 || kernel.params_bytes > DSV4_CUDA_MAX_PARAMS)
      return damaged("kernel", i, "1 to 4096 bytes of parameters");
  }
  return okStatus();
}

Status checkParts(const dsv4_cuda_program &p) {
  if (p.num_parts < 1 || p.num_parts > DSV4_CUDA_MAX_PARTS)
    return damaged("part", p.num_parts, "1 to 16 parts");
  for (int64_t i = 0; i < p.num_parts; ++i) {
    const dsv4_cuda_part &part = p.parts[i];
    if (part.kind < 0 || part.kind >= DSV4_CUDA_NUM_PART_KINDS)
      return damaged("part", i, "a known kind");
    if (part.tier < DSV4_CUDA_DEVICE || part.tier > DSV4_CUDA_MAPPED)
      return damaged("part", i, "a known tier");
    if (part.tier == DSV4_CUDA_MAPPED && part.kind != DSV4_CUDA_WEIGHTS)
      return damaged("part", i, "mapped weights alone, they are read-only");
    if (!isAffine(part.bytes))
      return damaged("part", i, "a size that is not negative");
    if (part.kind == DSV4_CUDA_WEIGHTS && part.bytes.per_block)
      return damaged("part", i, "weights of a fixed size");
  }
  return okStatus();
}

Status checkSegments(const dsv4_cuda_program &p) {
  int of[DSV4_CUDA_MAX_PARTS] = {};
  for (int64_t i = 0; i < p.num_segments; ++i) {
    const dsv4_cuda_segment &s = p.segments[i];
    if (s.part < 0 || s.part >= p.num_parts ||
        p.parts[s.part].kind != DSV4_CUDA_WEIGHTS)
      return damaged("segment", i, "a part of weights");
    int64_t room = p.parts[s.part].bytes.fixed;
    if (s.bytes < 1 || !isRange(s.source, s.bytes, p.weight_bytes))
      return damaged("segment", i, "a source within the packed weights");
    if (!isRange(s.offset, s.bytes, room))
      return damaged("segment", i, "a place within its part");
    bool isMapped = p.parts[s.part].tier == DSV4_CUDA_MAPPED;
    if (isMapped && (of[s.part] || s.offset || s.bytes != room))
      return damaged("segment", i, "one for the whole of a mapped part");
    ++of[s.part];
  }
  for (int64_t i = 0; i < p.num_parts; ++i)
    if (p.parts[i].tier == DSV4_CUDA_MAPPED && !of[i])
      return damaged("part", i, "a segment, as it is mapped");
  return okStatus();
}

/// An address of `bytes` in its part. It may grow with the context no faster
/// than the part does, so that its end is checked where the context is known.
Status checkOperands(const dsv4_cuda_program &p) {
  for (int64_t i = 0; i < p.num_operands; ++i) {
    const dsv4_cuda_operand &operand = p.operands[i];
    if (operand.part < 0 || operand.part >= p.num_parts)
      return damaged("operand", i, "a known part");
    const dsv4_affine &size = p.parts[operand.part].bytes;
    if (!isAffine(operand.offset) || operand.offset.fixed > size.fixed ||
        operand.offset.per_block > size.per_block)
      return damaged("operand", i, "an offset within its part");
  }
  return okStatus();
}

Status checkLaunch(const dsv4_cuda_program &p, int64_t row) {
  const dsv4_cuda_node &node = p.nodes[row];
  if (node.kernel >= p.num_kernels)
    return damaged("node", row, "a known kernel");
  if (!node.params)
    return damaged("node", row, "parameters");
  for (int64_t i = 0; i < node.num_operands; ++i) {
    const dsv4_cuda_operand &o = p.operands[node.first_operand + i];
    if (o.at % 8 || o.at < 0 || o.at + 8 > p.kernels[node.kernel].params_bytes)
      return damaged("node", row, "addresses within its parameters");
  }
  return okStatus();
}

/// Copies go between the device and pinned memory: what is mapped is read-only,
/// and what stays on one side needs no copy.
Status checkCopy(const dsv4_cuda_program &p, int64_t row) {
  const dsv4_cuda_node &node = p.nodes[row];
  if (node.num_operands != 2)
    return damaged("node", row, "a copy with two operands");
  const dsv4_cuda_operand *ends = p.operands + node.first_operand;
  int from = p.parts[ends[0].part].tier, to = p.parts[ends[1].part].tier;
  if (from + to != DSV4_CUDA_DEVICE + DSV4_CUDA_PINNED || from == to)
    return damaged("node", row, "a copy between device and pinned memory");
  return okStatus();
}

Status checkNodes(const dsv4_cuda_program &p) {
  for (int64_t i = 0; i < p.num_nodes; ++i) {
    const dsv4_cuda_node &node = p.nodes[i];
    if (!node.name ||
        !isRange(node.first_operand, node.num_operands, p.num_operands))
      return damaged("node", i, "a name and known operands");
    if (!isRule(node.grid_x) || !isRule(node.grid_y))
      return damaged("node", i, "sizes that are not negative");
    if (node.kernel < DSV4_CUDA_COPY)
      return damaged("node", i, "a kernel or a copy");
    DSV4_RETURN_IF_ERROR(node.kernel >= 0 ? checkLaunch(p, i)
                                          : checkCopy(p, i));
  }
  return okStatus();
}

Status checkGraph(const dsv4_cuda_program &p, int64_t row) {
  const dsv4_cuda_graph &graph = p.graphs[row];
  if (!graph.name || graph.num_nodes < 1 ||
      !isRange(graph.first_node, graph.num_nodes, p.num_nodes))
    return damaged("graph", row, "a name and known nodes");
  if (!isRange(graph.first_edge, graph.num_edges, p.num_edges))
    return damaged("graph", row, "known edges");
  if (graph.tokens < 1 || graph.tokens > (1 << 20) || graph.outputs < 0 ||
      graph.outputs > graph.tokens)
    return damaged("graph", row, "1 token or more and no more outputs");
  const dsv4_cuda_node *nodes = p.nodes + graph.first_node;
  for (int64_t i = graph.first_edge, n = i + graph.num_edges; i < n; ++i) {
    const dsv4_cuda_edge &edge = p.edges[i];
    if (edge.from < 0 || edge.from >= edge.to || edge.to >= graph.num_nodes)
      return damaged("edge", i, "one from a node to a later one of its graph");
    if (edge.kind != DSV4_CUDA_FULL && edge.kind != DSV4_CUDA_PROGRAMMATIC)
      return damaged("edge", i, "a full or a programmatic one");
    if (edge.kind == DSV4_CUDA_PROGRAMMATIC &&
        (nodes[edge.from].kernel < 0 || nodes[edge.to].kernel < 0))
      return damaged("edge", i, "kernels at both ends of a programmatic one");
  }
  return okStatus();
}

Status checkGraphs(const dsv4_cuda_program &p) {
  if (p.num_graphs < 1 || p.num_graphs > DSV4_CUDA_MAX_GRAPHS)
    return damaged("graph", p.num_graphs, "1 to 8 graphs");
  for (int64_t i = 0; i < p.num_graphs; ++i)
    DSV4_RETURN_IF_ERROR(checkGraph(p, i));
  return okStatus();
}

} // namespace

Status checkProgram(const dsv4_cuda_program &p) {
  if (p.magic != DSV4_CUDA_MAGIC || p.abi_version != DSV4_CUDA_ABI_VERSION)
    return makeError(Code::Mismatch,
                     "the CUDA program has ABI version %u, the runtime %u; "
                     "compile the model again",
                     p.abi_version, DSV4_CUDA_ABI_VERSION);
  if (!isCount(p.driver_bytes) || !isCount(p.weight_bytes))
    return damaged("root", 0, "sizes that are not negative");
  DSV4_RETURN_IF_ERROR(checkImages(p));
  DSV4_RETURN_IF_ERROR(checkKernelTable(p));
  DSV4_RETURN_IF_ERROR(checkParts(p));
  DSV4_RETURN_IF_ERROR(checkSegments(p));
  DSV4_RETURN_IF_ERROR(checkOperands(p));
  DSV4_RETURN_IF_ERROR(checkNodes(p));
  return checkGraphs(p);
}

} // namespace dsv4::cuda
