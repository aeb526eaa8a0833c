// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of instructions, derived again for every architecture: a kernel of
// one known PTX instruction must show the machine instruction that the table
// says, and nothing unknown. And loops of known shapes.

#include "ToolchainTestSupport.h"

#include <gmock/gmock.h>

using namespace dsv4::cuda;

namespace {

enum Archs { All, From89, From90, Only89, Only90, Only100, Only120, Fp8, New };

bool includes(Archs archs, const CudaTarget &target) {
  int capability = target.major * 10 + target.minor;
  switch (archs) {
  case All:
    return true;
  case From89:
    return capability >= 89;
  case From90:
    return capability >= 90;
  case Only89:
    return capability == 89;
  case Only90:
    return capability == 90;
  case Only100:
    return capability == 100;
  case Only120:
    return capability == 120;
  case Fp8:
    return capability == 89 || capability == 120;
  case New:
    return capability >= 100;
  }
  return false;
}

/// One statement on: p (global floats), u (global words), s (shared words), a,
/// b, c (words read from u), x, y, z (floats read from p); the result in a or x
/// is stored.
struct Probe {
  const char *statement, *expected;
  Archs archs;
};

#define MMA_OPERANDS                                                           \
  " : \"+f\"(d[0]), \"+f\"(d[1]), \"+f\"(d[2]), \"+f\"(d[3])"                  \
  " : \"r\"(a), \"r\"(b), \"r\"(c), \"r\"(a ^ 1), \"r\"(b ^ 1), \"r\"(c ^ "    \
  "1));"
#define MMA(type)                                                              \
  "float d[4] = {x, y, z, x}; asm volatile(\"mma.sync.aligned." type " \" "    \
  "\"{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\"" MMA_OPERANDS     \
  "x = d[0] + d[1] + d[2] + d[3];"

const Probe probes[] = {
    {"a = __byte_perm(a, b, c);", "PRMT", All},
    {"a = (a & b) | c;", "LOP3", All},
    {"a = __funnelshift_l(a, b, c);", "SHF", All},
    {"a = a * b + c;", "IMAD", All},
    {"a = a + b + c;", "IADD3", All},
    {"a = __popc(a);", "POPC", All},
    {"x = __fmaf_rn(x, y, z);", "FFMA", All},
    {"x = x + y;", "FADD", All},
    {"x = x * y;", "FMUL", All},
    {"asm(\"ex2.approx.ftz.f32 %0, %1;\" : \"=f\"(x) : \"f\"(y));", "MUFU",
     All},
    {"asm(\"cvt.rn.f16x2.f32 %0, %1, %2;\" : \"=r\"(a) : \"f\"(x), \"f\"(y));",
     "F2FP", All},
    {"asm(\"fma.rn.f16x2 %0, %1, %2, %3;\" : \"=r\"(a) : \"r\"(a), \"r\"(b), "
     "\"r\"(c));",
     "HFMA2", All},
    {"asm(\"{.reg .b16 h; cvt.u16.u32 h, %1; cvt.rn.f16x2.e4m3x2 %0, h;}\" : "
     "\"=r\"(a) : \"r\"(b));",
     "F2FP", From89},
    {"asm(\"{.reg .b8 h; cvt.u8.u32 h, %1; cvt.rn.f16x2.e2m1x2 %0, h;}\" : "
     "\"=r\"(a) : \"r\"(b));",
     "F2FP", New},
    {"a = __shfl_xor_sync(~0u, a, 1);", "SHFL", All},
    {"a = __ballot_sync(~0u, a > b);", "VOTE", All},
    {"a = __reduce_add_sync(~0u, a);", "REDUX", All},
    {"s[threadIdx.x] = a; __syncthreads(); a = s[b & 63];", "LDS", All},
    {"s[threadIdx.x] = a; __syncthreads(); a = s[b & 63];", "STS", All},
    {"s[threadIdx.x] = a; __syncthreads(); a = s[b & 63];", "BAR", All},
    {"asm volatile(\"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];\" : "
     "\"=r\"(a) : \"r\"(unsigned(__cvta_generic_to_shared(s)) + (b & 1008)));",
     "LDSM", All},
    {"asm volatile(\"cp.async.ca.shared.global [%0], [%1], 16; "
     "cp.async.wait_all;\" :: \"r\"(unsigned(__cvta_generic_to_shared(s))), "
     "\"l\"(u) : \"memory\"); __syncthreads(); a = s[b & 63];",
     "LDGSTS", All},
    {"a = atomicAdd(u, a);", "ATOMG", All},
    {"asm volatile(\"red.release.gpu.global.add.u32 [%0], %1;\" :: \"l\"(u), "
     "\"r\"(a) : \"memory\");",
     "MEMBAR", All},
    {"__threadfence();", "MEMBAR", All},
    {MMA("m16n8k16.row.col.f32.f16.f16.f32"), "HMMA", All},
    {MMA("m16n8k16.row.col.f32.bf16.bf16.f32"), "HMMA", All},
    {MMA("m16n8k32.row.col.f32.e4m3.e4m3.f32"), "QMMA", Fp8},
    // Accepted there, and built from converts and HMMA.
    {MMA("m16n8k32.row.col.f32.e4m3.e4m3.f32"), "HMMA", Only90},
    {MMA("m16n8k32.row.col.f32.e4m3.e4m3.f32"), "HMMA", Only100},
    {"float d[4] = {x, y, z, x}; asm volatile(\"mma.sync.aligned.kind::mxf4."
     "block_scale.scale_vec::2X.m16n8k64.row.col.f32.e2m1.e2m1.f32.ue8m0 "
     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3}, {%4}, {0,0}, {%5}, "
     "{0,0};\"" MMA_OPERANDS "x = d[0];",
     "OMMA", Only120},
    {"float d[4] = {x, y, z, x}; asm volatile(\"mma.sync.aligned.kind::mxf8f6f4"
     ".block_scale.scale_vec::1X.m16n8k32.row.col.f32.e4m3.e2m1.f32.ue8m0 "
     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3}, {%4}, {0,0}, {%5}, "
     "{0,0};\"" MMA_OPERANDS "x = d[0];",
     "QMMA", Only120},
    {"float d[4] = {x, y, z, x}; asm volatile(\"{wgmma.fence.sync.aligned; "
     "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {%0,%1,%2,%3}, "
     "{%4,%5,%6,%7}, %10, 1, 1, 1; wgmma.commit_group.sync.aligned; "
     "wgmma.wait_group.sync.aligned 0;}\" : \"+f\"(d[0]), \"+f\"(d[1]), "
     "\"+f\"(d[2]), \"+f\"(d[3]) : \"r\"(a), \"r\"(b), \"r\"(c), \"r\"(a ^ 1), "
     "\"r\"(b), \"r\"(c), \"l\"((unsigned long long)b)); x = d[0] + d[3];",
     "QGMMA", Only90},
    {"float d[4] = {x, y, z, x}; asm volatile(\"{wgmma.fence.sync.aligned; "
     "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0,%1,%2,%3}, "
     "{%4,%5,%6,%7}, %10, 1, 1, 1, 0; wgmma.commit_group.sync.aligned; "
     "wgmma.wait_group.sync.aligned 0;}\" : \"+f\"(d[0]), \"+f\"(d[1]), "
     "\"+f\"(d[2]), \"+f\"(d[3]) : \"r\"(a), \"r\"(b), \"r\"(c), \"r\"(a ^ 1), "
     "\"r\"(b), \"r\"(c), \"l\"((unsigned long long)b)); x = d[0] + d[3];",
     "HGMMA", Only90},
    {"asm volatile(\"mbarrier.init.shared.b64 [%0], 1;\" :: "
     "\"r\"(unsigned(__cvta_generic_to_shared(s))) : \"memory\"); "
     "__syncthreads();",
     "SYNCS", From90},
    {"asm volatile(\"cp.async.bulk.shared::cluster.global.mbarrier::"
     "complete_tx::bytes [%0], [%1], 64, [%2];\" :: "
     "\"r\"(unsigned(__cvta_generic_to_shared(s + 64))), \"l\"(u), "
     "\"r\"(unsigned(__cvta_generic_to_shared(s))) : \"memory\");",
     "UBLKCP", From90},
    {"asm volatile(\"cp.async.bulk.prefetch.L2.global [%0], 64;\" :: \"l\"(u) "
     ": \"memory\");",
     "UBLKPF", From90},
    {"asm volatile(\"griddepcontrol.wait;\" ::: \"memory\");", "ACQBULK",
     From90},
    {"asm volatile(\"griddepcontrol.launch_dependents;\" ::: \"memory\");",
     "PREEXIT", From90},
    {"asm volatile(\"setmaxnreg.inc.sync.aligned.u32 232;\");", "USETMAXREG",
     From90},
    {"asm volatile(\"tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 "
     "[%0], 32;\" :: \"r\"(unsigned(__cvta_generic_to_shared(s))) : "
     "\"memory\");",
     "UTCATOMSWS", Only100},
    {"asm volatile(\"{.reg .pred q; setp.ne.u32 q, %2, 0; tcgen05.mma."
     "cta_group::1.kind::f8f6f4 [%0], %1, %1, %2, q;}\" :: \"r\"(a), "
     "\"l\"((unsigned long long)b), \"r\"(c) : \"memory\");",
     "UTCMMA", Only100},
    {"asm volatile(\"tcgen05.ld.sync.aligned.32x32b.x1.b32 {%0}, [%1]; "
     "tcgen05.wait::ld.sync.aligned;\" : \"=r\"(a) : \"r\"(b));",
     "LDTM", Only100},
    {"asm(\"{.reg .b64 q; mov.b64 q, {%1, %2}; fma.rn.f32x2 q, q, q, q; mov.b64"
     " {%0, %1}, q;}\" : \"=f\"(x), \"+f\"(y) : \"f\"(z)); x += y;",
     "FFMA2", Only100},
};

