// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench --gpu-profile: a step of a test as one graph, and its nodes one by one.
// A node alone has what a launch costs in its time, and nothing beside it; the
// graph has neither, so their difference says what overlap and launches make.

#ifndef DSV4_RUNTIME_SERVE_DEVICE_PROFILE_H
#define DSV4_RUNTIME_SERVE_DEVICE_PROFILE_H

#include "runtime/serve/bench.h"
#include "runtime/serve/bench_report.h"

namespace dsv4::serve {

/// Measures test.repeats times and prints averages: nodes in their order, sums
/// by kind, and the whole. With `trace` writes the nodes there for Perfetto.
Status profileOnDevice(Bench &bench, const BenchTest &test, const char *trace,
                       BenchFormat format);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_DEVICE_PROFILE_H
