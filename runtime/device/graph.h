// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One graph of a CUDA program: every launch and copy of a step with their
// dependencies, built once for the largest step and launched by one call. What
// changes from step to step is data that the graph itself copies; nothing is
// instantiated again.

#ifndef DSV4_RUNTIME_DEVICE_GRAPH_H
#define DSV4_RUNTIME_DEVICE_GRAPH_H

#include "runtime/abi/cuda_program.h"
#include "runtime/device/device.h"
#include "runtime/device/device_memory.h"
#include "runtime/device/module.h"

namespace dsv4::cuda {

/// What a graph is made of, all of it the caller's.
struct GraphParts {
  const dsv4_cuda_program *program = nullptr;
  const DevicePlan *plan = nullptr;
  const DeviceMemory *memory = nullptr;
  const LoadedModule *module = nullptr;
  const Device *device = nullptr;
  GraphNode *room = nullptr; // for the nodes of the largest graph
};

class Graph {
public:
  Graph() = default;
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;
  ~Graph() { close(); }

  /// Builds graph `index` of the program and puts it on the GPU. On an error
  /// nothing is held.
  Status build(const Driver &driver, const GraphParts &parts, int64_t index);
  void close();

  /// Starts it; its results are there after DeviceMemory::wait().
  Status launch();
  /// Starts one node of it alone, behind the work before. Nodes started one by
  /// one in their order compute what the graph does.
  Status launchNode(int64_t index);

private:
  /// A launch with its addresses put in.
  struct Launch {
    alignas(16) char params[DSV4_CUDA_MAX_PARAMS];
    void *pointers[1];
    KernelNodeParams node;
  };
  Status buildNodes(GraphHandle graph);
  Status prepareLaunch(const dsv4_cuda_node &node, Launch &launch) const;
  Status prepareCopy(const dsv4_cuda_node &node, CopyParams &copy) const;
  Status addLaunch(GraphHandle graph, const dsv4_cuda_node &node,
                   GraphNode &handle);
  Status addCopy(GraphHandle graph, const dsv4_cuda_node &node,
                 GraphNode &handle);
  Status addEdges(GraphHandle graph);
  uint64_t count(const dsv4_cuda_count &rule) const;
  Address addressOf(const dsv4_cuda_operand &operand) const;

  const Driver *api = nullptr;
  GraphParts with;
  const dsv4_cuda_graph *table = nullptr;
  GraphExec exec = nullptr;
};

/// The value of a rule; `rule` is one that checkProgram() has seen.
uint64_t evaluate(const dsv4_cuda_count &rule, int64_t tokens, int64_t outputs,
                  int64_t blocks);

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_GRAPH_H