std::string sourceOf(const Probe &probe) {
  return std::string("extern \"C\" __global__ void __launch_bounds__(128, 1) "
                     "probe(float *p, unsigned *u) {\n"
                     "  __shared__ alignas(128) unsigned s[256];\n"
                     "  unsigned t = threadIdx.x;\n"
                     "  unsigned a = u[t], b = u[t + 256], c = u[t + 512];\n"
                     "  float x = p[t], y = p[t + 256], z = p[t + 512];\n  ") +
         probe.statement + "\n  u[t + 1024] = a; p[t + 1024] = x; }\n";
}

TEST(Sass, EachInstructionIsWhatTheTableSays) {
  DSV4_NEEDS_NVRTC();
  for (const CudaTarget &target : cudaTargets())
    for (const Probe &probe : probes) {
      if (!includes(probe.archs, target))
        continue;
      SCOPED_TRACE(std::string(target.name) + ": " + probe.statement);
      SassMix mix =
          mixOfOnly(compileForTest(nvrtc, sourceOf(probe), target.name));
      EXPECT_GE(mix.of(probe.expected), 1u) << "found " << [&] {
        std::string all;
        for (const auto &[name, count] : mix.names)
          all += name + " ";
        return all;
      }();
      EXPECT_EQ(mix.of(SassClass::Unknown), 0u);
    }
}

