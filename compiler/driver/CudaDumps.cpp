// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CudaDumps.h.

#include "compiler/driver/CudaDumps.h"

#include "compiler/driver/Facts.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using llvm::Error;

namespace dsv4 {

static std::string kernelTable(const cuda::CudaProgram &program,
                               const cuda::Cubin &cubin) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "kernel                      threads  shared  registers  stack  "
         "instructions\n";
  for (const cuda::KernelSpec &kernel : program.kernels) {
    const cuda::CubinFunction *function = cubin.find(kernel.symbol);
    if (function)
      out << llvm::formatv("{0,-28}{1,7}{2,8}{3,11}{4,7}{5,14}\n",
                           kernel.symbol, kernel.threads, kernel.sharedBytes,
                           function->registers, function->stackBytes,
                           function->code.size());
  }
  return text;
}

static const char *kernelOf(const cuda::CudaProgram &program,
                            const cuda::NodeSpec &node) {
  return node.kernel < 0 ? "(copy)"
                         : program.kernels[size_t(node.kernel)].symbol.c_str();
}

static std::string graphTable(const cuda::CudaProgram &program) {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (const cuda::GraphSpec &graph : program.graphs) {
    out << graph.name << ": " << graph.nodes.size() << " nodes, "
        << graph.edges.size() << " edges\n";
    for (const cuda::NodeSpec &node : graph.nodes) {
      out << llvm::formatv("  {0,-36} {1,-24} {2,8}", node.name,
                           kernelOf(program, node), node.gridX.fixed);
      for (const cuda::OperandSpec &operand : node.operands)
        out << llvm::formatv(
            " {0}+{1}{2}", program.parts[size_t(operand.part)].name,
            operand.offset.fixed, operand.offset.perBlock ? "+.." : "");
      out << "\n";
    }
  }
  return text;
}

static std::string dotOf(const cuda::CudaProgram &program,
                         const cuda::GraphSpec &graph) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "digraph \"" << graph.name << "\" {\n";
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    out << llvm::formatv("  n{0} [label=\"{1}\\n{2}\"];\n", i,
                         graph.nodes[i].name,
                         kernelOf(program, graph.nodes[i]));
  for (const dsv4_cuda_edge &edge : graph.edges)
    out << llvm::formatv("  n{0} -> n{1}{2};\n", edge.from, edge.to,
                         edge.kind == DSV4_CUDA_PROGRAMMATIC ? " [style=dashed]"
                                                             : "");
  out << "}\n";
  return text;
}

Error dumpCuda(const cuda::CudaProgram &program, const cuda::Cubin &cubin,
               llvm::StringRef cubinBytes, const std::string &folder) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError(error, folder + ": " + error.message());
  auto write = [&](const std::string &name, llvm::StringRef bytes) {
    return writeFile(folder + "/" + name, bytes);
  };
  if (Error error = write("kernels.cu", program.source()))
    return error;
  if (Error error = write("kernels.cubin", cubinBytes))
    return error;
  if (Error error = write("kernels.txt", kernelTable(program, cubin)))
    return error;
  if (Error error = write("graphs.txt", graphTable(program)))
    return error;
  for (size_t i = 0; i < program.graphs.size(); ++i)
    if (Error error = write("graph-" + std::to_string(i) + ".dot",
                            dotOf(program, program.graphs[i])))
      return error;
  return Error::success();
}

} // namespace dsv4
