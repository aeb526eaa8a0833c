// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See DeviceTestSupport.h.

#include "DeviceTestSupport.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstring>
#include <iterator>

namespace devicetest {

const char *const fakeLibrary =
    DSV4_BINARY_DIR "/test/unit/fake-driver/libcuda.so.1";
const char *const oldLibrary =
    DSV4_BINARY_DIR "/test/unit/fake-driver-old/libcuda.so.1";

namespace {

// Where the packed weights have what. Rows begin within a page, to see that
// whole pages are registered around them.
constexpr int64_t weightsAt = 0, weightsSize = 40000;
constexpr int64_t coldAt = 40064, coldSize = 5000;
constexpr int64_t rowsAt = 49152 + 192, rowsSize = 9000;
constexpr int64_t allWeights = 60000;

struct Params {
  Address in, weights, more, step, state, out;
};
constexpr int64_t numAddresses = sizeof(Params) / 8;
const Params noAddresses = {};

const char *const kernelLines = "kernel scale 40 0 0 1024 48\n"
                                "kernel combine 64 0 1024 512 48\n"
                                "kernel finish 32 8 0 1024 48\n";

dsv4_cuda_count times(int64_t fixed, int64_t perToken = 0) {
  return {fixed, perToken, 0, 0, 1};
}

const int32_t *ints(void *data) { return static_cast<const int32_t *>(data); }

} // namespace

TestProgram::TestProgram() {
  cubin = std::string("fake-cubin 90 1 13000\n") + kernelLines;
  oldCubin = std::string("fake-cubin 80 0 12000\n") + kernelLines;
  ptx = std::string(".version 8.0\n") + kernelLines;
  images = {{DSV4_CUDA_CUBIN, 90, 1, 13000, {cubin.c_str(), 1}},
            {DSV4_CUDA_CUBIN, 80, 0, 12000, {oldCubin.c_str(), 1}}};
  for (dsv4_cuda_image &image : images)
    image.data.size = int64_t(strlen((const char *)image.data.data));
  kernels = {{"scale", 256, 0, 40, 0, sizeof(Params), 0},
             {"combine", 384, 200000, 64, 0, sizeof(Params), 0},
             {"finish", 128, 0, 32, 8, sizeof(Params), 0}};
  parts = {{"weights", DSV4_CUDA_WEIGHTS, DSV4_CUDA_DEVICE, {weightsSize, 0}},
           {"cold experts", DSV4_CUDA_WEIGHTS, DSV4_CUDA_PINNED, {coldSize, 0}},
           {"embedding", DSV4_CUDA_WEIGHTS, DSV4_CUDA_MAPPED, {rowsSize, 0}},
           {"state", DSV4_CUDA_STATE, DSV4_CUDA_DEVICE, {100, 64}},
           {"buffers", DSV4_CUDA_BUFFERS, DSV4_CUDA_DEVICE, {4096, 0}},
           {"step", DSV4_CUDA_STEP, DSV4_CUDA_PINNED, {256, 0}},
           {"step", DSV4_CUDA_STEP, DSV4_CUDA_DEVICE, {256, 0}},
           {"results", DSV4_CUDA_STEP, DSV4_CUDA_PINNED, {512, 0}}};
  segments = {{weightsAt, 30000, Weights, 0, 0},
              {coldAt, coldSize, Cold, 0, 0},
              {weightsAt + 30000, weightsSize - 30000, Weights, 0, 30000},
              {rowsAt, rowsSize, Rows, 0, 0}};
  // in, weights, more, step, state, out of each kernel; then the copies.
  auto add = [&](std::initializer_list<dsv4_cuda_operand> list) {
    operands.insert(operands.end(), list);
  };
  add({{Buffers, 0, {0, 0}},
       {Weights, 8, {0, 0}},
       {Weights, 16, {0, 0}},
       {DeviceStep, 24, {0, 0}},
       {State, 32, {0, 0}},
       {Buffers, 40, {512, 0}}});
  add({{Buffers, 0, {512, 0}},
       {Cold, 8, {0, 0}},
       {Rows, 16, {0, 0}},
       {DeviceStep, 24, {0, 0}},
       {State, 32, {100, 32}},
       {Buffers, 40, {1024, 0}}});
  add({{Buffers, 0, {1024, 0}},
       {Weights, 8, {0, 0}},
       {Weights, 16, {0, 0}},
       {DeviceStep, 24, {0, 0}},
       {State, 32, {100, 32}},
       {Buffers, 40, {2048, 0}}});
  add({{Step, 0, {0, 0}}, {DeviceStep, 0, {0, 0}}});
  add({{Buffers, 0, {2048, 0}}, {Results, 0, {64, 0}}});
  addGraph("decode 1", 1, 0);
  addGraph("prefill 16", 16, 0);
  void *memory = mmap(nullptr, weightBytes(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mapping = static_cast<uint8_t *>(memory);
  for (size_t i = 0; i < weightBytes(); ++i)
    mapping[i] = uint8_t(i * 7 + i / 251);
  mprotect(mapping, weightBytes(), PROT_READ);
}

TestProgram::~TestProgram() { munmap(mapping, weightBytes()); }

size_t TestProgram::weightBytes() const { return allWeights; }

/// Copy in, scale, combine, finish, copy out.
void TestProgram::addGraph(const char *name, int64_t tokens,
                           int64_t firstOperand) {
  int64_t firstNode = int64_t(nodes.size()), firstEdge = int64_t(edges.size());
  int64_t o = firstOperand, n = numAddresses;
  nodes.push_back({"take step", DSV4_CUDA_COPY, 0, o + 3 * n, 2, nullptr,
                   times(256), times(1)});
  const char *names[] = {"scale", "combine", "finish"};
  for (int i = 0; i < 3; ++i)
    nodes.push_back({names[i],
                     i,
                     0,
                     o + i * n,
                     n,
                     &noAddresses,
                     {4, 3, 0, 0, 2},
                     times(i + 1)});
  nodes.push_back({"give results", DSV4_CUDA_COPY, 0, o + 3 * n + 2, 2, nullptr,
                   times(numResults * 4), times(1)});
  edges.insert(edges.end(), {{0, 1, DSV4_CUDA_FULL},
                             {1, 2, DSV4_CUDA_PROGRAMMATIC},
                             {2, 3, DSV4_CUDA_PROGRAMMATIC},
                             {3, 4, DSV4_CUDA_FULL}});
  graphs.push_back({name, tokens, 1, firstNode,
                    int64_t(nodes.size()) - firstNode, firstEdge,
                    int64_t(edges.size()) - firstEdge});
}

dsv4_cuda_program TestProgram::root() const {
  dsv4_cuda_program p = {};
  p.magic = DSV4_CUDA_MAGIC;
  p.abi_version = DSV4_CUDA_ABI_VERSION;
  p.multiprocessors = multiprocessors;
  p.target = "cuda:sm_90a";
  p.driver_bytes = driverBytes;
  p.weight_bytes = allWeights;
  auto set = [](auto &table, int64_t &count, const auto &from) {
    table = from.data();
    count = int64_t(from.size());
  };
  set(p.images, p.num_images, images);
  set(p.kernels, p.num_kernels, kernels);
  set(p.parts, p.num_parts, parts);
  set(p.segments, p.num_segments, segments);
  set(p.operands, p.num_operands, operands);
  set(p.nodes, p.num_nodes, nodes);
  set(p.edges, p.num_edges, edges);
  set(p.graphs, p.num_graphs, graphs);
  return p;
}

int32_t TestProgram::result(int i, int32_t scale, int32_t steps) const {
  return 2 * (scale * mapping[weightsAt + i] + mapping[coldAt + i] +
              mapping[rowsAt + i]) +
         steps;
}

void FakeCudaTest::SetUp() {
  void *library = dlopen(fakeLibrary, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto *entry = reinterpret_cast<fakecuda::Control *(*)()>(
      dlsym(library, "fakeCudaControl"));
  ASSERT_NE(entry, nullptr);
  fake = entry();
  fake->reset();
  setKernels();
}

void FakeCudaTest::TearDown() {
  for (const std::string &one : fake->misuse())
    ADD_FAILURE() << "misuse: " << one;
  for (const std::string &one : fake->leaks())
    ADD_FAILURE() << "held at the end: " << one;
  fake->reset();
}

void FakeCudaTest::setKernels() {
  using fakecuda::KernelCall;
  auto params = [](KernelCall &call) {
    return *static_cast<const Params *>(call.params());
  };
  constexpr size_t bytes = TestProgram::numResults * 4;
  auto prefetch = [params](KernelCall &call) {
    call.read(params(call).weights, TestProgram::numResults);
  };
  auto scale = [params](KernelCall &call) {
    Params p = params(call);
    int32_t factor = *ints(call.read(p.step, 4));
    auto *w = static_cast<uint8_t *>(call.read(p.weights, weightsSize));
    auto *out = static_cast<int32_t *>(call.write(p.out, bytes));
    for (int i = 0; i < TestProgram::numResults; ++i)
      out[i] = factor * w[i];
  };
  auto combine = [params](KernelCall &call) {
    Params p = params(call);
    const int32_t *in = ints(call.read(p.in, bytes));
    auto *cold = static_cast<uint8_t *>(call.read(p.weights, coldSize));
    auto *row = static_cast<uint8_t *>(call.read(p.more, rowsSize));
    auto *out = static_cast<int32_t *>(call.write(p.out, bytes));
    for (int i = 0; i < TestProgram::numResults; ++i)
      out[i] = in[i] + cold[i] + row[i];
    ++*static_cast<int32_t *>(call.write(p.state, 4));
  };
  auto finish = [params](KernelCall &call) {
    Params p = params(call);
    const int32_t *in = ints(call.read(p.in, bytes));
    int32_t steps = *ints(call.read(p.state, 4));
    auto *out = static_cast<int32_t *>(call.write(p.out, bytes));
    for (int i = 0; i < TestProgram::numResults; ++i)
      out[i] = 2 * in[i] + steps;
  };
  fake->setKernel("scale", {prefetch, scale, true});
  fake->setKernel("combine", {prefetch, combine, true});
  fake->setKernel("finish", {prefetch, finish, true});
}

SessionOptions FakeCudaTest::options() {
  SessionOptions o;
  o.context = 1000;
  o.sequences = 2;
  o.weights.data = program.weights();
  o.weights.bytes = program.weightBytes();
  o.weights.upload.chunkBytes = 8192;
  o.library = fakeLibrary;
  return o;
}

std::string FakeCudaTest::takeMisuse() {
  std::string all;
  for (const std::string &one : fake->misuse())
    all += one + "\n";
  fake->clearMisuse();
  return all;
}

bool FakeCudaTest::hasCall(const std::string &name) {
  for (const std::string &one : fake->calls())
    if (one == name)
      return true;
  return false;
}

void expectError(const Status &status, Code code,
                 const std::vector<std::string> &words) {
  EXPECT_EQ(int(status.code), int(code)) << status.message;
  std::string message = status.message;
  for (const std::string &word : words)
    EXPECT_NE(message.find(word), std::string::npos)
        << "expected '" << word << "' in: " << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  if (!status.isOk())
    EXPECT_LT(message.size(), sizeof(status.message) - 1) << "cut: " << message;
}

} // namespace devicetest
