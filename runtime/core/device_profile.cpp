// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What DeviceExecution measures: nodes of a step one by one, and the work of
// the phases that they belong to.

#include "runtime/core/device_execution.h"
#include "runtime/core/phase_names.h"

#include <string.h>

namespace dsv4 {

namespace {

/// Finds the count of active experts of a node's phase. The buffer that it is
/// in holds it while phases need it and no longer.
struct ActiveExperts {
  const dsv4_program &program;
  const dsv4_cuda_node *nodes;
  int64_t blocks;
  PhaseNames names;

  static bool wants(void *context, int64_t node, int64_t &part,
                    uint64_t &offset) {
    auto &self = *static_cast<ActiveExperts *>(context);
    int64_t index = self.names.find(self.nodes[node].name);
    if (index < 0)
      return false;
    const dsv4_phase &phase = self.program.phases[index];
    if (phase.items_rule != DSV4_ITEMS_ACTIVE_EXPERTS)
      return false;
    const dsv4_operand &operand =
        self.program.operands[phase.first_operand + phase.items_operand];
    part = DSV4_CUDA_PART_BUFFERS;
    offset = uint64_t(evaluate(operand.offset, self.blocks));
    return operand.space == DSV4_SPACE_BUFFER;
  }
};

} // namespace

Status DeviceExecution::runNodes(int64_t graph, cuda::NodeResult *to) {
  const dsv4_cuda_graph &table = root->cuda->graphs[graph];
  ActiveExperts active = {*root, root->cuda->nodes + table.first_node,
                          session.devicePlan().blocks, PhaseNames(*root)};
  return session.runNodes(graph, {&active, ActiveExperts::wants}, to);
}

void DeviceExecution::addSamples(const dsv4_step &step, int64_t graph,
                                 PhaseSample *samples) {
  const dsv4_cuda_graph &table = root->cuda->graphs[graph];
  const dsv4_cuda_node *nodes = root->cuda->nodes + table.first_node;
  PhaseNames names(*root);
  int64_t before = -1;
  double now = 0; // nanoseconds
  for (int64_t i = 0; i < table.num_nodes; ++i) {
    double took = results[i].microseconds * 1e3;
    int64_t phase = names.find(nodes[i].name);
    if (phase >= 0) {
      PhaseSample &sample = samples[phase];
      if (phase != before) { // a phase may have several nodes
        sample.start = int64_t(now);
        sample.last = 0;
        int64_t items =
            phaseItems(step, root->phases[phase], results[i].probed);
        sample.traffic.add(trafficOf(*root, phase, step, items));
      }
      sample.last += int64_t(took);
      sample.nanoseconds += int64_t(took);
      before = phase;
    }
    now += took;
  }
}

Status DeviceExecution::profile(const dsv4_step &step, int repeats,
                                StepProfile &profile) {
  DSV4_RETURN_IF_ERROR(writeStep(step, profile.graph));
  int64_t count = root->cuda->graphs[profile.graph].num_nodes;
  double took;
  // Once so that every node has inputs that are no garbage, and a graph that
  // was launched before.
  DSV4_RETURN_IF_ERROR(session.runTimed(profile.graph, took));
  profile.graphMicroseconds = 0;
  for (int i = 0; i < repeats; ++i) {
    DSV4_RETURN_IF_ERROR(session.runTimed(profile.graph, took));
    profile.graphMicroseconds += took / repeats;
  }
  memset((void *)sums, 0, size_t(count) * sizeof(*sums));
  for (int i = 0; i < repeats; ++i) {
    DSV4_RETURN_IF_ERROR(runNodes(profile.graph, results));
    for (int64_t n = 0; n < count; ++n)
      sums[n].microseconds += results[n].microseconds / repeats;
  }
  profile.nodes = sums;
  return okStatus();
}

} // namespace dsv4
