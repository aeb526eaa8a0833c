// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See graph.h.

#include "runtime/device/graph.h"

#include <string.h>

namespace dsv4::cuda {

// Of every GPU so far.
static constexpr uint64_t maxGridX = (uint64_t(1) << 31) - 1, maxGridY = 65535;

uint64_t evaluate(const dsv4_cuda_count &rule, int64_t tokens, int64_t outputs,
                  int64_t blocks) {
  int64_t sum = rule.fixed + rule.per_token * tokens +
                rule.per_output * outputs + rule.per_block * blocks;
  int64_t value = sum / rule.divisor + (sum % rule.divisor != 0);
  return uint64_t(value > 1 ? value : 1);
}

uint64_t Graph::count(const dsv4_cuda_count &rule) const {
  return evaluate(rule, table->tokens, table->outputs, with.plan->blocks);
}

Address Graph::addressOf(const dsv4_cuda_operand &operand) const {
  return with.memory->address(operand.part,
                              evaluate(operand.offset, with.plan->blocks));
}

Status Graph::prepareLaunch(const dsv4_cuda_node &node, Launch &launch) const {
  const dsv4_cuda_kernel &kernel = with.program->kernels[node.kernel];
  uint64_t x = count(node.grid_x), y = count(node.grid_y);
  if (x > maxGridX || y > maxGridY)
    return makeError(Code::InvalidArgument,
                     "%s: expected a grid of up to %llu x %llu blocks, found "
                     "%llu x %llu; use a smaller --context or --step-tokens",
                     node.name, (unsigned long long)maxGridX,
                     (unsigned long long)maxGridY, (unsigned long long)x,
                     (unsigned long long)y);
  memcpy(launch.params, node.params, size_t(kernel.params_bytes));
  for (int64_t i = 0; i < node.num_operands; ++i) {
    const dsv4_cuda_operand &operand =
        with.program->operands[node.first_operand + i];
    Address address = addressOf(operand);
    memcpy(launch.params + operand.at, &address, sizeof(address));
  }
  launch.pointers[0] = launch.params;
  KernelNodeParams &p = launch.node;
  p = {};
  p.function = with.module->function(node.kernel);
  p.gridX = uint32_t(x);
  p.gridY = uint32_t(y);
  p.blockX = uint32_t(kernel.threads);
  p.gridZ = p.blockY = p.blockZ = 1;
  p.sharedBytes = uint32_t(kernel.dynamic_shared_bytes);
  p.params = launch.pointers;
  return okStatus();
}

Status Graph::addLaunch(GraphHandle graph, const dsv4_cuda_node &node,
                        GraphNode &handle) {
  // The driver copies parameters while it adds the node.
  Launch launch;
  DSV4_RETURN_IF_ERROR(prepareLaunch(node, launch));
  DSV4_CUDA_TRY(*api,
                graphAddKernelNode(&handle, graph, nullptr, 0, &launch.node),
                "cannot add %s to graph %s", node.name, table->name);
  return okStatus();
}

/// What is left of a part behind an operand.
static uint64_t roomBehind(const DevicePlan &plan,
                           const dsv4_cuda_operand &operand) {
  return plan.parts[operand.part].bytes - evaluate(operand.offset, plan.blocks);
}

Status Graph::prepareCopy(const dsv4_cuda_node &node, CopyParams &copy) const {
  const dsv4_cuda_operand *ends = with.program->operands + node.first_operand;
  uint64_t bytes = count(node.grid_x);
  for (int i = 0; i < 2; ++i)
    if (uint64_t room = roomBehind(*with.plan, ends[i]); bytes > room)
      return makeError(Code::Corrupt,
                       "%s: expected a copy of up to %llu bytes, found %llu; "
                       "compile the model again",
                       node.name, (unsigned long long)room,
                       (unsigned long long)bytes);
  copy = {};
  CopyEnd *sides[] = {&copy.from, &copy.to};
  for (int i = 0; i < 2; ++i) {
    CopyEnd &side = *sides[i];
    if (char *host = with.memory->host(ends[i].part)) {
      side.type = HostMemory;
      side.host = host + evaluate(ends[i].offset, with.plan->blocks);
    } else {
      side.type = DeviceMemoryType;
      side.device = addressOf(ends[i]);
    }
    side.pitch = bytes;
    side.height = 1;
  }
  copy.widthInBytes = bytes;
  copy.height = copy.depth = 1;
  return okStatus();
}

Status Graph::addCopy(GraphHandle graph, const dsv4_cuda_node &node,
                      GraphNode &handle) {
  CopyParams copy;
  DSV4_RETURN_IF_ERROR(prepareCopy(node, copy));
  DSV4_CUDA_TRY(*api,
                graphAddMemcpyNode(&handle, graph, nullptr, 0, &copy,
                                   with.device->context()),
                "cannot add %s to graph %s", node.name, table->name);
  return okStatus();
}

// The first capability that starts a kernel early. Before it, a programmatic
// edge is a full one, which is always right.
static constexpr int earlyStart = 90;

Status Graph::addEdges(GraphHandle graph) {
  bool isEarly = with.device->info().capability >= earlyStart;
  for (int64_t i = 0; i < table->num_edges; ++i) {
    const dsv4_cuda_edge &edge = with.program->edges[table->first_edge + i];
    EdgeData data = {};
    if (isEarly && edge.kind == DSV4_CUDA_PROGRAMMATIC) {
      data.type = EdgeProgrammatic;
      data.fromPort = PortProgrammatic;
    }
    const dsv4_cuda_node *nodes = with.program->nodes + table->first_node;
    DSV4_CUDA_TRY(*api,
                  graphAddDependencies(graph, &with.room[edge.from],
                                       &with.room[edge.to], &data, 1),
                  "cannot let %s follow %s in graph %s", nodes[edge.to].name,
                  nodes[edge.from].name, table->name);
  }
  return okStatus();
}

Status Graph::buildNodes(GraphHandle graph) {
  for (int64_t i = 0; i < table->num_nodes; ++i) {
    const dsv4_cuda_node &node = with.program->nodes[table->first_node + i];
    DSV4_RETURN_IF_ERROR(node.kernel >= 0 ? addLaunch(graph, node, with.room[i])
                                          : addCopy(graph, node, with.room[i]));
  }
  DSV4_RETURN_IF_ERROR(addEdges(graph));
  DSV4_CUDA_TRY(*api, graphInstantiate(&exec, graph, 0),
                "cannot instantiate graph %s", table->name);
  return okStatus();
}

Status Graph::build(const Driver &driver, const GraphParts &parts,
                    int64_t index) {
  close();
  api = &driver;
  with = parts;
  table = parts.program->graphs + index;
  GraphHandle graph = nullptr;
  DSV4_CUDA_TRY(driver, graphCreate(&graph, 0), "cannot make graph %s",
                table->name);
  Status status = buildNodes(graph);
  (void)driver.graphDestroy(graph); // an instance stands alone
  // Puts it on the GPU now, so that the first step takes no memory.
  if (status.isOk())
    if (Result result = driver.graphUpload(exec, with.memory->stream()))
      status =
          driver.failure(result, "cannot put graph %s on the GPU", table->name);
  if (!status.isOk())
    close();
  return status;
}

void Graph::close() {
  if (!exec)
    return;
  // An upload or a launch may be on its way.
  (void)api->streamSynchronize(with.memory->stream());
  (void)api->graphExecDestroy(exec);
  exec = nullptr;
}

Status Graph::launch() {
  DSV4_CUDA_TRY(*api, graphLaunch(exec, with.memory->stream()),
                "cannot launch graph %s", table->name);
  return okStatus();
}

Status Graph::launchNode(int64_t index) {
  const dsv4_cuda_node &node = with.program->nodes[table->first_node + index];
  Stream stream = with.memory->stream();
  Result result;
  if (node.kernel >= 0) {
    Launch launch;
    DSV4_RETURN_IF_ERROR(prepareLaunch(node, launch));
    const KernelNodeParams &p = launch.node;
    result = api->launchKernel(p.function, p.gridX, p.gridY, p.gridZ, p.blockX,
                               p.blockY, p.blockZ, p.sharedBytes, stream,
                               p.params, nullptr);
  } else {
    CopyParams copy;
    DSV4_RETURN_IF_ERROR(prepareCopy(node, copy));
    result = copy.from.type == HostMemory
                 ? api->memcpyHtoDAsync(copy.to.device, copy.from.host,
                                        copy.widthInBytes, stream)
                 : api->memcpyDtoHAsync(copy.to.host, copy.from.device,
                                        copy.widthInBytes, stream);
  }
  return result ? api->failure(result, "cannot launch %s", node.name)
                : okStatus();
}

} // namespace dsv4::cuda