TEST(Sass, UnknownInstructionsAreCountedUnderTheirNumber) {
  SassMix mix;
  mix.add({0x9ff, 0}, 90);
  mix.add({0x9ff, 0}, 90);
  mix.add({0x918, 0}, 90);
  EXPECT_EQ(mix.of("unknown 0x9ff"), 2u);
  EXPECT_EQ(mix.of(SassClass::Unknown), 2u);
  EXPECT_EQ(mix.of("NOP"), 1u);
  EXPECT_EQ(mix.total, 3u);
  // One number, two architectures.
  EXPECT_EQ(sassName(90, 0x35)->name, "HFMA2");
  EXPECT_EQ(sassName(120, 0x35)->name, "IADD");
}

TEST(Sass, NestedLoopsOfAKernel) {
  DSV4_NEEDS_NVRTC();
  const char *source = R"(
extern "C" __global__ void loops(const float *x, float *y, int n, int m) {
  float t = 0;
  for (int i = 0; i < n; ++i) {
    #pragma unroll 1
    for (int k = 0; k < m; ++k)
      t = __fmaf_rn(t, x[k], 1.0f);
    y[i] = t;
  }
})";
  for (const CudaTarget &target : cudaTargets()) {
    SCOPED_TRACE(target.name);
    Cubin cubin = compileForTest(nvrtc, source, target.name);
    ASSERT_EQ(cubin.functions.size(), 1u);
    const auto &code = cubin.functions[0].code;
    auto found = findLoops(code, cubin.arch);
    ASSERT_TRUE(bool(found)) << llvm::toString(found.takeError());
    EXPECT_FALSE(found->hasIndirect);
    int inner = 0;
    for (const SassLoop &loop : found->loops) {
      if (!loop.isInnermost)
        continue;
      SassMix mix = mixOf(code, loop, cubin.arch);
      if (mix.of("FFMA") == 0)
        continue;
      ++inner;
      EXPECT_EQ(mix.of("FFMA"), 1u);
      EXPECT_EQ(mix.of("LDG"), 1u);
      EXPECT_EQ(mix.of("STG"), 0u);
      EXPECT_GE(loop.depth, 2);
      const SassLoop &outer = found->loops[loop.parent];
      EXPECT_FALSE(outer.isInnermost);
      EXPECT_GE(mixOf(code, outer, cubin.arch).of("STG"), 1u);
    }
    EXPECT_EQ(inner, 1);
  }
}

