// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fake driver opened for a test, and a small CUDA program that has one of
// everything: tiers, kinds of parts, copies, both kinds of edges, two graphs.

#ifndef DSV4_TEST_UNIT_DEVICE_DEVICETESTSUPPORT_H
#define DSV4_TEST_UNIT_DEVICE_DEVICETESTSUPPORT_H

#include "FakeCuda.h"
#include "runtime/abi/cuda_program.h"
#include "runtime/device/session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace devicetest {

using namespace dsv4;
using namespace dsv4::cuda;

/// Result i of a step: 2 * (scale * weight[i] + cold[i] + row[i]) + steps so
/// far. `before` of every kernel reads weights, as a prefetch does.
struct TestProgram {
  enum Part { Weights, Cold, Rows, State, Buffers, Step, DeviceStep, Results };
  static constexpr int numResults = 8;

  std::string cubin, oldCubin, ptx;
  std::vector<dsv4_cuda_image> images;
  std::vector<dsv4_cuda_kernel> kernels;
  std::vector<dsv4_cuda_part> parts;
  std::vector<dsv4_cuda_segment> segments;
  std::vector<dsv4_cuda_operand> operands;
  std::vector<dsv4_cuda_node> nodes;
  std::vector<dsv4_cuda_edge> edges;
  std::vector<dsv4_cuda_graph> graphs;

  TestProgram();
  TestProgram(const TestProgram &) = delete;
  ~TestProgram();

  /// The root, over the tables as they are now.
  dsv4_cuda_program root() const;
  /// Weights are mapped read-only, as those of a file.
  const uint8_t *weights() const { return mapping; }
  size_t weightBytes() const;
  int32_t result(int i, int32_t scale, int32_t steps) const;

  int multiprocessors = 132;
  int64_t driverBytes = 1 << 20;

private:
  void addGraph(const char *name, int64_t tokens, int64_t firstOperand);
  uint8_t *mapping = nullptr;
};

/// Opens the fake of the build folder; nothing may be wrong or held at the end.
class FakeCudaTest : public testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  /// The functions that play the kernels of TestProgram.
  void setKernels();
  SessionOptions options();
  /// Misuse that the test wants to see; forgets it.
  std::string takeMisuse();
  bool hasCall(const std::string &name);

  fakecuda::Control *fake = nullptr;
  TestProgram program;
};

/// Paths of the fake and of the one that lacks a function.
extern const char *const fakeLibrary, *const oldLibrary;

/// Fails unless the error has this code and all the words.
void expectError(const Status &status, Code code,
                 const std::vector<std::string> &words);

} // namespace devicetest

#endif // DSV4_TEST_UNIT_DEVICE_DEVICETESTSUPPORT_H
