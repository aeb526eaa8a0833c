// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Placement of workers on machines that are described, not at hand: one socket
// with hardware threads, two sockets, uneven nodes, a mask inside a machine.

#include "runtime/base/topology.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

using namespace dsv4;
namespace fs = std::filesystem;

namespace {

class TopologyTest : public testing::Test {
protected:
  void SetUp() override {
    root = fs::temp_directory_path() /
           ("dsv4-topology-" + std::to_string(::getpid()));
  }
  void TearDown() override { fs::remove_all(root); }

  void write(const std::string &path, const std::string &text) {
    fs::path whole = root.string() + path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }

  /// A machine of `nodes` x `cores`, with two hardware threads per core: the
  /// second ones are numbered behind all first ones.
  void twoThreadsPerCore(int nodes, int cores) {
    int half = nodes * cores;
    for (int core = 0; core < half; ++core)
      for (int cpu : {core, core + half})
        write("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                  "/topology/thread_siblings_list",
              std::to_string(core) + "," + std::to_string(core + half) + "\n");
    write("/sys/devices/system/node/online",
          "0-" + std::to_string(nodes - 1) + "\n");
    for (int node = 0; node < nodes; ++node) {
      int first = node * cores, last = first + cores - 1;
      write("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist",
            std::to_string(first) + "-" + std::to_string(last) + "," +
                std::to_string(first + half) + "-" +
                std::to_string(last + half) + "\n");
    }
  }

  /// Processors 0 .. count - 1, less those in `missing`.
  void read(int count, std::vector<int> missing = {}) {
    std::vector<uint64_t> mask(maxProcessors / 64);
    for (int cpu = 0; cpu < count; ++cpu)
      if (std::find(missing.begin(), missing.end(), cpu) == missing.end())
        mask[cpu / 64] |= uint64_t(1) << cpu % 64;
    readTopology(topology, root.c_str(), mask.data());
  }

  /// Numbers of the processors that `threads` workers get.
  std::vector<int> place(int threads) {
    std::vector<int> places(threads), numbers;
    placeWorkers(topology, threads, places.data());
    for (int at : places)
      numbers.push_back(at < 0 ? -1 : topology.processors[at].number);
    return numbers;
  }

  fs::path root;
  Topology topology;
};

using List = std::vector<int>;

TEST_F(TopologyTest, WithoutFilesEachProcessorIsACore) {
  read(4);
  EXPECT_EQ(topology.cores(), 4);
  EXPECT_EQ(topology.nodes(), 1);
  EXPECT_EQ(place(3), (List{0, 1, 2}));
  EXPECT_EQ(place(6), (List{0, 1, 2, 3, -1, -1}));
}

TEST_F(TopologyTest, WholeCoresBeforeSecondThreads) {
  twoThreadsPerCore(1, 4);
  read(8);
  EXPECT_EQ(topology.cores(), 4);
  EXPECT_EQ(place(4), (List{0, 1, 2, 3}));
  EXPECT_EQ(place(5), (List{0, 1, 2, 3, 4}));
}

TEST_F(TopologyTest, NodesGetEquallyManyAndWorkersFollowThem) {
  twoThreadsPerCore(2, 8);
  read(32);
  EXPECT_EQ(topology.cores(), 16);
  EXPECT_EQ(topology.nodes(), 2);
  EXPECT_EQ(place(1), (List{0}));
  EXPECT_EQ(place(4), (List{0, 1, 8, 9}));
  EXPECT_EQ(place(5), (List{0, 1, 2, 8, 9}));
  List all = place(16);
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ(all[i], i);
}

TEST_F(TopologyTest, AnUnevenMaskTakesWhatIsThere) {
  twoThreadsPerCore(2, 4);
  read(16, {1, 2, 3, 9, 10, 11}); // node 0 has core 0 alone
  EXPECT_EQ(topology.cores(), 5);
  EXPECT_EQ(place(5), (List{0, 4, 5, 6, 7}));
}

TEST_F(TopologyTest, AMaskWithoutFirstThreadsStillHasCores) {
  twoThreadsPerCore(1, 4);
  read(8, {0, 1}); // processors 4 and 5 are the first of their cores here
  EXPECT_EQ(topology.cores(), 4);
  EXPECT_EQ(place(4), (List{2, 3, 4, 5}));
}

TEST_F(TopologyTest, ManyProcessors) {
  twoThreadsPerCore(8, 64);
  read(1024);
  EXPECT_EQ(topology.cores(), 512);
  List places = place(1024);
  std::sort(places.begin(), places.end());
  for (int i = 0; i < 1024; ++i)
    ASSERT_EQ(places[i], i);
}

TEST(Topology, ThisMachineHasAProcessor) {
  Topology topology;
  readTopology(topology);
  EXPECT_GE(topology.count, 1);
  EXPECT_GE(topology.cores(), 1);
}

} // namespace
