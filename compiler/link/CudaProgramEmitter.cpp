// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CudaProgramEmitter.h.

#include "compiler/link/CudaProgramEmitter.h"

#include "compiler/link/ConstantTables.h"

using llvm::Constant;

namespace dsv4 {
namespace {

using Rows = std::vector<Constant *>;

class CudaTables : ConstantTables {
public:
  CudaTables(llvm::Module &module, const CudaHalf &half)
      : ConstantTables(module), half(half), program(half.program) {}

  llvm::Expected<Constant *> emit();

private:
  Constant *images();
  Constant *kernels();
  Constant *parts();
  Constant *segments();
  void addGraph(const cuda::GraphSpec &graph);
  Constant *node(const cuda::NodeSpec &node);
  Constant *count(const dsv4_cuda_count &c) {
    return record({i64(c.fixed), i64(c.per_token), i64(c.per_output),
                   i64(c.per_block), i64(c.divisor)});
  }

  const CudaHalf &half;
  const cuda::CudaProgram &program;
  Rows operands, nodes, edges, graphs;
};

Constant *CudaTables::images() {
  Rows rows;
  for (const CudaImage &image : half.images) {
    bool isPtx = image.kind == DSV4_CUDA_PTX;
    Constant *code = bytes("image", image.code, isPtx);
    llvm::cast<llvm::GlobalVariable>(code)->setAlignment(llvm::Align(64));
    rows.push_back(
        record({i32(image.kind), i32(image.arch), i32(image.isSpecific),
                i32(image.requiredDriver),
                record({code, i64(int64_t(image.code.size()) + isPtx)})}));
  }
  return array("images", rows, sizeof(dsv4_cuda_image));
}

Constant *CudaTables::kernels() {
  Rows rows;
  for (const cuda::KernelSpec &kernel : program.kernels) {
    auto cost = half.costs.find(kernel.symbol);
    if (cost == half.costs.end()) {
      fail("no image has kernel " + kernel.symbol);
      continue;
    }
    rows.push_back(record({text(kernel.symbol), i32(kernel.threads),
                           i32(kernel.sharedBytes), i32(cost->second.registers),
                           i32(cost->second.localBytes),
                           i32(kernel.paramsBytes), i32(0)}));
  }
  return array("kernels", rows, sizeof(dsv4_cuda_kernel));
}

Constant *CudaTables::parts() {
  Rows rows;
  for (const cuda::PartSpec &part : program.parts)
    rows.push_back(record(
        {text(part.name), i32(part.kind), i32(part.tier), affine(part.bytes)}));
  return array("parts", rows, sizeof(dsv4_cuda_part));
}

Constant *CudaTables::segments() {
  Rows rows;
  for (const dsv4_cuda_segment &s : program.segments)
    rows.push_back(record(
        {i64(s.source), i64(s.bytes), i32(s.part), i32(0), i64(s.offset)}));
  return array("segments", rows, sizeof(dsv4_cuda_segment));
}

Constant *CudaTables::node(const cuda::NodeSpec &node) {
  auto first = int64_t(operands.size());
  for (const cuda::OperandSpec &operand : node.operands)
    operands.push_back(
        record({i32(operand.part), i32(operand.at), affine(operand.offset)}));
  Constant *params = null();
  if (!node.params.empty()) {
    params = bytes(
        "params",
        llvm::StringRef(reinterpret_cast<const char *>(node.params.data()),
                        node.params.size()),
        false);
  }
  return record({text(node.name), i32(node.kernel), i32(0), i64(first),
                 i64(int64_t(node.operands.size())), params, count(node.gridX),
                 count(node.gridY)});
}

void CudaTables::addGraph(const cuda::GraphSpec &graph) {
  auto firstNode = int64_t(nodes.size()), firstEdge = int64_t(edges.size());
  for (const cuda::NodeSpec &one : graph.nodes)
    nodes.push_back(node(one));
  for (const dsv4_cuda_edge &edge : graph.edges)
    edges.push_back(record({i32(edge.from), i32(edge.to), i32(edge.kind)}));
  graphs.push_back(
      record({text(graph.name), i64(graph.tokens), i64(graph.outputs),
              i64(firstNode), i64(int64_t(graph.nodes.size())), i64(firstEdge),
              i64(int64_t(graph.edges.size()))}));
}

llvm::Expected<Constant *> CudaTables::emit() {
  for (const cuda::GraphSpec &graph : program.graphs)
    addGraph(graph);
  Constant *kernelTable = kernels();
  auto table = [&](const char *name, const Rows &rows, uint64_t bytes) {
    return array(name, rows, bytes);
  };
  Constant *root =
      record({i64(int64_t(DSV4_CUDA_MAGIC)),
              i32(DSV4_CUDA_ABI_VERSION),
              i32(program.multiprocessors),
              text(program.target),
              i64(half.driverBytes),
              i64(program.weightBytes),
              images(),
              i64(int64_t(half.images.size())),
              kernelTable,
              i64(int64_t(program.kernels.size())),
              parts(),
              i64(int64_t(program.parts.size())),
              segments(),
              i64(int64_t(program.segments.size())),
              table("cuda_operands", operands, sizeof(dsv4_cuda_operand)),
              i64(int64_t(operands.size())),
              table("nodes", nodes, sizeof(dsv4_cuda_node)),
              i64(int64_t(nodes.size())),
              table("edges", edges, sizeof(dsv4_cuda_edge)),
              i64(int64_t(edges.size())),
              table("graphs", graphs, sizeof(dsv4_cuda_graph)),
              i64(int64_t(graphs.size()))});
  checkSize(root, sizeof(dsv4_cuda_program), "CUDA program");
  if (!problem.empty())
    return llvm::createStringError("cannot emit the CUDA program: " + problem);
  return global("cuda", root, 64);
}

} // namespace

llvm::Expected<Constant *> emitCudaHalf(llvm::Module &module,
                                        const CudaHalf &half) {
  return CudaTables(module, half).emit();
}

} // namespace dsv4
