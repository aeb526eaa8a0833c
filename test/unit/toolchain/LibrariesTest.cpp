// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search for CUDA's libraries in folders made for it, and what is said of
// libraries that cannot be used. Needs no CUDA.

#include "ToolchainTestSupport.h"
#include "targets/cuda/toolchain/JitLinker.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

using namespace dsv4::cuda;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class LibrariesTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/dsv4-libraries-XXXXXX";
    folder = mkdtemp(name.data());
    search.askLoader = false;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string add(const std::string &name, const std::string &text = "") {
    std::filesystem::path path = folder / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  std::vector<std::string> found() {
    std::vector<std::string> out;
    for (const LibraryPlace &place : findLibraries(search, "libnvrtc"))
      out.push_back(
          std::filesystem::path(place.path).lexically_relative(folder));
    return out;
  }

  std::filesystem::path folder;
  ToolchainSearch search;
};

TEST_F(LibrariesTest, HomeBeforeToolkitBeforePackages) {
  add("home/lib64/libnvrtc.so.12");
  add("toolkit/lib64/libnvrtc.so.13");
  add("toolkit/lib64/libnvrtc.so");
  add("toolkit/lib64/libnvrtc.alt.so.13");
  add("toolkit/lib64/libnvrtc-builtins.so.13.0");
  add("toolkit/lib64/libnvrtc.so.13.0.88");
  add("site/nvidia/cu13/lib/libnvrtc.so.13");
  add("site/nvidia/cuda_nvrtc/lib/libnvrtc.so.12");
  add("site/nvidia/nvjitlink/lib/libnvJitLink.so.12");
  search.homes = {folder / "home"};
  search.toolkits = {folder / "toolkit", folder / "absent"};
  search.sitePackages = {folder / "site"};
  EXPECT_THAT(found(),
              ElementsAre("home/lib64/libnvrtc.so.12",
                          "toolkit/lib64/libnvrtc.so.13",
                          "site/nvidia/cu13/lib/libnvrtc.so.13",
                          "site/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"));
}

TEST_F(LibrariesTest, AFolderGivenByHandIsTheOnlyOne) {
  add("toolkit/lib64/libnvrtc.so.13");
  search.toolkits = {folder / "toolkit"};
  search.folder = folder / "given";
  EXPECT_THAT(found(), ElementsAre());
  for (const char *shape :
       {"given/libnvrtc.so.13", "given/lib64/libnvrtc.so.13",
        "given/nvidia/cu13/lib/libnvrtc.so.13",
        "given/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13"}) {
    std::string file = add(shape);
    EXPECT_THAT(found(), ElementsAre(shape));
    std::filesystem::remove(file);
  }
}

TEST_F(LibrariesTest, AbsentSaysWhatToInstall) {
  auto nvrtc = NvrtcCompiler::load(search);
  ASSERT_FALSE(bool(nvrtc));
  std::string why = llvm::toString(nvrtc.takeError());
  EXPECT_THAT(
      why, AllOf(HasSubstr("CUDA targets need libnvrtc, which was not found"),
                 HasSubstr("pip install nvidia-cuda-nvrtc nvidia-nvjitlink"),
                 HasSubstr("CUDA Toolkit (12.8 or newer)"),
                 HasSubstr("DSV4_CUDA_HOME")));
  EXPECT_EQ(why.find('\n'), std::string::npos);
  auto linker = JitLinker::load(search);
  ASSERT_FALSE(bool(linker));
  EXPECT_THAT(llvm::toString(linker.takeError()), HasSubstr("libnvJitLink"));
}

TEST_F(LibrariesTest, UnusableFilesAreNamed) {
  std::string file = add("given/libnvrtc.so.13", "no library");
  search.folder = folder / "given";
  auto nvrtc = NvrtcCompiler::load(search);
  ASSERT_FALSE(bool(nvrtc));
  EXPECT_THAT(
      llvm::toString(nvrtc.takeError()),
      AllOf(HasSubstr("rejected '" + file), HasSubstr("file too short")));
  // Some other library of this system by that name.
  std::filesystem::remove(file);
  std::filesystem::create_symlink("/lib/x86_64-linux-gnu/libm.so.6", file);
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "no libm.so.6 to rename";
  nvrtc = NvrtcCompiler::load(search);
  ASSERT_FALSE(bool(nvrtc));
  EXPECT_THAT(llvm::toString(nvrtc.takeError()),
              HasSubstr("the function nvrtcVersion is missing"));
}

// A copy of the library alone: it opens, and would fail at the first kernel.
TEST_F(LibrariesTest, MissingBuiltinsAreNoticed) {
  DSV4_NEEDS_NVRTC();
  std::filesystem::create_directories(folder / "given");
  std::filesystem::copy_file(nvrtc.path(), folder / "given/libnvrtc.so.13");
  search.folder = folder / "given";
  auto alone = NvrtcCompiler::load(search);
  ASSERT_FALSE(bool(alone));
  EXPECT_THAT(llvm::toString(alone.takeError()),
              AllOf(HasSubstr("libnvrtc-builtins.so."),
                    HasSubstr("is missing beside it")));
}

// PTX of NVRTC through the linker gives the kernel that NVRTC gives.
TEST(JitLinker, AssemblesPtxForEveryTarget) {
  DSV4_NEEDS_NVRTC();
  auto linker = JitLinker::load();
  if (!linker)
    GTEST_SKIP() << llvm::toString(linker.takeError());
  for (const CudaTarget &target : cudaTargets()) {
    SCOPED_TRACE(target.name);
    CompileRequest request;
    request.source = "extern \"C\" __global__ void k(float *x) { "
                     "x[threadIdx.x] = x[threadIdx.x + 1] * 2; }";
    request.arch = target.name;
    request.wantPtx = true;
    auto compiled = nvrtc.compile(request);
    ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
    auto linked = linker->link("k", {compiled->ptx}, target.name);
    ASSERT_TRUE(bool(linked)) << llvm::toString(linked.takeError());
    auto cubin = readCubin(linked->cubin);
    ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
    ASSERT_NE(cubin->find("k"), nullptr);
    EXPECT_EQ(mixOf(cubin->find("k")->code, cubin->arch).of("FMUL") +
                  mixOf(cubin->find("k")->code, cubin->arch).of("FADD"),
              1u);
    EXPECT_EQ(linked->resources.size(), 1u) << linked->log;
  }
  for (const char *text :
       {"no ptx", ".version 8.0\n.target sm_90a\n.nothing"}) {
    auto bad = linker->link("broken", {text}, "sm_90a");
    ASSERT_FALSE(bool(bad));
    EXPECT_THAT(llvm::toString(bad.takeError()),
                AllOf(HasSubstr("cannot assemble 'broken' for sm_90a"),
                      HasSubstr("ERROR")));
  }
}

} // namespace
