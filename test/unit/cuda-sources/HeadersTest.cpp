// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each embedded header compiles on its own for every architecture, out of
// memory. Skipped by name without NVRTC. Not run on hardware.

#include "targets/cuda/DeviceSources.h"
#include "test/unit/cuda-sources/ReadSource.h"

#include <gtest/gtest.h>

using namespace dsv4::cuda;

namespace {

TEST(DeviceSources, AreThoseOfTheTree) {
  for (const char *Name :
       {"targets/cuda/device/ptx.h", "targets/cuda/device/decode.cuh",
        "runtime/numerics/math.h", "runtime/numerics/hyper.h",
        "runtime/abi/program.h"}) {
    ASSERT_TRUE(deviceHeaders().count(Name)) << Name;
    EXPECT_EQ(deviceHeaders().at(Name), readSource(Name)) << Name;
  }
  EXPECT_EQ(deviceHeaders().at("stdint.h"),
            readSource("targets/cuda/device/nvrtc/stdint.h"));
}

TEST(DeviceSources, HoldNothingOfTheHost) {
  for (const auto &[Name, Text] : deviceHeaders()) {
    EXPECT_EQ(Name.find("denormals"), std::string::npos) << Name;
    EXPECT_EQ(Name.find("half_emu"), std::string::npos) << Name;
    EXPECT_NE(Text, "") << Name;
  }
}

class DeviceHeadersTest : public testing::TestWithParam<const char *> {};

TEST_P(DeviceHeadersTest, EachCompilesAlone) {
  auto Nvrtc = NvrtcCompiler::load();
  if (!Nvrtc)
    GTEST_SKIP() << llvm::toString(Nvrtc.takeError());
  for (const auto &[Name, Text] : deviceHeaders()) {
    CompileRequest Request;
    Request.name = "alone.cu";
    Request.arch = GetParam();
    Request.source = "#include \"" + Name + "\"\n#include \"" + Name + "\"\n";
    addDeviceHeaders(Request);
    Request.wantCubin = false;
    Request.wantPtx = true;
    auto Result = Nvrtc->compile(Request);
    ASSERT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
    EXPECT_EQ(Result->log.find("warning"), std::string::npos) << Name << ":\n"
                                                              << Result->log;
  }
}

INSTANTIATE_TEST_SUITE_P(All, DeviceHeadersTest,
                         testing::Values("sm_80", "sm_89", "sm_90a", "sm_100a",
                                         "sm_120a"),
                         [](const auto &Info) {
                           return std::string(Info.param);
                         });

} // namespace
