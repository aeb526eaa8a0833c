// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Gpu.h.

#include "test/hardware/Gpu.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace dsv4::cuda::test {

namespace {

constexpr unsigned patience = 20; // seconds for one run

/// What runs, for the handler of the alarm.
char running[400];

void onAlarm(int) {
  const char text[] = "\nHANG: not done after 20 s: ";
  (void)!write(1, text, sizeof text - 1);
  (void)!write(1, running, strlen(running));
  (void)!write(1, "\n", 1);
  _exit(HangExit);
}

void nameRunning(const std::vector<LaunchSpec> &launches) {
  std::string text;
  for (const LaunchSpec &l : launches)
    if (text.size() < 300)
      text += l.name + " (" + l.phase.body.substr(0, 60) + "), ";
  snprintf(running, sizeof running, "%s", text.c_str());
}

bool readFile(const char *path, std::vector<char> &bytes) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return false;
  char part[65536];
  while (size_t n = fread(part, 1, sizeof part, file))
    bytes.insert(bytes.end(), part, part + n);
  fclose(file);
  return true;
}

} // namespace

void Gpu::require(Result result, const char *what) {
  if (!result)
    return;
  Status status = api.failure(result, "%s", what);
  printf("\nFAULT: %s; launches: %s\n", status.message, running);
  fflush(stdout);
  _exit(FaultExit);
}

Status Gpu::open(const char *cubin, u64 bytes) {
  DSV4_RETURN_IF_ERROR(api.open());
  DSV4_RETURN_IF_ERROR(device.open(api, 0));
  if (!readFile(cubin, image))
    return makeError(Code::NotFound, "%s: cannot read the kernels", cubin);
  char log[2048] = "";
  JitOption options[] = {JitErrorLog, JitErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log))};
  if (Result result =
          api.moduleLoadDataEx(&module, image.data(), 2, options, values))
    return api.failure(result, "cannot load %s for %s: %.200s", cubin,
                       device.info().name, log);
  DSV4_CUDA_TRY(api, streamCreate(&stream, StreamNonBlocking),
                "cannot make a stream");
  DSV4_CUDA_TRY(api, memAlloc(&base, bytes), "cannot take %llu bytes",
                (unsigned long long)bytes);
  size = bytes;
  signal(SIGALRM, onAlarm);
  return okStatus();
}

Function Gpu::find(const Phase &phase, u32 sharedBytes) {
  std::string symbol = phase.symbol();
  Function &function = functions[symbol];
  if (!function) {
    if (api.moduleGetFunction(&function, module, symbol.c_str())) {
      printf("\nFAULT: no kernel %s for %s(%s): list the kernels again\n",
             symbol.c_str(), phase.body.c_str(), phase.params.c_str());
      fflush(stdout);
      _exit(FaultExit);
    }
  }
  require(api.funcSetAttribute(function, FunctionMaxDynamicShared,
                               i32(sharedBytes)),
          "cannot set shared memory");
  return function;
}

std::string Gpu::resources(const Phase &phase) {
  if (listing)
    return "";
  Function function = find(phase, 0);
  int32_t registers = 0, local = 0;
  require(api.funcGetAttribute(&registers, FunctionRegisters, function),
          "registers");
  require(api.funcGetAttribute(&local, FunctionLocalBytes, function), "local");
  return std::to_string(registers) + " registers" +
         (local ? ", " + std::to_string(local) + " bytes of local memory"
                : std::string());
}

void Gpu::upload(Address to, const void *from, u64 bytes) {
  if (listing || !bytes)
    return;
  require(api.memcpyHtoDAsync(to, from, bytes, stream), "cannot copy");
  require(api.streamSynchronize(stream), "cannot copy to the GPU");
}
void Gpu::download(void *to, Address from, u64 bytes) {
  if (listing || !bytes)
    return;
  require(api.memcpyDtoHAsync(to, from, bytes, stream), "cannot copy");
  require(api.streamSynchronize(stream), "cannot copy from the GPU");
}
void Gpu::fill(Address to, u8 value, u64 bytes) {
  if (listing || !bytes)
    return;
  require(api.memsetD8Async(to, value, bytes, stream), "cannot fill");
  require(api.streamSynchronize(stream), "cannot fill");
}
void Gpu::copy(Address to, Address from, u64 bytes) {
  if (listing || !bytes)
    return;
  require(api.memcpyDtoDAsync(to, from, bytes, stream), "cannot copy");
  require(api.streamSynchronize(stream), "cannot copy on the GPU");
}

GraphExec Gpu::build(const std::vector<LaunchSpec> &launches,
                     bool programmatic) {
  GraphHandle graph = nullptr;
  require(api.graphCreate(&graph, 0), "cannot make a graph");
  GraphNode before = nullptr;
  for (const LaunchSpec &l : launches) {
    void *params[1] = {const_cast<u8 *>(l.phase.bytes.data())};
    KernelNodeParams p = {};
    p.function = find(l.phase, l.sharedBytes);
    p.gridX = l.grid.x, p.gridY = l.grid.y, p.gridZ = l.grid.z;
    p.blockX = l.block.x, p.blockY = l.block.y, p.blockZ = l.block.z;
    p.sharedBytes = l.sharedBytes;
    p.params = params;
    GraphNode node = nullptr;
    require(api.graphAddKernelNode(&node, graph, nullptr, 0, &p),
            ("cannot add " + l.name).c_str());
    EdgeData data = {};
    if (programmatic) {
      data.type = EdgeProgrammatic;
      data.fromPort = PortProgrammatic;
    }
    if (before)
      require(api.graphAddDependencies(graph, &before, &node, &data, 1),
              ("cannot add the edge to " + l.name).c_str());
    before = node;
  }
  GraphExec exec = nullptr;
  require(api.graphInstantiate(&exec, graph, 0), "cannot instantiate");
  require(api.graphDestroy(graph), "cannot destroy a graph");
  return exec;
}

void Gpu::wait(const std::vector<LaunchSpec> &launches) {
  nameRunning(launches);
  alarm(patience);
  Result result = api.streamSynchronize(stream);
  alarm(0);
  require(result, "the launches failed");
  running[0] = 0;
}

void Gpu::run(const std::vector<LaunchSpec> &launches, bool programmatic) {
  if (listing) {
    for (const LaunchSpec &l : launches)
      listing->note(l.phase, l.block.count());
    return;
  }
  GraphExec exec = build(launches, programmatic);
  require(api.graphLaunch(exec, stream), "cannot launch");
  wait(launches);
  require(api.graphExecDestroy(exec), "cannot destroy a graph");
}

std::vector<double> Gpu::time(const std::vector<LaunchSpec> &launches,
                              bool programmatic, int times) {
  if (listing) {
    run(launches, programmatic);
    return std::vector<double>(size_t(times), 1);
  }
  GraphExec exec = build(launches, programmatic);
  Event events[2];
  for (Event &event : events)
    require(api.eventCreate(&event, EventTimed), "cannot make an event");
  std::vector<double> results;
  for (int i = 0; i <= times; ++i) {
    require(api.eventRecord(events[0], stream), "cannot record");
    require(api.graphLaunch(exec, stream), "cannot launch");
    require(api.eventRecord(events[1], stream), "cannot record");
    wait(launches);
    float ms = 0;
    require(api.eventElapsedTime(&ms, events[0], events[1]), "cannot time");
    if (i > 0)
      results.push_back(1000.0 * double(ms));
  }
  for (Event event : events)
    require(api.eventDestroy(event), "cannot destroy an event");
  require(api.graphExecDestroy(exec), "cannot destroy a graph");
  return results;
}

} // namespace dsv4::cuda::test
