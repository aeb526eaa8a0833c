// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See session.h.

#include "runtime/device/session.h"

#include "runtime/device/program_check.h"

#include <string.h>

namespace dsv4::cuda {

Status Session::open(const dsv4_cuda_program &program,
                     const SessionOptions &options) {
  close();
  Status status = prepare(program, options.device, options.library);
  if (status.isOk())
    status = planFor(options.context, options.sequences);
  if (status.isOk())
    status = load(options.weights);
  if (!status.isOk())
    close();
  return status;
}

Status Session::prepare(const dsv4_cuda_program &program, int device,
                        const char *library) {
  root = &program;
  DSV4_RETURN_IF_ERROR(checkProgram(*root));
  DSV4_RETURN_IF_ERROR(driver.open(library));
  DSV4_RETURN_IF_ERROR(gpu.open(driver, device));
  DSV4_RETURN_IF_ERROR(chooseImage(*root, gpu.info(), image));
  return checkKernels(*root, gpu.info());
}

Status Session::planFor(int64_t context, int64_t sequences,
                        uint64_t hostBytes) {
  DSV4_RETURN_IF_ERROR(planDevice(*root, context, sequences, plan));
  uint64_t left = availableMemory();
  return checkFits(*root, plan, gpu.info(),
                   left > hostBytes ? left - hostBytes : 0);
}

/// The order is that of cost: seconds of loading code come before minutes of
/// copying.
Status Session::load(const SessionWeights &weights) {
  DSV4_RETURN_IF_ERROR(takeRoom());
  DSV4_RETURN_IF_ERROR(
      module.load(driver, *root, image, gpu.info(), functions));
  DSV4_RETURN_IF_ERROR(memory.reserve(driver, *root, plan, weights.data,
                                      weights.bytes, gpu.info().canReadPages));
  DSV4_RETURN_IF_ERROR(buildGraphs());
  return memory.upload(weights.upload);
}

Status Session::takeRoom() {
  mostNodes = 0;
  for (int64_t i = 0; i < root->num_graphs; ++i)
    if (root->graphs[i].num_nodes > mostNodes)
      mostNodes = root->graphs[i].num_nodes;
  room = {};
  size_t first = room.add(uint64_t(root->num_kernels) * sizeof(Function));
  size_t second = room.add(uint64_t(mostNodes) * sizeof(GraphNode));
  size_t third = room.add(2 * uint64_t(mostNodes) * sizeof(Event));
  DSV4_RETURN_IF_ERROR(room.reserve());
  functions = static_cast<Function *>(room.address(first));
  nodes = static_cast<GraphNode *>(room.address(second));
  events = static_cast<Event *>(room.address(third));
  return okStatus();
}

Status Session::buildGraphs() {
  GraphParts parts = {root, &plan, &memory, &module, &gpu, nodes};
  for (int64_t i = 0; i < root->num_graphs; ++i)
    DSV4_RETURN_IF_ERROR(graphs[i].build(driver, parts, i));
  return okStatus();
}

void Session::close() {
  timers.close();
  closeCopies();
  for (Graph &graph : graphs)
    graph.close();
  module.unload();
  memory.release();
  gpu.close();
  room.release();
}

Status Session::findGraph(int64_t tokens, int64_t outputs,
                          int64_t &graph) const {
  graph = -1;
  for (int64_t i = 0; i < root->num_graphs; ++i) {
    const dsv4_cuda_graph &one = root->graphs[i];
    if (one.tokens >= tokens && one.outputs >= outputs &&
        (graph < 0 || one.tokens < root->graphs[graph].tokens))
      graph = i;
  }
  if (graph >= 0)
    return okStatus();
  return makeError(Code::InvalidArgument,
                   "a step of %lld tokens and %lld logits rows is larger than "
                   "any that was compiled",
                   (long long)tokens, (long long)outputs);
}

Status Session::run(int64_t graph) {
  DSV4_RETURN_IF_ERROR(graphs[graph].launch());
  return memory.wait();
}

Status Session::reset(int64_t sequence) {
  if (sequence < 0 || sequence >= plan.sequences)
    return makeError(Code::InvalidArgument,
                     "slot: expected one of 0 to %lld, got %lld",
                     (long long)plan.sequences - 1, (long long)sequence);
  for (int64_t i = 0; i < root->num_parts; ++i) {
    const DevicePlan::Part &part = plan.parts[i];
    if (root->parts[i].kind != DSV4_CUDA_STATE || part.stride == 0)
      continue;
    uint64_t offset = uint64_t(sequence) * part.stride;
    if (root->parts[i].tier == DSV4_CUDA_DEVICE)
      DSV4_RETURN_IF_ERROR(memory.clear(i, offset, part.stride));
    else
      memset(memory.host(i) + offset, 0, part.stride);
  }
  return memory.wait();
}

} // namespace dsv4::cuda
