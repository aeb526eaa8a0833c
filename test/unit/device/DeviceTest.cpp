// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is refused before any large copy: devices that are not there, other
// architectures, old drivers, kernels that are too large, too little memory.

#include "DeviceTestSupport.h"

#include <cstdint>
#include <cstring>

namespace {

using namespace devicetest;

class DeviceTest : public FakeCudaTest {
protected:
  void SetUp() override {
    FakeCudaTest::SetUp();
    ASSERT_TRUE(driver.open(fakeLibrary).isOk());
  }
  Driver driver;
};

TEST_F(DeviceTest, SaysWhatItIs) {
  fake->settings().devices = 2;
  Device device;
  Status status = device.open(driver, 1);
  ASSERT_TRUE(status.isOk()) << status.message;
  const DeviceInfo &info = device.info();
  EXPECT_EQ(info.number, 1);
  EXPECT_STREQ(info.name, "Fake GPU");
  EXPECT_EQ(info.capability, 90);
  EXPECT_EQ(info.multiprocessors, 132);
  EXPECT_EQ(info.sharedPerBlock, 232448);
  EXPECT_EQ(info.driverVersion, 13000);
  EXPECT_EQ(info.totalBytes, uint64_t(141) << 30);
  EXPECT_EQ(info.availableBytes, uint64_t(140) << 30);
  EXPECT_TRUE(info.canMapHost && info.canMapReadOnly && !info.isIntegrated);
}

TEST_F(DeviceTest, NumbersBeyondTheLastAreRefused) {
  fake->settings().devices = 2;
  for (int number : {-1, 2, INT32_MAX}) {
    Device device;
    expectError(device.open(driver, number), Code::InvalidArgument,
                {"--device: expected 0 to 1", "CUDA_VISIBLE_DEVICES"});
  }
}

TEST_F(DeviceTest, OpeningTwiceHoldsOneContext) {
  Device device;
  ASSERT_TRUE(device.open(driver, 0).isOk());
  ASSERT_TRUE(device.open(driver, 0).isOk());
  device.close();
  EXPECT_TRUE(fake->leaks().empty());
}

/// What image a device takes; -1: it is refused.
class ImageTest : public testing::Test {
protected:
  struct Choice {
    Status status;
    int64_t image;
  };
  Choice choose(std::vector<dsv4_cuda_image> images, int capability,
                int driver = 13000, int compiledFor = 0, int has = 132) {
    dsv4_cuda_program p = {};
    p.images = images.data();
    p.num_images = int64_t(images.size());
    p.multiprocessors = compiledFor;
    DeviceInfo info;
    info.capability = capability;
    info.driverVersion = driver;
    info.multiprocessors = has;
    strcpy(info.name, "Some GPU");
    Choice choice = {okStatus(), -1};
    choice.status = chooseImage(p, info, choice.image);
    return choice;
  }
  dsv4_cuda_image cubin(int arch, bool specific = false, int driver = 12000) {
    return {DSV4_CUDA_CUBIN, arch, specific, driver, {"x", 1}};
  }
  dsv4_cuda_image ptx(int arch, bool specific = false, int driver = 12000) {
    return {DSV4_CUDA_PTX, arch, specific, driver, {"", 1}};
  }
};

TEST_F(ImageTest, ACubinRunsOnItsMajorVersionFromItsMinorOn) {
  EXPECT_TRUE(choose({cubin(80)}, 80).status.isOk());
  EXPECT_TRUE(choose({cubin(80)}, 89).status.isOk());
  EXPECT_FALSE(choose({cubin(89)}, 80).status.isOk());
  EXPECT_FALSE(choose({cubin(80)}, 90).status.isOk());
  EXPECT_FALSE(choose({cubin(100, true)}, 103).status.isOk());
  EXPECT_TRUE(choose({cubin(120, true)}, 120).status.isOk());
}

TEST_F(ImageTest, PtxRunsOnEverythingNewerUnlessItIsSpecific) {
  EXPECT_TRUE(choose({ptx(80)}, 120).status.isOk());
  EXPECT_FALSE(choose({ptx(80)}, 75).status.isOk());
  EXPECT_FALSE(choose({ptx(90, true)}, 100).status.isOk());
}

TEST_F(ImageTest, TheFirstThatFitsIsTaken) {
  EXPECT_EQ(choose({cubin(80), cubin(90, true), ptx(80)}, 90).image, 1);
  EXPECT_EQ(choose({cubin(80), cubin(90, true), ptx(80)}, 100).image, 2);
  // PTX for an older driver than the cubin's.
  EXPECT_EQ(
      choose({cubin(90, true, 13000), ptx(80, false, 12000)}, 90, 12040).image,
      1);
}

TEST_F(ImageTest, RefusalsSayWhatToDo) {
  expectError(
      choose({cubin(90, true), ptx(90)}, 80).status, Code::Unsupported,
      {"for sm_90a, PTX sm_90,", "Some GPU with sm_80", "--target cuda:sm_80"});
  expectError(choose({cubin(80)}, 120).status, Code::Unsupported,
              {"--target cuda:sm_120a"});
  expectError(choose({cubin(90, true, 13000)}, 90, 12040).status,
              Code::Unsupported,
              {"too old", "CUDA 13.0", "CUDA 12.4", "update the driver"});
  expectError(choose({cubin(90)}, 90, 13000, 132, 114).status, Code::Mismatch,
              {"132 multiprocessors", "has 114", "compile for this one"});
  EXPECT_TRUE(choose({cubin(90)}, 90, 13000, 132, 132).status.isOk());
  std::vector<dsv4_cuda_image> many(40, cubin(80)); // the list is cut
  EXPECT_FALSE(choose(many, 120).status.isOk());
}

TEST_F(DeviceTest, KernelsThatAreTooLargeAreNamed) {
  dsv4_cuda_program root = program.root();
  DeviceInfo info;
  info.sharedPerBlock = 101376;
  info.threadsPerBlock = 1024;
  expectError(checkKernels(root, info), Code::Unsupported,
              {"kernel combine needs 200000", "101376"});
  info.sharedPerBlock = 232448;
  info.threadsPerBlock = 256;
  expectError(checkKernels(root, info), Code::Unsupported,
              {"kernel combine needs blocks of 384", "256"});
  info.threadsPerBlock = 1024;
  EXPECT_TRUE(checkKernels(root, info).isOk());
}

class PlanTest : public DeviceTest {
protected:
  DevicePlan planned(int64_t context, int64_t sequences) {
    dsv4_cuda_program root = program.root();
    DevicePlan plan;
    Status status = planDevice(root, context, sequences, plan);
    EXPECT_TRUE(status.isOk()) << status.message;
    return plan;
  }
};

TEST_F(PlanTest, PartsFollowEachOtherAligned) {
  DevicePlan plan = planned(1000, 3); // 8 blocks
  EXPECT_EQ(plan.blocks, 8);
  const DevicePlan::Part &state = plan.parts[TestProgram::State];
  EXPECT_EQ(state.stride, 768u); // 100 + 64 * 8, aligned
  EXPECT_EQ(state.bytes, 3 * 768u);
  EXPECT_EQ(state.offset, 40192u); // behind 40000 of weights
  EXPECT_EQ(plan.deviceBytes, 40192u + 3 * 768 + 4096 + 256);
  EXPECT_EQ(plan.pinnedBytes, 5120u + 256 + 512);
  EXPECT_EQ(plan.mappedBytes, 9000u);
  EXPECT_EQ(plan.deviceBytesOf[DSV4_CUDA_STATE], 3 * 768u);
}

TEST_F(PlanTest, SizesThatCannotBeAreRefused) {
  dsv4_cuda_program root = program.root();
  DevicePlan plan;
  for (int64_t context : {int64_t(0), int64_t(-5), INT64_MAX})
    expectError(planDevice(root, context, 1, plan), Code::InvalidArgument,
                {"expected a context of 1 to 268435456 tokens"});
  expectError(planDevice(root, 10, 0, plan), Code::InvalidArgument,
              {"a sequence"});
  expectError(planDevice(root, 1000, INT64_MAX, plan), Code::OutOfMemory,
              {"more than any machine has"});
  expectError(planDevice(root, 1000, int64_t(1) << 53, plan), Code::OutOfMemory,
              {"more than any machine has"});
  // Would wrap around behind the weights.
  expectError(planDevice(root, 100, (int64_t(1) << 56) - 1, plan),
              Code::OutOfMemory, {"more than any machine has"});
  program.parts[TestProgram::State].bytes.per_block = int64_t(1) << 40;
  program.parts[TestProgram::Buffers].bytes.per_block = int64_t(1) << 40;
  root = program.root();
  expectError(planDevice(root, maxBlocks * DSV4_CONTEXT_BLOCK, 1, plan),
              Code::OutOfMemory, {"more than any machine has"});
  expectError(planDevice(root, 1000, 1 << 20, plan), Code::OutOfMemory,
              {"--context"});
}

TEST_F(PlanTest, TooLittleMemoryIsSplitByUse) {
  DevicePlan plan = planned(1000, 2);
  program.driverBytes = 300 << 20;
  dsv4_cuda_program root = program.root();
  DeviceInfo info;
  strcpy(info.name, "Fake GPU");
  info.canMapHost = info.canMapReadOnly = true;
  info.totalBytes = uint64_t(1) << 30;
  info.availableBytes = uint64_t(300) << 20;
  uint64_t host = uint64_t(1) << 30;
  expectError(checkFits(root, plan, info, host), Code::OutOfMemory,
              {"1 MiB for weights", "2 sequences of 1024 tokens",
               "300 MiB for the driver", "300 of 1024 MiB are free",
               "--context or --sequences", "nvidia-smi"});
  info.availableBytes = (uint64_t(300) << 20) + plan.deviceBytes;
  EXPECT_TRUE(checkFits(root, plan, info, host).isOk());
  --info.availableBytes;
  EXPECT_FALSE(checkFits(root, plan, info, host).isOk());
}

TEST_F(PlanTest, TheHostMustHaveRoomToo) {
  DevicePlan plan = planned(1000, 1);
  dsv4_cuda_program root = program.root();
  DeviceInfo info;
  info.canMapHost = info.canMapReadOnly = true;
  info.availableBytes = uint64_t(1) << 30;
  uint64_t needed =
      plan.pinnedBytes + plan.mappedBytes + numStaging * stagingBytes;
  EXPECT_TRUE(checkFits(root, plan, info, needed).isOk());
  expectError(
      checkFits(root, plan, info, needed - 1), Code::OutOfMemory,
      {"on the host", "32 MiB to copy through", "33 MiB are available"});
  info.canMapReadOnly = false;
  expectError(checkFits(root, plan, info, needed), Code::Unsupported,
              {"cannot read the mapped file"});
  // A GPU that reads any page of the process pins no page of the file.
  info.canReadPages = true;
  EXPECT_TRUE(checkFits(root, plan, info, needed - plan.mappedBytes).isOk());
  EXPECT_FALSE(
      checkFits(root, plan, info, needed - plan.mappedBytes - 1).isOk());
  info.canMapHost = false;
  expectError(checkFits(root, plan, info, needed), Code::Unsupported,
              {"cannot read the host's memory"});
}

} // namespace