// The slow path of a barrier lies behind the function and branches back: no
// loop but its own.
TEST(Sass, WaitsAreNoHotLoops) {
  DSV4_NEEDS_NVRTC();
  const char *source = R"(
extern "C" __global__ void waits(float *y, const float *x, int n) {
  __shared__ alignas(8) unsigned long long bar;
  unsigned at = unsigned(__cvta_generic_to_shared(&bar));
  float t = 0;
  #pragma unroll 1
  for (int i = 0; i < n; ++i) {
    unsigned done;
    do {
      asm volatile("{.reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1],"
                   " %2; selp.u32 %0, 1, 0, p;}"
                   : "=r"(done) : "r"(at), "r"(i & 1) : "memory");
    } while (!done);
    t = __fmaf_rn(t, x[i], x[i + n]);
  }
  unsigned flag;
  do
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                 : "=r"(flag) : "l"(x) : "memory");
  while (flag != 7);
  #pragma unroll 1
  for (int i = 0; i < n; ++i)
    t = t > x[i] ? t : x[i];
  y[threadIdx.x] = t;
})";
  for (const char *arch : {"sm_90a", "sm_100a", "sm_120a"}) {
    SCOPED_TRACE(arch);
    Cubin cubin = compileForTest(nvrtc, source, arch);
    ASSERT_EQ(cubin.functions.size(), 1u);
    const auto &code = cubin.functions[0].code;
    auto found = findLoops(code, cubin.arch);
    ASSERT_TRUE(bool(found)) << llvm::toString(found.takeError());
    int hot = 0, plain = 0, polls = 0;
    for (const SassLoop &loop : found->loops) {
      SassMix mix = mixOf(code, loop, cubin.arch);
      if (loop.isWait) {
        polls += mix.of(SassClass::GlobalLoad) == 1;
      } else if (loop.isInnermost && mix.of("FFMA")) {
        ++hot;
        EXPECT_GE(mix.of("SYNCS"), 1u);
        EXPECT_EQ(mix.of(SassClass::GlobalLoad), 2u);
      } else if (loop.isInnermost) {
        ++plain;
        EXPECT_EQ(mix.of(SassClass::GlobalLoad), 1u);
      }
    }
    EXPECT_EQ(hot, 1);
    EXPECT_EQ(polls, 1);
    EXPECT_EQ(plain, 1);
  }
}

