// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic of runtime/numerics as NVRTC compiles it, read in PTX: every
// floating instruction rounds to nearest even, none is approximate, and there
// are as many fused multiply-adds as the source writes. An instruction with
// .rn is never fused by the assembler. Not run on hardware.

#include "targets/cuda/DeviceSources.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>

using namespace dsv4::cuda;

namespace {

/// Floating instructions of a function, as its source says. A product by two
/// may become a sum, and a negated sum a difference: these count together.
struct Counts {
  int fma = 0, mulAdd = 0, div = 0, sqrt = 0;
  bool operator==(const Counts &) const = default;
};

void PrintTo(const Counts &C, std::ostream *Out) {
  *Out << C.fma << " fma, " << C.mulAdd << " mul or add, " << C.div << " div, "
       << C.sqrt << " sqrt";
}

struct Case {
  const char *name, *expression; // of a float x
  Counts counts;
};

void PrintTo(const Case &C, std::ostream *Out) { *Out << C.name; }

/// Counts, and whatever may not be there as a line of `wrong`.
Counts read(llvm::StringRef Ptx, std::string &Wrong) {
  Counts Found;
  for (llvm::StringRef Line : llvm::split(Ptx, '\n')) {
    Line = Line.trim();
    if (Line.starts_with("@"))
      Line = Line.split(' ').second.trim();
    llvm::StringRef Op =
        Line.take_until([](char C) { return C == ' ' || C == '\t'; });
    if (!Op.contains(".f32") && !Op.contains(".f64"))
      continue;
    llvm::StringRef Kind = Op.split('.').first;
    // These move, compare or change a sign, and never round.
    if (llvm::is_contained({"ld", "st", "mov", "setp", "selp", "abs", "neg",
                            "min", "max", "copysign"},
                           Kind))
      continue;
    if (Kind == "fma")
      ++Found.fma;
    else if (llvm::is_contained({"mul", "add", "sub"}, Kind))
      ++Found.mulAdd;
    else if (Kind == "div" || Kind == "rcp")
      ++Found.div;
    else if (Kind == "sqrt")
      ++Found.sqrt;
    else if (Kind != "cvt")
      Wrong += "unexpected: " + Line.str() + "\n";
    bool Widens = Kind == "cvt" && Op.contains(".f64.f32");
    if (!Widens && !Op.contains(".rn"))
      Wrong += "not rounded to nearest even: " + Line.str() + "\n";
    if (Op.contains("approx") || Op.contains("full"))
      Wrong += "approximate: " + Line.str() + "\n";
    if (Kind != "cvt" && Op.contains(".f32") && !Op.contains(".ftz"))
      Wrong += "keeps denormals: " + Line.str() + "\n";
  }
  return Found;
}

class MathPtxTest : public testing::TestWithParam<Case> {};

TEST_P(MathPtxTest, IsTheArithmeticWritten) {
  auto Nvrtc = NvrtcCompiler::load();
  if (!Nvrtc)
    GTEST_SKIP() << llvm::toString(Nvrtc.takeError());
  for (const CudaTarget &Target : cudaTargets()) {
    CompileRequest Request;
    Request.arch = Target.name;
    Request.source = std::string("#include \"runtime/numerics/hyper.h\"\n"
                                 "#include \"runtime/numerics/moe.h\"\n"
                                 "namespace num = dsv4::num;\n"
                                 "extern \"C\" __global__ void k(float *at) {\n"
                                 "  float x = at[threadIdx.x];\n"
                                 "  at[threadIdx.x] = ") +
                     GetParam().expression + ";\n}\n";
    addDeviceHeaders(Request);
    Request.wantCubin = false;
    Request.wantPtx = true;
    auto Result = Nvrtc->compile(Request);
    ASSERT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
    std::string Wrong;
    EXPECT_EQ(read(Result->ptx, Wrong), GetParam().counts)
        << Target.name << "\n"
        << Result->ptx;
    EXPECT_EQ(Wrong, "") << Target.name;
    EXPECT_EQ(Result->ptx.find(".local"), std::string::npos) << Target.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, MathPtxTest,
    testing::Values(
        // Range reduction 3 and Horner 7.
        Case{"exp", "num::exp(x)", {10, 1, 0, 0}},
        Case{"sigmoid", "num::sigmoid(x)", {10, 2, 1, 0}},
        Case{"log1p", "num::log1p(x)", {8, 4, 1, 0}},
        Case{"softplus", "num::softplus(x)", {18, 6, 1, 0}},
        Case{"routerScore", "num::routerScore(x)", {18, 6, 1, 1}},
        // In double: reduction 3, sine 7, cosine 8.
        Case{"cos", "num::cosSin(x).cos", {18, 3, 0, 0}},
        Case{"sin", "num::cosSin(x).sin", {18, 3, 0, 0}},
        Case{"roundBf16", "num::roundBf16(x)", {}},
        Case{"roundE4M3", "num::roundE4M3(x)", {0, 2, 0, 0}},
        Case{"roundE2M1", "num::roundE2M1(x)", {0, 2, 0, 0}},
        Case{"swiglu", "num::swiglu(x, at[9], at[10], 10.0f)", {10, 5, 1, 0}},
        // What contraction would make one instruction of.
        Case{"mulThenAdd", "x * at[9] + at[10]", {0, 2, 0, 0}},
        Case{"norm", "1.0f / num::sqrt(x / 4096.0f + 1e-6f)", {0, 2, 1, 1}}),
    [](const auto &Info) { return std::string(Info.param.name); });

} // namespace
