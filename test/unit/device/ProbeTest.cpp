// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// DeviceProbe as a process of its own: what it links, and what it says without
// a driver, with the fake one, and with one that is wrong.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Output {
  int code;
  std::string text; // stdout and stderr
};

Output shell(const std::string &command) {
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  std::string text;
  for (int c; (c = fgetc(pipe)) != EOF;)
    text += char(c);
  int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000, text};
}

const std::string probe = DEVICE_PROBE;
const std::string fakeFolder = DSV4_BINARY_DIR "/test/unit/fake-driver";
const std::string withFake = "LD_LIBRARY_PATH=" + fakeFolder + " ";

TEST(Probe, NeedsLibcAndLibmAlone) {
  Output out = shell("readelf -d " + probe + " | grep NEEDED");
  EXPECT_NE(out.text.find("libc.so.6"), std::string::npos) << out.text;
  for (size_t at = 0; (at = out.text.find('[', at)) != std::string::npos;) {
    ++at;
    std::string name = out.text.substr(at, out.text.find(']', at) - at);
    EXPECT_TRUE(name == "libc.so.6" || name == "libm.so.6") << name;
  }
}

TEST(Probe, SaysInOneLineThatThereIsNoDriver) {
  if (shell("ldconfig -p | grep -F libcuda.so.1").code == 0)
    GTEST_SKIP() << "a driver is installed here";
  Output out = shell(probe);
  EXPECT_EQ(out.code, 1);
  EXPECT_EQ(out.text.find("expected an NVIDIA driver (libcuda.so.1), found "
                          "none: "),
            0u)
      << out.text;
  EXPECT_EQ(out.text.find('\n'), out.text.size() - 1) << out.text;
}

TEST(Probe, FindsTheDriverByItsName) {
  Output out = shell(withFake + probe);
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_EQ(out.text, "device 0: Fake GPU, sm_90, 132 multiprocessors, 143360 "
                      "MiB free\n");
  out = shell(withFake + "FAKE_CUDA_CC=120 FAKE_CUDA_SMS=188 " + probe);
  EXPECT_NE(out.text.find("sm_120, 188"), std::string::npos) << out.text;
}

TEST(Probe, FailsWithoutLeavingAnythingBehind) {
  Output out = shell(withFake + "FAKE_CUDA_INIT=100 " + probe);
  EXPECT_EQ(out.code, 1);
  EXPECT_NE(out.text.find("CUDA_VISIBLE_DEVICES"), std::string::npos);
  for (int call = 1; call <= 20; ++call) {
    out = shell(withFake + "FAKE_CUDA_FAIL=" + std::to_string(call) + " " +
                probe);
    EXPECT_LE(out.code, 1) << out.text;
    EXPECT_EQ(out.text.find("fake cuda:"), std::string::npos) << out.text;
    EXPECT_EQ(out.text.find('\n'), out.text.size() - 1) << out.text;
  }
}

} // namespace
