// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The matrix phases in cubins of every architecture: no spills, no local
// memory, registers that let a block of their size run, the product that is
// meant, and the ALU instructions of the hot loop. Not run on hardware; skipped
// by name without NVRTC.

#include "targets/cuda/DeviceSources.h"
#include "targets/cuda/toolchain/CubinGates.h"
#include "test/unit/cuda-sources/ReadSource.h"

#include <gtest/gtest.h>

using namespace dsv4::cuda;

namespace {

/// A kernel without its namespace; threads of a block and blocks on an SM
/// (where its shared memory allows it); ALU instructions of a lane for each of
/// its weights on sm_90a, as counted and rounded up: those of the loop of a
/// tile, and its share of the loop around it, where a turn of that has so many
/// weights of a lane (a stage of activations: 8 blocks of 64).
struct Gate {
  const char *kernel;
  uint32_t threads, blocks;
  double budget;
  double around = 0;

  bool isExact() const { return llvm::StringRef(kernel).contains("Exact<"); }
  /// The product that marks the loop. HMMA makes 8 weights of a lane into sums
  /// of eight columns, QGMMA 16 into those of all columns.
  const char *marker() const { return isExact() ? "HMMA" : "QGMMA"; }
  LoopBudget loop() const { return {budget, isExact() ? 8.0 : 16.0, marker()}; }
};

const Gate gates[] = {{"linearKernel<Config<2, 8>>", 256, 2, 0.7, 8 * 64},
                      {"linearKernel<Config<2, 64>>", 384, 1, 2.17},
                      {"expertKernel<Config<1, 8>>", 256, 2, 1.5, 8 * 64},
                      {"expertKernel<Config<1, 64>>", 384, 1, 3.4},
                      {"linearKernel<Exact<2, 8>>", 256, 2, 1.35, 4 * 64},
                      {"linearKernel<Exact<2, 64>>", 384, 1, 0},
                      {"expertKernel<Exact<1, 8>>", 256, 2, 2.0, 4 * 64},
                      {"expertKernel<Exact<1, 32>>", 384, 1, 0},
                      {"expertKernel<Exact<1, 64>>", 384, 1, 0},
                      {"expertKernel<Escaping<1, 8>>", 256, 2, 0},
                      {"expertKernel<Escaping<1, 32>>", 384, 1, 0},
                      {"linearKernel<Config<6, 8>>", 256, 1, 0.6, 8 * 64},
                      {"linearKernel<Config<4, 8>>", 256, 1, 0},
                      {"linearKernel<Config<4, 32>>", 256, 1, 0},
                      {"reduceKernel<LinearParams>", 256, 4, 0},
                      {"reduceKernel<ExpertLinearParams>", 256, 4, 0},
                      {"encodeKernel<EncodeParams>", 256, 4, 0}};

std::string qualified(std::string Name) {
  for (const char *Word :
       {"linearKernel", "expertKernel", "reduceKernel", "encodeKernel",
        "Config<", "Exact<", "Escaping<", "LinearParams>",
        "ExpertLinearParams>", "EncodeParams>"}) {
    size_t At = Name.find(Word);
    if (At != std::string::npos && (At == 0 || Name[At - 1] == '<'))
      Name.insert(At, "dsv4::cuda::");
  }
  return Name;
}

class LinearGateTest : public testing::TestWithParam<const char *> {};

/// What the loop around a tile's loop adds to each weight.
double aluAround(const CubinFunction &F, unsigned Arch, const SassLoops &Loops,
                 const SassLoop &Loop, double Weights) {
  if (!Weights || Loop.parent < 0)
    return 0;
  uint64_t Both = mixOf(F.code, Loops.loops[Loop.parent], Arch).alu();
  return double(Both - mixOf(F.code, Loop, Arch).alu()) / Weights;
}

/// The budget holds for the tile's loop by KernelLimits; here with its share of
/// the loop around.
void checkAround(const CubinFunction &F, unsigned Arch, const Gate &G) {
  auto Loops = findLoops(F.code, Arch);
  ASSERT_TRUE(bool(Loops));
  LoopBudget Budget = G.loop();
  for (const SassLoop *Loop : hotLoops(F, Arch, *Loops, G.marker())) {
    ASSERT_TRUE(!G.around || Loop->parent >= 0) << G.kernel;
    double Alu = aluPerUnit(F, Arch, *Loop, Budget) +
                 aluAround(F, Arch, *Loops, *Loop, G.around);
    EXPECT_LE(Alu, G.budget) << G.kernel;
    printf("%-34s %.3f ALU with the loop around\n", G.kernel, Alu);
  }
}

/// Says the figures of docs/cuda-phases.md. A product of mma.sync is counted
/// once for each eight columns.
void report(const CubinFunction &F, unsigned Arch, const char *Kernel) {
  printf("%-34s %3u registers", Kernel, unsigned(F.registers));
  auto Loops = findLoops(F.code, Arch);
  ASSERT_TRUE(bool(Loops));
  for (const char *Marker : {"QGMMA", "QMMA", "HMMA"}) {
    LoopBudget Budget{9e9, Marker[0] == 'H' ? 8.0 : 16.0, Marker};
    for (const SassLoop *Loop : hotLoops(F, Arch, *Loops, Marker))
      printf(", %s %.2f ALU", Marker, aluPerUnit(F, Arch, *Loop, Budget));
  }
  printf("\n");
}

/// Products of the architecture, and none that is built of conversions.
void setProducts(KernelLimits &Limits, const std::string &Arch, const Gate &G) {
  llvm::StringRef Kernel = G.kernel;
  if (!Kernel.contains("<1, ") && !Kernel.contains("<2, "))
    return;
  if (G.isExact())
    Limits.mustHave = {"HMMA"};
  else if (Arch == "sm_90a")
    Limits.mustHave = {"QGMMA"};
  else if (Arch == "sm_89" || Arch == "sm_120a")
    Limits.mustHave = {"QMMA"};
  else
    Limits.mustHave = {"HMMA"};
  for (const char *Other : {"QGMMA", "QMMA", "HMMA"})
    if (Other != Limits.mustHave.front())
      Limits.mustNotHave.push_back(Other);
}

TEST_P(LinearGateTest, CompilesWithinLimits) {
  auto Loaded = NvrtcCompiler::load();
  if (!Loaded)
    GTEST_SKIP() << llvm::toString(Loaded.takeError());
  CompileRequest Request;
  Request.name = "LinearKernels.cu";
  Request.source = readSource("test/unit/cuda-linear/LinearKernels.cu");
  addDeviceHeaders(Request);
  Request.arch = GetParam();
  for (const Gate &G : gates)
    Request.nameExpressions.push_back(qualified(G.kernel));
  auto Compiled = Loaded->compile(Request);
  ASSERT_TRUE(bool(Compiled)) << llvm::toString(Compiled.takeError());
  auto Read = readCubin(Compiled->cubin);
  ASSERT_TRUE(bool(Read)) << llvm::toString(Read.takeError());
  addLog(*Read, Compiled->resources);
  auto Target = findCudaTarget(GetParam());
  ASSERT_TRUE(bool(Target));
  EXPECT_TRUE(Compiled->losses.empty()) << Compiled->losses.front();
  for (const Gate &G : gates) {
    const CubinFunction *F =
        Read->find(Compiled->symbols.at(qualified(G.kernel)));
    ASSERT_TRUE(F) << G.kernel;
    KernelLimits Limits;
    Limits.threads = G.threads;
    Limits.blocksPerSm = G.blocks;
    setProducts(Limits, GetParam(), G);
    if (G.budget && Request.arch == "sm_90a")
      Limits.hotLoop = G.loop();
    for (const std::string &Line : violations(*F, **Target, Limits))
      ADD_FAILURE() << G.kernel << " for " << GetParam() << ": " << Line;
    report(*F, Read->arch, G.kernel);
    if (Limits.hotLoop)
      checkAround(*F, Read->arch, G);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LinearGateTest,
                         testing::Values("sm_80", "sm_89", "sm_90a", "sm_100a",
                                         "sm_120a"));

} // namespace
