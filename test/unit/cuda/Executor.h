// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where tests of phases run: under emulation, or, compiled into the hardware
// tests, on a GPU (docs/cuda-hardware-tests.md). A test says what to run as
//
//   Emu.launch("route", Grid, {64}, 0, DSV4_PHASE(P, route, Config));
//
// which is [=] { route<Config>(P); } here, and the kernel of that body there.

#ifndef DSV4_TEST_UNIT_CUDA_EXECUTOR_H
#define DSV4_TEST_UNIT_CUDA_EXECUTOR_H

#ifdef DSV4_TEST_HARDWARE
#include "test/hardware/Executor.h"
#else

#include "targets/cuda/emulation/Emulator.h"

namespace dsv4::cuda::test {

using emu::Dim, emu::Edge, emu::Emulator, emu::LaunchId, emu::Result;
using Phase = std::function<void()>;

/// What a buffer holds after a run.
template <class T>
std::vector<Bare<T>> contents(Global<T> buffer, size_t count) {
  return {buffer.raw(), buffer.raw() + count};
}

/// Whether sums come out of tensor cores and not out of the emulator.
inline bool onHardware() { return false; }
/// Schedules out of `most` that a test goes through.
inline u64 schedules(u64 most) { return most; }

} // namespace dsv4::cuda::test

#define DSV4_PHASE(P, BODY, ...) [=] { BODY __VA_OPT__(<__VA_ARGS__>)(P); }

#endif // DSV4_TEST_HARDWARE
#endif // DSV4_TEST_UNIT_CUDA_EXECUTOR_H
