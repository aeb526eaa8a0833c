// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file of the source tree: kernels that tests compile. The headers that these
// include come from the compiler itself (addDeviceHeaders).

#ifndef DSV4_TEST_UNIT_CUDA_SOURCES_READSOURCE_H
#define DSV4_TEST_UNIT_CUDA_SOURCES_READSOURCE_H

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace dsv4::cuda {

/// `Name` counts from the root of the tree; a missing file fails the test.
inline std::string readSource(const std::string &Name) {
  std::ifstream In(std::string(DSV4_SOURCE_DIR) + "/" + Name);
  EXPECT_TRUE(In.good()) << Name;
  std::stringstream Text;
  Text << In.rdbuf();
  return Text.str();
}

} // namespace dsv4::cuda

#endif // DSV4_TEST_UNIT_CUDA_SOURCES_READSOURCE_H
