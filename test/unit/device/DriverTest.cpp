// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finding and starting the driver: none, one that is too old, one that cannot
// start; what each says. Where the toolkit is, its stub of the driver is asked
// too: it has every name that is used.

#include "DeviceTestSupport.h"

#include <dlfcn.h>

#include <cstring>

namespace {

using namespace devicetest;

class DriverTest : public FakeCudaTest {};

TEST_F(DriverTest, NoneIsSaidInOneLine) {
  Driver driver;
  Status status = driver.open("libcuda-of-nobody.so.1");
  expectError(status, Code::Unsupported,
              {"expected an NVIDIA driver (libcuda.so.1), found none: ",
               "libcuda-of-nobody.so.1", "install the driver",
               "compile for a CPU target"});
}

TEST_F(DriverTest, OneThatLacksAFunctionIsTooOld) {
  setenv("FAKE_CUDA_DRIVER", "12020", 1);
  Driver driver;
  expectError(driver.open(oldLibrary), Code::Unsupported,
              {"for CUDA 12.3 or newer", "found one for CUDA 12.2",
               "cuGraphAddDependencies_v2", "update the driver"});
  unsetenv("FAKE_CUDA_DRIVER");
}

TEST_F(DriverTest, EveryErrorOfTheStartIsInWords) {
  const struct {
    int code;
    Code is;
    const char *words;
  } cases[] = {
      {34, Code::Unsupported, "toolkit's stub"},
      {46, Code::Unsupported, "compute mode"},
      {100, Code::Unsupported, "CUDA_VISIBLE_DEVICES"},
      {802, Code::Unsupported, "nvidia-fabricmanager"},
      {803, Code::Unsupported, "different versions"},
      {804, Code::Unsupported, "cuda-compat"},
      {999, Code::Io, "nvidia_uvm"},
      {2, Code::OutOfMemory, "out of memory (CUDA_ERROR_OUT_OF_MEMORY, 2)"},
      {3, Code::Io, "an error of the fake"},
  };
  for (const auto &one : cases) {
    fake->settings().init = one.code;
    Driver driver;
    expectError(driver.open(fakeLibrary), one.is,
                {"cannot start the NVIDIA driver", one.words});
  }
}

TEST_F(DriverTest, ErrorsWithoutANameAreSaidByNumber) {
  Driver driver;
  ASSERT_TRUE(driver.open(fakeLibrary).isOk());
  EXPECT_EQ(driver.version, 13000);
  expectError(driver.failure(999, "cannot do %d things", 2), Code::Io,
              {"cannot do 2 things: no description (unknown error, 999)"});
}

TEST_F(DriverTest, ALongMessageIsCutAndEnds) {
  Driver driver;
  ASSERT_TRUE(driver.open(fakeLibrary).isOk());
  std::string text(1000, 'x');
  Status status = driver.failure(2, "%s", text.c_str());
  EXPECT_EQ(strlen(status.message), sizeof(status.message) - 1);
}

TEST_F(DriverTest, VersionsReadAsTheToolkitSays) {
  char text[16];
  EXPECT_STREQ(formatVersion(12040, text), "12.4");
  EXPECT_STREQ(formatVersion(13000, text), "13.0");
}

/// The toolkit's libcuda.so: all names, and an error of its own.
TEST_F(DriverTest, TheToolkitsStubHasEveryName) {
#ifdef DSV4_CUDA_STUB
  void *library = dlopen(DSV4_CUDA_STUB, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
#define CHECK_NAME(member, symbol, parameters)                                 \
  EXPECT_NE(dlsym(library, #symbol), nullptr) << #symbol;
  DSV4_CUDA_ENTRIES(CHECK_NAME)
#undef CHECK_NAME
  dlclose(library);
  Driver driver;
  Status status = driver.open(DSV4_CUDA_STUB);
  EXPECT_EQ(int(status.code), int(Code::Unsupported)) << status.message;
  EXPECT_NE(strstr(status.message, "stub"), nullptr) << status.message;
#else
  GTEST_SKIP() << "no stub of libcuda.so: the CUDA toolkit is not installed";
#endif
}

} // namespace
