// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A libcuda.so.1 that runs whole executables for a GPU under emulation: the
// fake driver's calls, memory of the host, and graphs on the emulator. Cubins
// are ignored; kernels come from a library that the host's compiler made of the
// same source (utils/emulated_kernels.py), named by DSV4_EMULATED_KERNELS.
// DSV4_EMULATED_SEED chooses the schedule, DSV4_EMULATED_BLOCKS how many blocks
// run at once. A finding of the emulator goes to stderr and fails the launch.

#include "targets/cuda/emulation/Emulator.h"
#include "test/unit/device/FakeDevice.h"

#include "runtime/numerics/denormals.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

using namespace dsv4::cuda;
using fakecuda::FakeExec;
using fakecuda::FakeFunction;
using fakecuda::FakeModule;
using fakecuda::FakeNode;
using fakecuda::Machine;

namespace {

long numberFrom(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text && *text ? strtol(text, nullptr, 10) : otherwise;
}

class Emulated : public fakecuda::Playground {
public:
  Result load() override;
  Result find(Machine &m, FakeModule *module, const char *name) override;
  void added(const char *what, void *data, size_t bytes) override {
    emulator.adopt(what, data, bytes, false);
  }
  void run(FakeExec &exec) override;

private:
  void runLaunches(FakeExec &exec, size_t first, size_t end);
  bool isDropped(const fakecuda::FakeEdge &edge) const {
    return long(edge.to) == dropped;
  }

  emu::Emulator emulator{
      {.seed = u64(numberFrom("DSV4_EMULATED_SEED", 1)),
       .residentBlocks = u32(numberFrom("DSV4_EMULATED_BLOCKS", 8)),
       .maxReports = 4}};
  void *kernels = nullptr;
  /// For tests of the tests: the node whose dependencies are left out.
  long dropped = numberFrom("DSV4_EMULATED_DROP_EDGE", -1);
};

Result Emulated::load() {
  const char *path = getenv("DSV4_EMULATED_KERNELS");
  kernels = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (kernels)
    return Success;
  fprintf(stderr, "emulated driver: DSV4_EMULATED_KERNELS: %s\n",
          path ? dlerror() : "expected a library of kernels, found nothing");
  return InvalidImage;
}

Result Emulated::find(Machine &m, FakeModule *module, const char *name) {
  std::string bytes = std::string(name) + "_bytes";
  auto *size =
      static_cast<const unsigned long *>(dlsym(kernels, bytes.c_str()));
  if (!size || !dlsym(kernels, name))
    return NotFound;
  auto *function = new FakeFunction{module, name};
  function->params = int(*size);
  m.functions.insert(function);
  return Success;
}

/// Copies are done in between, which full edges on both sides allow.
void Emulated::run(FakeExec &exec) {
  for (size_t i = 0; i < exec.nodes.size();) {
    const FakeNode &node = exec.nodes[i];
    if (!node.function) {
      memcpy(reinterpret_cast<void *>(node.to),
             reinterpret_cast<const void *>(node.from), node.bytes);
      ++i;
      continue;
    }
    size_t end = i;
    while (end < exec.nodes.size() && exec.nodes[end].function)
      ++end;
    runLaunches(exec, i, end);
    i = end;
  }
}

void Emulated::runLaunches(FakeExec &exec, size_t first, size_t end) {
  dsv4::num::FlushDenormals flush;
  for (size_t i = first; i < end; ++i) {
    const FakeNode &node = exec.nodes[i];
    std::vector<emu::Edge> edges;
    for (const fakecuda::FakeEdge &edge : exec.edges)
      if (edge.to == i && edge.from >= first && !isDropped(edge))
        edges.push_back(
            {emu::LaunchId(edge.from - first),
             edge.isProgrammatic ? emu::Edge::Programmatic : emu::Edge::Full});
    auto entry = reinterpret_cast<void (*)(const void *)>(
        dlsym(kernels, node.name.c_str()));
    const uint8_t *params = node.params.data();
    emulator.launch(
        node.name.c_str(), {node.gridX, node.gridY}, {node.blockX},
        node.sharedBytes, [=] { entry(params); }, edges);
  }
  emu::Result result = emulator.run();
  if (result.ok())
    return;
  fprintf(stderr, "emulated driver: %s\n", result.text().c_str());
  throw fakecuda::Fault{IllegalAddress};
}

/// Set when the library is loaded; outlives what the driver frees at exit.
struct Installed {
  Installed() { fakecuda::playground = new Emulated; }
} installed;

} // namespace
