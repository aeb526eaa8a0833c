// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel cache: what is a hit, what is not believed, what is removed.

#include "ToolchainTestSupport.h"
#include "targets/cuda/toolchain/KernelCache.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace dsv4::cuda;
namespace fs = std::filesystem;

namespace {

class CacheTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/dsv4-cache-XXXXXX";
    options.folder = mkdtemp(name.data());
    request.source =
        "#include \"h.h\"\n__global__ void k(float *x) { *x = V; }";
    request.headers["h.h"] = "#define V 1.0f\n";
    request.arch = "sm_90a";
    request.nameExpressions = {"k"};
  }
  void TearDown() override { fs::remove_all(options.folder); }

  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto &entry : fs::directory_iterator(options.folder))
      out.push_back(entry.path());
    return out;
  }
  CompileResult get(KernelCache &cache, const NvrtcCompiler &nvrtc) {
    auto result = cache.compile(nvrtc, request);
    EXPECT_TRUE(bool(result));
    if (!result) {
      ADD_FAILURE() << llvm::toString(result.takeError());
      return {};
    }
    return std::move(*result);
  }

  KernelCache::Options options;
  CompileRequest request;
};

TEST_F(CacheTest, ASecondTimeIsAHitWithEverything) {
  DSV4_NEEDS_NVRTC();
  request.wantPtx = true;
  KernelCache cache(options);
  CompileResult first = get(cache, nvrtc), second = get(cache, nvrtc);
  EXPECT_EQ(cache.counts().misses, 1u);
  EXPECT_EQ(cache.counts().hits, 1u);
  EXPECT_TRUE(first.cubin == second.cubin);
  EXPECT_EQ(first.ptx, second.ptx);
  EXPECT_EQ(first.log, second.log);
  EXPECT_EQ(first.symbols, second.symbols);
  EXPECT_EQ(second.symbols["k"], "_Z1kPf");
  ASSERT_EQ(second.resources.size(), 1u);
  EXPECT_EQ(second.resources[0].registers, first.resources[0].registers);
  EXPECT_EQ(files().size(), 1u);
  EXPECT_EQ(cache.problem(), "");
}

TEST_F(CacheTest, EverythingThatDecidesBytesIsInTheKey) {
  DSV4_NEEDS_NVRTC();
  std::string key = KernelCache::keyOf(request, nvrtc);
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(key, KernelCache::keyOf(request, nvrtc));
  const std::function<void(CompileRequest &)> changes[] = {
      [](auto &r) { r.source += " "; },
      [](auto &r) { r.name = "other.cu"; },
      [](auto &r) { r.headers["h.h"] += " "; },
      [](auto &r) { r.headers["i.h"] = ""; },
      [](auto &r) { r.arch = "sm_100a"; },
      [](auto &r) { r.options = {"--define-macro=A"}; },
      [](auto &r) { r.contract = true; },
      [](auto &r) { r.flushDenormals = false; },
      [](auto &r) { r.wantPtx = true; },
      [](auto &r) { r.nameExpressions.clear(); },
      // The same texts, split elsewhere.
      [](auto &r) {
        r.headers.clear();
        r.headers["h.h#define V"] = " 1.0f\n";
      },
  };
  std::vector<std::string> keys = {key};
  for (const auto &change : changes) {
    CompileRequest other = request;
    change(other);
    keys.push_back(KernelCache::keyOf(other, nvrtc));
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end());
}

TEST_F(CacheTest, DamagedAndForeignFilesAreCompiledAgain) {
  DSV4_NEEDS_NVRTC();
  KernelCache cache(options);
  CompileResult good = get(cache, nvrtc);
  fs::path file = files().at(0);
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::vector<std::string> damaged = {"", "foreign",
                                      bytes.substr(0, bytes.size() - 1),
                                      bytes + "x", bytes.substr(100)};
  for (size_t at : {size_t(3), size_t(40), size_t(90), bytes.size() / 2,
                    bytes.size() - 3}) {
    damaged.push_back(bytes);
    damaged.back()[at] ^= 1;
  }
  for (const std::string &text : damaged) {
    std::ofstream(file, std::ios::binary) << text;
    KernelCache again(options);
    EXPECT_TRUE(get(again, nvrtc).cubin == good.cubin);
    EXPECT_EQ(again.counts().hits, 0u);
    EXPECT_EQ(again.counts().damaged, 1u);
    KernelCache healed(options);
    get(healed, nvrtc);
    EXPECT_EQ(healed.counts().hits, 1u);
  }
  // A sound entry under another's name.
  request.source += "\n";
  fs::path other = fs::path(options.folder) /
                   (KernelCache::keyOf(request, nvrtc) + ".kernel");
  fs::copy_file(file, other);
  KernelCache foreign(options);
  get(foreign, nvrtc);
  EXPECT_EQ(foreign.counts().damaged, 1u);
}

