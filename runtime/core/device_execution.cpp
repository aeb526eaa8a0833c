// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See device_execution.h.

#include "runtime/core/device_execution.h"

#include "runtime/device/program_check.h"

#include <string.h>

namespace dsv4 {

namespace {

Status damaged(const char *part, const char *expected) {
  return makeError(Code::Corrupt,
                   "the CUDA program is damaged: part %s: expected %s; compile "
                   "the model again",
                   part, expected);
}

/// The parts that the engine uses by number. Their sizes must hold the largest
/// step in every context, so what grows with it does not count here.
Status checkParts(const dsv4_program &program) {
  const dsv4_limits &limits = program.limits;
  int64_t step = dsv4_cuda_step_bytes(limits.max_step_tokens);
  int64_t logits = limits.max_outputs * limits.vocab * int64_t(sizeof(float));
  const struct {
    const char *name;
    int kind, tier;
    int64_t bytes;
  } expected[DSV4_CUDA_NUM_PROGRAM_PARTS] = {
      {"weights", DSV4_CUDA_WEIGHTS, DSV4_CUDA_DEVICE, 0},
      {"state", DSV4_CUDA_STATE, DSV4_CUDA_DEVICE, limits.state_bytes.fixed},
      {"buffers", DSV4_CUDA_BUFFERS, DSV4_CUDA_DEVICE, 0},
      {"workspace", DSV4_CUDA_WORKSPACE, DSV4_CUDA_DEVICE, 0},
      {"step", DSV4_CUDA_STEP, DSV4_CUDA_DEVICE, step},
      {"step of the host", DSV4_CUDA_STEP, DSV4_CUDA_PINNED, step},
      {"logits of the host", DSV4_CUDA_STEP, DSV4_CUDA_PINNED, logits}};
  const dsv4_cuda_program &cuda = *program.cuda;
  if (cuda.num_parts < DSV4_CUDA_NUM_PROGRAM_PARTS)
    return damaged("table", "7 parts or more");
  for (int i = 0; i < DSV4_CUDA_NUM_PROGRAM_PARTS; ++i) {
    const dsv4_cuda_part &part = cuda.parts[i];
    if (part.kind != expected[i].kind || part.tier != expected[i].tier)
      return damaged(expected[i].name, "its kind and tier");
    if (part.bytes.fixed < expected[i].bytes)
      return damaged(expected[i].name, "room for the largest step");
  }
  if (cuda.parts[DSV4_CUDA_PART_STATE].bytes.per_block <
      limits.state_bytes.per_block)
    return damaged("state", "room for every block of the context");
  return okStatus();
}

/// Steps of every size that the engine accepts have a graph.
Status checkGraphs(const dsv4_program &program, const cuda::Session &session) {
  int64_t graph;
  const dsv4_limits &limits = program.limits;
  if (session.findGraph(limits.max_step_tokens, limits.max_outputs, graph)
          .isOk())
    return okStatus();
  return makeError(Code::Corrupt,
                   "the CUDA program is damaged: expected a graph for %lld "
                   "tokens and %lld logits rows, found none; compile the model "
                   "again",
                   (long long)limits.max_step_tokens,
                   (long long)limits.max_outputs);
}

} // namespace

Status DeviceExecution::prepare(const dsv4_program &program, int device,
                                const char *library) {
  root = &program;
  // The session checks the tables again; here their parts must be sound.
  DSV4_RETURN_IF_ERROR(cuda::checkProgram(*program.cuda));
  DSV4_RETURN_IF_ERROR(checkParts(program));
  DSV4_RETURN_IF_ERROR(session.prepare(*program.cuda, device, library));
  return checkGraphs(program, session);
}

Status DeviceExecution::load(const WeightsFile &weights,
                             const cuda::UploadOptions &upload) {
  uint64_t most = 0;
  for (int64_t i = 0; i < root->cuda->num_graphs; ++i)
    if (uint64_t(root->cuda->graphs[i].num_nodes) > most)
      most = uint64_t(root->cuda->graphs[i].num_nodes);
  room = {};
  size_t first = room.add(most * sizeof(cuda::NodeResult));
  size_t second = room.add(most * sizeof(cuda::NodeResult));
  DSV4_RETURN_IF_ERROR(room.reserve());
  results = (cuda::NodeResult *)room.address(first);
  sums = (cuda::NodeResult *)room.address(second);
  return session.load({weights.data, weights.bytes, upload});
}

int32_t *DeviceExecution::columns() const {
  return (int32_t *)(session.host(DSV4_CUDA_PART_HOST_STEP) +
                     DSV4_CUDA_STEP_HEADER);
}

int64_t DeviceExecution::columnRows() const {
  return dsv4_cuda_step_column_bytes(root->limits.max_step_tokens) /
         int64_t(sizeof(int32_t));
}

void DeviceExecution::close() {
  session.close();
  room.release();
}

/// The step as the GPU sees it, and the graph that takes it.
Status DeviceExecution::writeStep(const dsv4_step &step, int64_t &graph) {
  DSV4_RETURN_IF_ERROR(session.findGraph(step.tokens, step.outputs, graph));
  dsv4_step there = step;
  const int32_t **columns[DSV4_CUDA_STEP_COLUMNS] = {
      &there.token,     &there.position, &there.sequence,
      &there.first_row, &there.end_row,  &there.output_row};
  for (int64_t i = 0; i < DSV4_CUDA_STEP_COLUMNS; ++i) {
    int64_t at = dsv4_cuda_step_column(i, root->limits.max_step_tokens);
    *columns[i] =
        (const int32_t *)session.address(DSV4_CUDA_PART_STEP, uint64_t(at));
  }
  memcpy(session.host(DSV4_CUDA_PART_HOST_STEP), &there, sizeof(there));
  return okStatus();
}

Status DeviceExecution::run(const dsv4_step &step, PhaseSample *samples) {
  int64_t graph;
  DSV4_RETURN_IF_ERROR(writeStep(step, graph));
  if (!samples)
    return session.run(graph);
  DSV4_RETURN_IF_ERROR(runNodes(graph, results));
  addSamples(step, graph, samples);
  return okStatus();
}

Status DeviceExecution::save(int64_t slot, void *to) {
  uint64_t stride = uint64_t(stateStride());
  return session.parts().read(DSV4_CUDA_PART_STATE, uint64_t(slot) * stride, to,
                              stride);
}

Status DeviceExecution::restore(int64_t slot, const void *from) {
  uint64_t stride = uint64_t(stateStride());
  return session.parts().write(DSV4_CUDA_PART_STATE, uint64_t(slot) * stride,
                               from, stride);
}

Status DeviceExecution::repeat(int64_t slot, int64_t operand, int64_t period,
                               int64_t bytes) {
  int64_t blocks = session.devicePlan().blocks;
  uint64_t rows = uint64_t(slot * stateStride() +
                           evaluate(root->operands[operand].offset, blocks));
  for (int64_t at = period; at < bytes; at += period) {
    int64_t size = bytes - at < period ? bytes - at : period;
    DSV4_RETURN_IF_ERROR(session.parts().move(
        DSV4_CUDA_PART_STATE, rows, rows + uint64_t(at), uint64_t(size)));
  }
  return session.parts().wait();
}

} // namespace dsv4
