// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of FakeCudaProgram.h as functions of the fake driver. They read
// the step by the addresses in it, as kernels on a GPU do. With
// FAKE_CUDA_LOADED they are part of a driver that plays them by itself.

#include "FakeCudaProgram.h"
#include "FakeProgram.h"
#include "test/unit/device/FakeCuda.h"

#include <cstring>

namespace fake {

namespace {

using fakecuda::KernelCall;

uint64_t addressOf(const void *pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

/// A call with the step that it is about.
struct Step {
  explicit Step(KernelCall &kernelCall) : call(kernelCall) {
    memcpy(&params, call.params(), sizeof(params));
    memcpy(&step, call.read(params.step, sizeof(step)), sizeof(step));
  }
  const int32_t *column(const int32_t *there, int64_t count) {
    return static_cast<const int32_t *>(
        call.read(addressOf(there), size_t(count) * 4));
  }
  /// Row `position` of the history of a token's sequence, behind 64 bytes.
  uint64_t history(int64_t token, int64_t position) {
    int64_t slot = column(step.sequence, step.tokens)[token];
    return params.state +
           uint64_t(slot * step.state_stride + 64 + 4 * position);
  }

  KernelCall &call;
  CudaParams params;
  dsv4_step step;
};

void store(KernelCall &call) {
  Step s(call);
  for (int64_t t = 0; t < s.step.tokens; ++t) {
    int32_t position = s.column(s.step.position, s.step.tokens)[t];
    int32_t token = s.column(s.step.token, s.step.tokens)[t];
    memcpy(call.write(s.history(t, position), 4), &token, 4);
  }
}

void dispatch(KernelCall &call) {
  Step s(call);
  int32_t active = int32_t(s.step.max_position % 5) + 1;
  memcpy(call.write(s.params.buffers + cudaCountAt, 4), &active, 4);
}

void experts(KernelCall &call) {
  Step s(call);
  call.read(s.params.buffers + cudaCountAt, 4);
}

void reduce(KernelCall &call) {
  Step s(call);
  for (int64_t t = 0; t < s.step.tokens; ++t) {
    int64_t last = s.column(s.step.position, s.step.tokens)[t], sum = 0;
    auto *rows = static_cast<const int32_t *>(
        call.read(s.history(t, 0), size_t(last + 1) * 4));
    for (int64_t p = 0; p <= last; ++p)
      sum += int64_t{rows[p]} * (p + 1);
    memcpy(call.write(s.params.buffers + cudaSumsAt + uint64_t(8 * t), 8), &sum,
           8);
  }
}

void head(KernelCall &call) {
  Step s(call);
  auto *factors = static_cast<const int32_t *>(call.read(s.params.weights, 16));
  memset(call.write(s.params.buffers + cudaCountAt, 4), 0xee, 4);
  for (int64_t o = 0; o < s.step.outputs; ++o) {
    int64_t row = s.column(s.step.output_row, s.step.outputs)[o], sum;
    memcpy(&sum,
           call.read(s.params.buffers + cudaSumsAt + uint64_t(8 * row), 8), 8);
    auto *logits = static_cast<float *>(
        call.write(s.params.buffers + cudaLogitsAt + uint64_t(4 * vocab * o),
                   size_t(4 * vocab)));
    for (int64_t v = 0; v < vocab; ++v)
      logits[v] = float((sum + v * factors[v % 4]) % 97) * 0.25f;
  }
}

} // namespace

void setCudaKernels(fakecuda::Control &control) {
  control.setKernel("store", {nullptr, store, true});
  control.setKernel("dispatch", {nullptr, dispatch, true});
  control.setKernel("experts", {nullptr, experts, true});
  control.setKernel("reduce", {nullptr, reduce, true});
  control.setKernel("head", {nullptr, head, true});
}

} // namespace fake

#ifdef FAKE_CUDA_LOADED
namespace {

struct Loaded {
  Loaded() { fake::setCudaKernels(*fakeCudaControl()); }
} loaded;

} // namespace
#endif
