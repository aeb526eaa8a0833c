// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of GPU architectures.

#include "targets/cuda/CudaTarget.h"

#include "llvm/ADT/STLExtras.h"

namespace dsv4::cuda {

// Shared memory: the SM's carve-out is 164, 100, 228, 228 and 100 KiB; a block
// gets all of it but the 1 KiB that the system keeps for each block.
static constexpr CudaTarget targets[] = {
    {"sm_80", "compute_80", 8, 0, 12, 0, 163 * 1024, 164 * 1024, 1024, 0,
     "A100"},
    {"sm_89", "compute_89", 8, 9, 12, 0, 99 * 1024, 100 * 1024, 1024,
     FeatureConvertE4m3 | FeatureFp8Mma, "L40S, RTX 40"},
    {"sm_90a", "compute_90a", 9, 0, 12, 0, 227 * 1024, 228 * 1024, 1024,
     FeatureWgmma | FeatureBulkCopy | FeatureConvertE4m3 |
         FeatureGridDependency | FeatureRegisterMove,
     "H100, H200"},
    {"sm_100a", "compute_100a", 10, 0, 12, 8, 227 * 1024, 228 * 1024, 1024,
     FeatureBulkCopy | FeatureConvertE2m1 | FeatureConvertE4m3 |
         FeatureTcgen05 | FeatureGridDependency | FeatureRegisterMove,
     "B200"},
    {"sm_120a", "compute_120a", 12, 0, 12, 8, 99 * 1024, 100 * 1024, 1024,
     FeatureBulkCopy | FeatureConvertE2m1 | FeatureConvertE4m3 | FeatureFp8Mma |
         FeatureBlockScaledMma | FeatureGridDependency | FeatureRegisterMove,
     "RTX PRO 6000, RTX 50"},
};

llvm::ArrayRef<CudaTarget> cudaTargets() { return targets; }

llvm::Expected<const CudaTarget *> findCudaTarget(llvm::StringRef name) {
  for (const CudaTarget &target : targets)
    if (name == target.name)
      return &target;
  std::string known;
  for (const CudaTarget &target : targets)
    known += (known.empty() ? "" : ", ") + std::string(target.name);
  return llvm::createStringError("unknown GPU architecture '" + name +
                                 "': expected one of " + known);
}

llvm::StringRef featureName(CudaFeature feature) {
  switch (feature) {
  case FeatureWgmma:
    return "wgmma";
  case FeatureBulkCopy:
    return "bulk copy";
  case FeatureConvertE2m1:
    return "convert E2M1";
  case FeatureConvertE4m3:
    return "convert E4M3";
  case FeatureFp8Mma:
    return "mma.sync on E4M3";
  case FeatureBlockScaledMma:
    return "block-scaled mma.sync";
  case FeatureTcgen05:
    return "tcgen05";
  case FeatureGridDependency:
    return "griddepcontrol";
  case FeatureRegisterMove:
    return "setmaxnreg";
  }
  return "unknown feature";
}

} // namespace dsv4::cuda
