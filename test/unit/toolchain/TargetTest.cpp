// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The features of the table of GPU architectures, derived again: a feature is
// there if a probe compiles and becomes the native instruction, and absent if
// it is refused or built from others.

#include "ToolchainTestSupport.h"

#include <gmock/gmock.h>

using namespace dsv4::cuda;

namespace {

struct FeatureProbe {
  CudaFeature feature;
  const char *native; // the instruction that makes it native
  const char *statement;
};

const FeatureProbe probes[] = {
    {FeatureWgmma, "QGMMA",
     "float d[4] = {x, x, x, x}; asm volatile(\"{wgmma.fence.sync.aligned; "
     "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {%0,%1,%2,%3}, "
     "{%4,%4,%4,%4}, %5, 1, 1, 1; wgmma.commit_group.sync.aligned; "
     "wgmma.wait_group.sync.aligned 0;}\" : \"+f\"(d[0]), \"+f\"(d[1]), "
     "\"+f\"(d[2]), \"+f\"(d[3]) : \"r\"(a), \"l\"((unsigned long long)a)); "
     "x = d[0];"},
    {FeatureBulkCopy, "UBLKCP",
     "asm volatile(\"cp.async.bulk.shared::cluster.global.mbarrier::"
     "complete_tx::bytes [%0], [%1], 64, [%0];\" :: \"r\"(a), \"l\"(p) : "
     "\"memory\");"},
    {FeatureConvertE2m1, "F2FP",
     "asm(\"{.reg .b8 h; cvt.u8.u32 h, %0; cvt.rn.f16x2.e2m1x2 %0, h;}\" : "
     "\"+r\"(a));"},
    {FeatureConvertE4m3, "F2FP",
     "asm(\"{.reg .b16 h; cvt.u16.u32 h, %0; cvt.rn.f16x2.e4m3x2 %0, h;}\" : "
     "\"+r\"(a));"},
    {FeatureFp8Mma, "QMMA",
     "float d[4] = {x, x, x, x}; asm volatile(\"mma.sync.aligned.m16n8k32.row."
     "col.f32.e4m3.e4m3.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%4,%4}, "
     "{%0,%1,%2,%3};\" : \"+f\"(d[0]), \"+f\"(d[1]), \"+f\"(d[2]), "
     "\"+f\"(d[3]) : \"r\"(a)); x = d[0];"},
    {FeatureBlockScaledMma, "QMMA",
     "float d[4] = {x, x, x, x}; asm volatile(\"mma.sync.aligned.kind::"
     "mxf8f6f4.block_scale.scale_vec::1X.m16n8k32.row.col.f32.e4m3.e2m1.f32."
     "ue8m0 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%4,%4}, {%0,%1,%2,%3}, {%4}, {0,0}, "
     "{%4}, {0,0};\" : \"+f\"(d[0]), \"+f\"(d[1]), \"+f\"(d[2]), \"+f\"(d[3]) "
     ": \"r\"(a)); x = d[0];"},
    {FeatureTcgen05, "UTCMMA",
     "asm volatile(\"{.reg .pred q; setp.ne.u32 q, %0, 0; tcgen05.mma."
     "cta_group::1.kind::f8f6f4 [%0], %1, %1, %0, q;}\" :: \"r\"(a), "
     "\"l\"((unsigned long long)a) : \"memory\");"},
    {FeatureGridDependency, "ACQBULK",
     "asm volatile(\"griddepcontrol.wait;\" ::: \"memory\");"},
    {FeatureRegisterMove, "USETMAXREG",
     "asm volatile(\"setmaxnreg.inc.sync.aligned.u32 232;\");"},
};

TEST(CudaTarget, FeaturesAreWhatCompiles) {
  DSV4_NEEDS_NVRTC();
  for (const CudaTarget &target : cudaTargets())
    for (const FeatureProbe &probe : probes) {
      CompileRequest request;
      request.source =
          std::string("extern \"C\" __global__ void __launch_bounds__(128, 1) "
                      "probe(float *p, unsigned *u) { float x = p[threadIdx.x];"
                      " unsigned a = u[threadIdx.x]; ") +
          probe.statement + " p[threadIdx.x] = x; u[threadIdx.x] = a; }";
      request.arch = target.name;
      auto result = nvrtc.compile(request);
      bool native = false;
      if (!result) {
        llvm::consumeError(result.takeError());
      } else {
        auto cubin = readCubin(result->cubin);
        ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
        native = mixOfOnly(*cubin).of(probe.native) > 0;
      }
      EXPECT_EQ(native, target.has(probe.feature))
          << target.name << ": " << featureName(probe.feature).str();
    }
}

// NVRTC's static limit lies below what a block may ask for at launch.
TEST(CudaTarget, TheTableIsConsistent) {
  for (const CudaTarget &target : cudaTargets()) {
    SCOPED_TRACE(target.name);
    EXPECT_EQ(target.sharedPerBlock + target.reservedShared,
              target.sharedPerSm);
    EXPECT_GE(target.sharedPerBlock, 48u * 1024);
    EXPECT_EQ(*findCudaTarget(target.name), &target);
    std::string number = std::to_string(target.major * 10 + target.minor);
    EXPECT_TRUE(llvm::StringRef(target.name).starts_with("sm_" + number));
    EXPECT_EQ(llvm::StringRef(target.virtualName).drop_front(8),
              llvm::StringRef(target.name).drop_front(3));
  }
}

} // namespace
