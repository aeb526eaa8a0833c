// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two kernels with properties that cubin-report must name.
extern "C" __global__ void __launch_bounds__(128)
    sums(const float *x, float *y, int n) {
  __shared__ float s[128];
  float t = 0;
#pragma unroll 1
  for (int i = 0; i < n; ++i)
    t += x[i * 128 + threadIdx.x];
  s[threadIdx.x] = t;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x ^ N];
}
extern "C" __global__ void locals(const float *x, float *y, int n) {
  float b[64];
  for (int i = 0; i < 64; ++i)
    b[i] = x[i];
  for (int i = 0; i < n; ++i)
    b[(i * 7) & 63] += b[i & 63];
  y[0] = b[n & 63];
}
