// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times of phases at the sizes of DeepSeek V4 Flash, beside what the memory of
// the same GPU gives to kernels that only read.

#ifndef DSV4_TEST_HARDWARE_TIMINGS_H
#define DSV4_TEST_HARDWARE_TIMINGS_H

#include "test/hardware/Gpu.h"

namespace dsv4::cuda::test {

void runTimings(Gpu &gpu);

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_HARDWARE_TIMINGS_H