TEST_F(CacheTest, TheOldestGoFirst) {
  DSV4_NEEDS_NVRTC();
  KernelCache fill(options);
  std::vector<fs::path> paths;
  std::string base = request.source;
  auto set = [&](int i) { request.source = base + std::string(i, '\n'); };
  auto now = fs::file_time_type::clock::now();
  for (int i = 0; i < 4; ++i) {
    set(i);
    get(fill, nvrtc);
    paths.push_back(fs::path(options.folder) /
                    (KernelCache::keyOf(request, nvrtc) + ".kernel"));
    fs::last_write_time(paths[i], now - std::chrono::hours(10 - i));
  }
  std::ofstream(fs::path(options.folder) / "notes.txt") << "mine";
  fs::path leftover = paths[0].string() + ".tmp-abc123";
  std::ofstream(leftover) << "half";
  fs::last_write_time(leftover, now - std::chrono::hours(30));
  // Using the oldest makes it the youngest.
  set(0);
  get(fill, nvrtc);
  EXPECT_EQ(fill.counts().hits, 1u);
  options.maxBytes = 3 * fs::file_size(paths[0]) + 64;
  KernelCache bounded(options);
  set(4);
  get(bounded, nvrtc);
  EXPECT_TRUE(fs::exists(paths[0]));
  EXPECT_FALSE(fs::exists(paths[1]));
  EXPECT_FALSE(fs::exists(paths[2]));
  EXPECT_TRUE(fs::exists(paths[3]));
  EXPECT_FALSE(fs::exists(leftover));
  EXPECT_TRUE(fs::exists(fs::path(options.folder) / "notes.txt"));
}

TEST_F(CacheTest, OffAndUnwritableStillCompile) {
  DSV4_NEEDS_NVRTC();
  options.enabled = false;
  KernelCache off(options);
  get(off, nvrtc);
  EXPECT_TRUE(files().empty());
  options.enabled = true;
  std::string file = options.folder + "/file";
  std::ofstream(file) << "";
  KernelCache::Options bad = options;
  bad.folder = file + "/below";
  KernelCache cache(bad);
  EXPECT_FALSE(get(cache, nvrtc).cubin.empty());
  EXPECT_THAT(cache.problem(), testing::HasSubstr("kernel cache"));
}

TEST_F(CacheTest, ProcessesShareAFolder) {
  DSV4_NEEDS_NVRTC();
  std::string expected =
      get(*std::make_unique<KernelCache>(options), nvrtc).cubin;
  for (const fs::path &file : files())
    fs::remove(file);
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    pid_t child = fork();
    if (child == 0) {
      bool good = true;
      for (int round = 0; round < 5; ++round) {
        KernelCache cache(options);
        auto result = cache.compile(nvrtc, request);
        good &=
            result && result->cubin == expected && cache.counts().damaged == 0;
        if (!result)
          llvm::consumeError(result.takeError());
        // One of them makes the others compile and write again.
        if (i == 0)
          for (const auto &entry : fs::directory_iterator(options.folder)) {
            std::error_code gone;
            fs::remove(entry.path(), gone);
          }
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
}

TEST(KernelCacheFolder, FollowsTheEnvironment) {
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  std::string oldXdg = xdg ? xdg : "", oldHome = home ? home : "";
  setenv("XDG_CACHE_HOME", "/some/cache", 1);
  EXPECT_EQ(KernelCache::defaultFolder(), "/some/cache/dsv4c");
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", "/some/where", 1);
  EXPECT_EQ(KernelCache::defaultFolder(), "/some/where/.cache/dsv4c");
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  EXPECT_EQ(KernelCache::defaultFolder(), "");
  if (xdg)
    setenv("XDG_CACHE_HOME", oldXdg.c_str(), 1);
  if (home)
    setenv("HOME", oldHome.c_str(), 1);
}

} // namespace
