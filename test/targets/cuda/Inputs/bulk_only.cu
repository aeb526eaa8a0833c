// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names an instruction that sm_80 lacks.

#include "targets/cuda/device/ptx.h"

extern "C" DSV4_KERNEL void prefetch(dsv4::cuda::Global<dsv4::cuda::u8> g) {
  dsv4::cuda::bulkPrefetchL2(g, 4096);
}
