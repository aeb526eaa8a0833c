// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether this CPU can run the generated code: checked before the first kernel,
// because an unknown instruction would end in a signal without a word.

#ifndef DSV4_RUNTIME_BASE_CPU_FEATURES_H
#define DSV4_RUNTIME_BASE_CPU_FEATURES_H

#include "runtime/base/status.h"

#include <stddef.h>
#include <stdint.h>

namespace dsv4 {

/// Mask of dsv4_cpu_feature (runtime/abi/program.h) that CPU and kernel offer.
uint32_t cpuFeatures();

/// The processor's own name, such as "Intel(R) Xeon(R) ..."; empty if it has
/// none. `room` is 64 bytes or more.
void cpuName(char *name, size_t room);

/// Unsupported, naming the missing features, unless all of `needed` are there.
/// `hidden` is a comma-separated list of features to take as missing (tests).
Status checkCpu(uint32_t needed, const char *target, const char *hidden);

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_CPU_FEATURES_H