// Where lanes may have parted, a branch leads behind the function and another
// one back into its middle, which nothing but the way there makes a loop.
TEST(Sass, SlowPathsAreNoLoops) {
  DSV4_NEEDS_NVRTC();
  const char *source = R"(
extern "C" __global__ void parts(unsigned *x, int n) {
  unsigned a = x[threadIdx.x];
  if (threadIdx.x < n)
    a += __shfl_xor_sync(__activemask(), a, 1);
  #pragma unroll 1
  for (int i = 0; i < n; i++) {
    if (a & 1)
      a += __shfl_xor_sync(~0u, a, 1) + __reduce_add_sync(~0u, a);
    else
      a *= 3;
    __syncwarp();
  }
  x[threadIdx.x] = a;
})";
  for (const char *arch : {"sm_90a", "sm_100a", "sm_120a"}) {
    SCOPED_TRACE(arch);
    Cubin cubin = compileForTest(nvrtc, source, arch);
    ASSERT_EQ(cubin.functions.size(), 1u);
    const auto &code = cubin.functions[0].code;
    int backwards = 0;
    for (const SassInstruction &one : code)
      backwards += one.isBranch() && one.branchOffset(cubin.arch) < -16;
    EXPECT_GT(backwards, 2);
    auto found = findLoops(code, cubin.arch);
    ASSERT_TRUE(bool(found)) << llvm::toString(found.takeError());
    EXPECT_EQ(found->loops.size(), 1u);
  }
}

/// A branch `bytes` from the next instruction, as sm_80 encodes it.
SassInstruction branch(int64_t bytes) {
  uint64_t words = uint64_t(bytes / 4);
  return {0x7947 | words << 34, 0x03800000 | (words >> 30 & 0x3ffff)};
}

TEST(Sass, BranchesOfOldAndNewEncodings) {
  EXPECT_EQ(branch(-16).branchOffset(80), -16);
  EXPECT_EQ(branch(0x460).branchOffset(80), 0x460);
  // As compiled for sm_90a: to itself, far ahead, far back.
  SassInstruction self = {0xfffffffc00fc7947, 0x000fc0000383ffff};
  EXPECT_EQ(self.branchOffset(90), -16);
  SassInstruction ahead = {0x0000000400148947, 0x000fea0003800000};
  EXPECT_EQ(ahead.branchOffset(90), 0x450);
  EXPECT_FALSE(ahead.isUnconditional());
  EXPECT_TRUE(self.isUnconditional());
  // On a uniform predicate, and where lanes diverge: both can fall through.
  SassInstruction uniform = {0xfffffffd01947547, 0x000fec000b83ffff};
  EXPECT_EQ(uniform.branchOffset(120), -0x1b0);
  EXPECT_FALSE(uniform.isUnconditional());
  SassInstruction diverged = {0x0000000606a07947, 0x000fea000b800000};
  EXPECT_EQ(diverged.branchOffset(90), 0x680);
  EXPECT_FALSE(diverged.isUnconditional());
  SassInstruction back = {0xfffffffc00541947, 0x000fea000383ffff};
  EXPECT_EQ(back.branchOffset(90), -0x2b0);
}

// Two ways into a cycle: it has no header, so it is no natural loop. With one
// way in it is.
TEST(Sass, ALoopHasOneWayIn) {
  auto maybe = [](int64_t bytes) {
    SassInstruction one = branch(bytes);
    one.low &= ~0xf000ull; // guarded by P0
    return one;
  };
  SassInstruction nop = {0x7918, 0}, exit = {0x794d, 0};
  auto found =
      findLoops(std::vector{maybe(16), nop, nop, maybe(-3 * 16), exit}, 80);
  ASSERT_TRUE(bool(found));
  EXPECT_EQ(found->loops.size(), 0u);
  found = findLoops(std::vector{nop, nop, nop, maybe(-3 * 16), exit}, 80);
  ASSERT_TRUE(bool(found));
  ASSERT_EQ(found->loops.size(), 1u);
  EXPECT_EQ(found->loops[0].header, 1u);
  EXPECT_EQ(found->loops[0].body, (std::vector<size_t>{1, 2, 3}));
}

TEST(Sass, TooManyBranchesAreAnError) {
  std::vector<SassInstruction> code(40000, branch(0));
  auto found = findLoops(code, 80);
  ASSERT_FALSE(bool(found));
  EXPECT_THAT(llvm::toString(found.takeError()),
              testing::HasSubstr("too many blocks"));
  // Each block is a loop of its own.
  code.assign(6000, branch(-16));
  for (SassInstruction &one : code)
    one.low &= ~0xf000ull; // guarded by P0
  found = findLoops(code, 80);
  ASSERT_FALSE(bool(found));
  EXPECT_THAT(llvm::toString(found.takeError()),
              testing::HasSubstr("too many branches backwards"));
}

} // namespace
