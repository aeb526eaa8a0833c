// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Limits of memory and processors, read from a made-up /proc and /sys.

#include "runtime/base/memory.h"
#include "runtime/base/system_limits.h"
#include "runtime/base/topology.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace dsv4 {
namespace {

/// In this thread's affinity mask.
int processorsHere() {
  Topology topology;
  readTopology(topology);
  return topology.count;
}

namespace fs = std::filesystem;

class SystemLimitsTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name =
        testing::UnitTest::GetInstance()->current_test_info()->name();
    root = fs::path(DSV4_BINARY_DIR) / "test/unit/limits" / name;
    fs::remove_all(root);
    write("/proc/meminfo", "MemTotal:       16777216 kB\n"
                           "MemFree:         1048576 kB\n"
                           "MemAvailable:    8388608 kB\n");
  }
  void write(const std::string &path, const std::string &text) {
    fs::path full = root.string() + path;
    fs::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  MemoryLimits memory() { return readMemoryLimits(root.c_str()); }
  fs::path root;
};

constexpr uint64_t GiB = uint64_t{1} << 30;

TEST_F(SystemLimitsTest, MemAvailable) {
  EXPECT_EQ(memory().available, 8 * GiB);
  EXPECT_EQ(memory().total, 16 * GiB);
  EXPECT_STREQ(memory().availableBy, "MemAvailable");
}

TEST_F(SystemLimitsTest, AnonymousMemoryWithWhatIsSwappedOut) {
  EXPECT_EQ(anonymousBytes(root.c_str()), 0u);
  write("/proc/self/status",
        "Name:\tx\nVmRSS:\t    9000 kB\nRssAnon:\t     148 "
        "kB\nRssFile:\t    2124 kB\nVmSwap:\t       2 "
        "kB\n");
  EXPECT_EQ(anonymousBytes(root.c_str()), 150u << 10);
  EXPECT_GT(anonymousBytes(), 0u);
}

TEST_F(SystemLimitsTest, CgroupV2OfThisProcess) {
  write("/proc/self/cgroup", "0::/a.slice/b\n");
  write("/sys/fs/cgroup/a.slice/b/memory.max", "4294967296\n");
  write("/sys/fs/cgroup/a.slice/b/memory.current", "1073741824\n");
  EXPECT_EQ(memory().available, 3 * GiB);
  EXPECT_EQ(memory().total, 4 * GiB);
  EXPECT_STREQ(memory().availableBy, "cgroup limit");
}

TEST_F(SystemLimitsTest, CgroupAboveIsTighter) {
  write("/proc/self/cgroup", "0::/a.slice/b\n");
  write("/sys/fs/cgroup/a.slice/b/memory.max", "max\n");
  write("/sys/fs/cgroup/a.slice/memory.max", "2147483648\n");
  write("/sys/fs/cgroup/a.slice/memory.current", "0\n");
  EXPECT_EQ(memory().available, 2 * GiB);
}

TEST_F(SystemLimitsTest, PageCacheGivesWay) {
  write("/proc/self/cgroup", "0::/c\n");
  write("/sys/fs/cgroup/c/memory.max", "4294967296\n");
  write("/sys/fs/cgroup/c/memory.current", "4294967296\n");
  write("/sys/fs/cgroup/c/memory.stat",
        "anon 1073741824\nfile 3221225472\ninactive_file 2147483648\n"
        "active_file 1073741824\n");
  EXPECT_EQ(memory().available, 3 * GiB);
}

TEST_F(SystemLimitsTest, CgroupV1) {
  write("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/y\n0::/\n");
  write("/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "1073741824\n");
  write("/sys/fs/cgroup/memory/y/memory.usage_in_bytes", "0\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(memory().available, 1 * GiB);
}

TEST_F(SystemLimitsTest, NoProcStillKnowsMemory) {
  fs::remove_all(root);
  EXPECT_GT(memory().total, 0u);
  EXPECT_GT(memory().available, 0u);
}

TEST_F(SystemLimitsTest, QuotaCutsThreads) {
  write("/proc/self/cgroup", "0::/c\n");
  write("/sys/fs/cgroup/c/cpu.max", "max 100000\n");
  int without = defaultThreadCount(root.c_str());
  EXPECT_EQ(without, processorsHere()); // no topology: each CPU is a core
  write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(defaultThreadCount(root.c_str()), 1);
}

TEST_F(SystemLimitsTest, ControllersThatShareALine) {
  write("/proc/self/cgroup", "6:cpuset,cpu,cpuacct:/x\n");
  write("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "50000\n");
  write("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(defaultThreadCount(root.c_str()), 1);
}

TEST_F(SystemLimitsTest, SiblingsAreOneCore) {
  for (int cpu = 0; cpu < 1024; ++cpu)
    write("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
              "/topology/thread_siblings_list",
          "0-1023\n");
  EXPECT_EQ(defaultThreadCount(root.c_str()), 1);
}

TEST(Reservation, PartsDoNotOverlap) {
  Reservation r;
  size_t a = r.add(1), b = r.add(100), c = r.add(0), d = r.add(64);
  ASSERT_TRUE(r.reserve().isOk());
  char *at[] = {(char *)r.address(a), (char *)r.address(b),
                (char *)r.address(c), (char *)r.address(d)};
  EXPECT_EQ(at[1] - at[0], 64);
  EXPECT_EQ(at[3] - at[1], 128);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(at[0]) % (2 << 20), 0u);
  EXPECT_EQ(at[3][63], 0);
  memset(at[1], 1, 100);
  EXPECT_EQ(at[0][0], 0);
  EXPECT_EQ(at[3][0], 0);
  r.release();
}

TEST(Reservation, OverflowIsTooLittleMemory) {
  Reservation r;
  r.add(UINT64_MAX - 10);
  r.add(UINT64_MAX / 2);
  EXPECT_TRUE(r.isTooLarge());
  EXPECT_EQ(r.reserve().code, Code::OutOfMemory);
}

} // namespace
} // namespace dsv4
