// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Without bounds on blocks the assembler does not know how many registers the
// kernel begins with.
extern "C" __global__ void grow(float *y) {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
  y[threadIdx.x] = 1;
}
