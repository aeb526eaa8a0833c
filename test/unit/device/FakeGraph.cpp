// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs an instantiated graph of the fake driver. A node has three tasks: it
// starts, it works without waiting for others, it works after waiting. A full
// edge lets a node start when the other has ended; a programmatic one as soon
// as the other has started, and the wait inside is for its end. Tasks run in
// any order that this allows; accesses that meet without a dependency are
// reported, whatever the order was.

#include "FakeDevice.h"

#include <cstring>
#include <random>

namespace fakecuda {

namespace {

enum Task { Start, Before, After, TasksPerNode };

size_t taskOf(size_t node, Task task) { return node * TasksPerNode + task; }

/// For each task those that must be done before it.
std::vector<std::vector<size_t>> dependencies(const FakeExec &exec,
                                              Machine &machine) {
  std::vector<std::vector<size_t>> needs(exec.nodes.size() * TasksPerNode);
  for (size_t i = 0; i < exec.nodes.size(); ++i) {
    needs[taskOf(i, Before)].push_back(taskOf(i, Start));
    needs[taskOf(i, After)].push_back(taskOf(i, Before));
  }
  for (const FakeEdge &edge : exec.edges) {
    if (!edge.isProgrammatic) {
      needs[taskOf(edge.to, Start)].push_back(taskOf(edge.from, After));
      continue;
    }
    needs[taskOf(edge.to, Start)].push_back(taskOf(edge.from, Start));
    const std::string &name = exec.nodes[edge.to].function->name;
    if (machine.kernels[name].waits)
      needs[taskOf(edge.to, After)].push_back(taskOf(edge.from, After));
  }
  return needs;
}

class Call : public KernelCall {
public:
  Call(Machine &machine, const FakeNode &node, std::vector<Range> &seen)
      : machine(machine), node(node), seen(seen) {}
  const void *params() const override { return node.params.data(); }
  uint32_t gridX() const override { return node.gridX; }
  uint32_t gridY() const override { return node.gridY; }
  uint32_t blockX() const override { return node.blockX; }
  uint32_t sharedBytes() const override { return node.sharedBytes; }
  void *read(Address address, size_t bytes) override {
    return access(address, bytes, false);
  }
  void *write(Address address, size_t bytes) override {
    return access(address, bytes, true);
  }

private:
  void *access(Address address, size_t bytes, bool isWrite) {
    uint8_t *data = machine.find(address, bytes, "kernel " + node.name);
    if (!data || (isWrite && machine.isReadOnly(address))) {
      machine.misused("kernel " + node.name + ": illegal address");
      throw Fault{IllegalAddress};
    }
    seen.push_back({address, address + bytes, isWrite});
    return data;
  }

  Machine &machine;
  const FakeNode &node;
  std::vector<Range> &seen;
};

} // namespace

void Machine::runNode(const FakeNode &node, bool isAfter,
                      std::vector<Range> &seen) {
  Call call(*this, node, seen);
  if (node.function) {
    if (!has(modules, node.function->module)) {
      misused("launch of an unloaded function: " + node.name);
      throw Fault{InvalidHandle};
    }
    const Kernel &kernel = kernels[node.function->name];
    const auto &body = isAfter ? kernel.after : kernel.before;
    if (body)
      body(call);
    return;
  }
  if (!isAfter)
    return;
  void *to = call.write(node.to, node.bytes);
  if (node.value >= 0)
    memset(to, node.value, node.bytes);
  else
    memmove(to, call.read(node.from, node.bytes), node.bytes);
}

void Machine::checkHazards(const FakeExec &exec,
                           const std::vector<std::vector<Range>> &seen,
                           const std::vector<std::vector<bool>> &reach) {
  auto meets = [&](size_t a, size_t b) {
    for (const Range &x : seen[a])
      for (const Range &y : seen[b])
        if ((x.isWrite || y.isWrite) && x.meets(y))
          return true;
    return false;
  };
  for (size_t a = 0; a < seen.size(); ++a)
    for (size_t b = a + 1; b < seen.size(); ++b)
      if (a / TasksPerNode != b / TasksPerNode && !reach[a][b] &&
          !reach[b][a] && meets(a, b))
        misused("no dependency between " + exec.nodes[a / TasksPerNode].name +
                " and " + exec.nodes[b / TasksPerNode].name +
                ", which use the same memory");
}

void Machine::runExec(FakeExec &exec) {
  auto needs = dependencies(exec, *this);
  size_t count = needs.size();
  std::vector<std::vector<Range>> seen(count);
  // reach[a][b]: a is done before b.
  std::vector<std::vector<bool>> reach(count, std::vector<bool>(count));
  std::vector<bool> done(count);
  std::mt19937 random(static_cast<unsigned>(set.seed));
  for (size_t n = 0; n < count; ++n) {
    std::vector<size_t> ready;
    for (size_t t = 0; t < count; ++t) {
      bool isReady = !done[t];
      for (size_t need : needs[t])
        isReady = isReady && done[need];
      if (isReady)
        ready.push_back(t);
    }
    size_t task = ready[set.seed ? random() % ready.size() : 0];
    for (size_t need : needs[task])
      for (size_t t = 0; t < count; ++t)
        if (t == need || reach[t][need])
          reach[t][task] = true;
    if (task % TasksPerNode != Start)
      runNode(exec.nodes[task / TasksPerNode], task % TasksPerNode == After,
              seen[task]);
    done[task] = true;
  }
  checkHazards(exec, seen, reach);
}

} // namespace fakecuda
