// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPU architectures that kernels are compiled for, as plain data: limits of
// a block and what the instruction set offers. The features are proven by a
// test that compiles a probe of each for every architecture; the limits are
// published figures, which the runtime reads off the device once more.

#ifndef DSV4_TARGETS_CUDA_CUDATARGET_H
#define DSV4_TARGETS_CUDA_CUDATARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace dsv4::cuda {

/// What only some architectures have. A bit set means one native instruction;
/// what PTX accepts and ptxas builds from several others does not count.
enum CudaFeature : uint32_t {
  FeatureWgmma = 1 << 0,          // wgmma.mma_async, A from registers
  FeatureBulkCopy = 1 << 1,       // cp.async.bulk on mbarriers
  FeatureConvertE2m1 = 1 << 2,    // cvt of packed E2M1 to halves
  FeatureConvertE4m3 = 1 << 3,    // cvt of packed E4M3 to halves
  FeatureFp8Mma = 1 << 4,         // mma.sync on E4M3
  FeatureBlockScaledMma = 1 << 5, // mma.sync with UE8M0 block scales
  FeatureTcgen05 = 1 << 6,        // tensor memory and its products
  FeatureGridDependency = 1 << 7, // griddepcontrol (dependent launch)
  FeatureRegisterMove = 1 << 8,   // setmaxnreg
};

struct CudaTarget {
  const char *name;           // "sm_90a": the code, as NVRTC spells it
  const char *virtualName;    // "compute_90a": the PTX
  int major, minor;           // compute capability
  int nvrtcMajor, nvrtcMinor; // the first NVRTC that knows it
  uint32_t sharedPerBlock;    // bytes one block may ask for (opt-in limit)
  uint32_t sharedPerSm;       // bytes of an SM
  uint32_t reservedShared;    // bytes of a block that the system takes
  uint32_t features;          // CudaFeature bits
  const char *what;           // one line for lists

  bool has(CudaFeature feature) const { return features & feature; }
};

inline constexpr uint32_t maxRegistersPerThread = 255;
inline constexpr uint32_t registersPerSm = 64 * 1024;
inline constexpr uint32_t maxThreadsPerBlock = 1024;

/// Every architecture, in the order of the table (oldest first).
llvm::ArrayRef<CudaTarget> cudaTargets();

/// The row of `name` ("sm_90a"), or an error that lists the names.
llvm::Expected<const CudaTarget *> findCudaTarget(llvm::StringRef name);

/// "wgmma", "bulk copy" and so on, for messages and reports.
llvm::StringRef featureName(CudaFeature feature);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_CUDATARGET_H
