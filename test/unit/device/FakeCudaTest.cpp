// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fake driver itself: that it notices what the other tests count on it to
// notice.

#include "DeviceTestSupport.h"

#include <cstring>

namespace {

using namespace devicetest;

class FakeTest : public FakeCudaTest {
protected:
  void SetUp() override {
    FakeCudaTest::SetUp();
    ASSERT_TRUE(driver.open(fakeLibrary).isOk());
    ASSERT_TRUE(device.open(driver, 0).isOk());
    ASSERT_EQ(driver.streamCreate(&stream, StreamNonBlocking), Success);
    void *memory = nullptr;
    ASSERT_EQ(driver.memHostAlloc(&memory, 64, HostAllocDeviceMap), Success);
    host = static_cast<uint8_t *>(memory);
    ASSERT_EQ(driver.memAlloc(&block, 64), Success);
  }
  void TearDown() override {
    driver.streamSynchronize(stream);
    driver.streamDestroy(stream);
    driver.memFreeHost(host);
    driver.memFree(block);
    device.close();
    FakeCudaTest::TearDown();
  }
  void expectMisuse(const char *words) {
    std::string all = takeMisuse();
    EXPECT_NE(all.find(words), std::string::npos)
        << "expected " << words << " in: " << all;
  }
  Driver driver;
  Device device;
  Stream stream = nullptr;
  uint8_t *host = nullptr;
  Address block = 0;
};

TEST_F(FakeTest, CopiesHappenWhenSomebodyWaits) {
  memset(host, 1, 64);
  ASSERT_EQ(driver.memcpyHtoDAsync(block, host, 64, stream), Success);
  memset(host, 2, 64); // too early: the copy takes this
  EXPECT_NE(*fake->peek(block), 1);
  ASSERT_EQ(driver.streamSynchronize(stream), Success);
  EXPECT_EQ(*fake->peek(block), 2);
}

TEST_F(FakeTest, ResultsAreSpoiledUntilSomebodyWaits) {
  memset(host, 1, 64);
  ASSERT_EQ(driver.memsetD8Async(block, 7, 64, stream), Success);
  ASSERT_EQ(driver.memcpyDtoHAsync(host, block, 64, stream), Success);
  EXPECT_EQ(host[5], 0xdd);
  ASSERT_EQ(driver.streamSynchronize(stream), Success);
  EXPECT_EQ(host[5], 7);
}

TEST_F(FakeTest, AnEventWaitsForWhatWasBeforeIt) {
  Event event = nullptr;
  ASSERT_EQ(driver.eventCreate(&event, EventDisableTiming), Success);
  ASSERT_EQ(driver.eventSynchronize(event), Success);
  expectMisuse("never recorded");
  ASSERT_EQ(driver.memsetD8Async(block, 1, 64, stream), Success);
  ASSERT_EQ(driver.eventRecord(event, stream), Success);
  ASSERT_EQ(driver.memsetD8Async(block, 2, 64, stream), Success);
  ASSERT_EQ(driver.eventSynchronize(event), Success);
  EXPECT_EQ(*fake->peek(block), 1);
  EXPECT_EQ(driver.eventDestroy(event), Success);
}

TEST_F(FakeTest, MisuseOfMemoryIsNoticed) {
  EXPECT_NE(driver.memcpyHtoDAsync(block + 1, host, 64, stream), Success);
  expectMisuse("out of bounds");
  EXPECT_NE(driver.memcpyHtoDAsync(16, host, 4, stream), Success);
  expectMisuse("not an address");
  uint8_t own[4] = {};
  EXPECT_NE(driver.memcpyHtoDAsync(block, own, 4, stream), Success);
  expectMisuse("not pinned");
  EXPECT_NE(driver.memFree(block + 8), Success);
  expectMisuse("never allocated");
  Address other = 0;
  ASSERT_EQ(driver.memAlloc(&other, 64), Success);
  ASSERT_EQ(driver.memsetD8Async(other, 0, 64, stream), Success);
  driver.memFree(other);
  expectMisuse("on its way");
  driver.streamSynchronize(stream);
  expectMisuse("use after free");
}

TEST_F(FakeTest, AFreeTwiceIsNoticed) {
  Address other = 0;
  ASSERT_EQ(driver.memAlloc(&other, 64), Success);
  ASSERT_EQ(driver.memFree(other), Success);
  EXPECT_NE(driver.memFree(other), Success);
  expectMisuse("freed before");
}

TEST_F(FakeTest, MemoryEnds) {
  Address other = 0;
  fake->settings().freeBytes = 1000;
  EXPECT_EQ(driver.memAlloc(&other, 937), NoMemory);
  EXPECT_EQ(driver.memAlloc(&other, 936), Success);
  EXPECT_EQ(fake->leaks()[0], "2 blocks of device memory");
  EXPECT_EQ(driver.memFree(other), Success);
}

TEST_F(FakeTest, CallsNeedAContext) {
  driver.ctxSetCurrent(nullptr);
  Address other = 0;
  EXPECT_EQ(driver.memAlloc(&other, 8), InvalidContext);
  expectMisuse("no context is current");
  driver.ctxSetCurrent(device.context());
}

/// A graph of three launches, to break in different ways.
class FakeGraphTest : public FakeTest {
protected:
  void SetUp() override {
    FakeTest::SetUp();
    dsv4_cuda_program root = program.root();
    ASSERT_TRUE(module.load(driver, root, 0, device.info(), functions).isOk());
    ASSERT_EQ(driver.graphCreate(&graph, 0), Success);
    for (int i = 0; i < 3; ++i)
      ASSERT_EQ(add(i, i), Success);
    for (const char *name : {"scale", "combine", "finish"})
      fake->setKernel(name, {});
  }
  void TearDown() override {
    driver.graphDestroy(graph);
    module.unload();
    FakeTest::TearDown();
  }
  Result add(int node, int function, uint32_t grid = 1, uint32_t shared = 0) {
    static uint8_t params[48];
    void *pointers[] = {params};
    KernelNodeParams p = {};
    p.function = functions[function];
    p.gridX = grid;
    p.gridY = p.gridZ = p.blockY = p.blockZ = 1;
    p.blockX = 128;
    p.sharedBytes = shared;
    p.params = pointers;
    return driver.graphAddKernelNode(&nodes[node], graph, nullptr, 0, &p);
  }
  Result link(GraphNode from, GraphNode to, EdgeData data = {}) {
    return driver.graphAddDependencies(graph, &from, &to, &data, 1);
  }
  LoadedModule module;
  Function functions[3] = {};
  GraphHandle graph = nullptr;
  GraphNode nodes[4] = {};
};

TEST_F(FakeGraphTest, WrongEdgesAreNoticed) {
  EXPECT_NE(link(nodes[0], nullptr), Success);
  expectMisuse("an edge of an unknown node");
  EXPECT_EQ(link(nodes[0], nodes[1]), Success);
  EXPECT_NE(link(nodes[0], nodes[1]), Success);
  expectMisuse("there already");
  EXPECT_NE(link(nodes[1], nodes[2], {PortEnd, 0, EdgeProgrammatic, {}}),
            Success);
  expectMisuse("unknown kind");
  EXPECT_NE(link(nodes[1], nodes[2], {PortProgrammatic, 0, EdgeFull, {}}),
            Success);
  expectMisuse("unknown kind");
  EXPECT_NE(link(nodes[1], nodes[2], {PortEnd, 0, EdgeFull, {0, 1}}), Success);
  expectMisuse("reserved");
}

TEST_F(FakeGraphTest, ACycleIsNoticed) {
  EXPECT_EQ(link(nodes[0], nodes[1]), Success);
  EXPECT_EQ(link(nodes[1], nodes[2]), Success);
  EXPECT_EQ(link(nodes[2], nodes[0]), Success);
  GraphExec exec = nullptr;
  EXPECT_NE(driver.graphInstantiate(&exec, graph, 0), Success);
  expectMisuse("a cycle");
}

TEST_F(FakeGraphTest, WrongLaunchesAreNoticed) {
  EXPECT_NE(add(3, 0, 0), Success);
  expectMisuse("grid or block of scale");
  EXPECT_NE(add(3, 0, 1, 50000), Success); // more than 48 KiB, not asked for
  expectMisuse("shared memory of scale");
  EXPECT_EQ(add(3, 1, 1, 200000), Success); // asked for by load()
}

TEST_F(FakeGraphTest, AnUnloadedFunctionIsNoticed) {
  GraphExec exec = nullptr;
  ASSERT_EQ(driver.graphInstantiate(&exec, graph, 0), Success);
  module.unload();
  EXPECT_NE(add(3, 0), Success);
  expectMisuse("launch of an unloaded function");
  ASSERT_EQ(driver.graphLaunch(exec, stream), Success);
  EXPECT_NE(driver.streamSynchronize(stream), Success);
  expectMisuse("launch of an unloaded function: scale");
  driver.graphExecDestroy(exec);
}

TEST_F(FakeGraphTest, AGraphMayNotEndOnItsWay) {
  GraphExec exec = nullptr;
  ASSERT_EQ(driver.graphInstantiate(&exec, graph, 0), Success);
  ASSERT_EQ(driver.graphLaunch(exec, stream), Success);
  EXPECT_EQ(driver.graphExecDestroy(exec), Success);
  expectMisuse("end of a graph that is on its way");
  EXPECT_NE(driver.graphLaunch(exec, stream), Success);
  expectMisuse("launch of an unknown graph");
}

/// A programmatic edge orders ends only through kernels that wait.
TEST_F(FakeGraphTest, OrderGoesThroughKernelsThatWait) {
  using fakecuda::KernelCall;
  Address at = block;
  auto write = [at](KernelCall &call) { call.write(at, 4); };
  for (bool waits : {true, false}) {
    fake->setKernel("scale", {nullptr, write, true});
    fake->setKernel("combine", {nullptr, nullptr, waits});
    fake->setKernel("finish", {nullptr, write, true});
    if (waits) {
      EdgeData data = {PortProgrammatic, 0, EdgeProgrammatic, {}};
      ASSERT_EQ(link(nodes[0], nodes[1], data), Success);
      ASSERT_EQ(link(nodes[1], nodes[2], data), Success);
    }
    GraphExec exec = nullptr;
    ASSERT_EQ(driver.graphInstantiate(&exec, graph, 0), Success);
    ASSERT_EQ(driver.graphLaunch(exec, stream), Success);
    ASSERT_EQ(driver.streamSynchronize(stream), Success);
    EXPECT_EQ(takeMisuse().empty(), waits);
    driver.graphExecDestroy(exec);
  }
}

} // namespace
