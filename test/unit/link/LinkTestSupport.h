// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the link tests share: a temporary folder, whole-file input and output,
// running a command, and the linked fixture program.

#ifndef DSV4_TEST_UNIT_LINK_LINKTESTSUPPORT_H
#define DSV4_TEST_UNIT_LINK_LINKTESTSUPPORT_H

#include "gtest/gtest.h"

#include <filesystem>
#include <string>
#include <vector>

namespace dsv4::test {

/// A fresh folder for each test, removed after it.
class FolderTest : public ::testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;
  std::string path(const std::string &name) const { return folder / name; }
  /// Names of what is in the folder, sorted.
  std::vector<std::string> contents() const;

  std::filesystem::path folder;
};

std::string readFile(const std::string &path);
void writeFile(const std::string &path, const std::string &bytes);

struct RunResult {
  int exitCode = -1;
  std::string output; // stdout and stderr
};
/// Runs a shell command.
RunResult run(const std::string &command);

/// The fixture program, with `identity` (32 bytes, or empty) compiled in.
std::string fixtureObject(const std::string &identity = "");
std::string fixtureRuntime();
/// fixtureObject linked with fixtureRuntime; fails the test on an error.
std::string linkFixture(const std::string &identity = "");

/// `bytes` pseudo-random bytes, the same for the same `seed`.
std::string payload(size_t bytes, unsigned seed = 1);
/// What the fixture prints about sound embedded weights.
std::string expectedOutput(const std::string &payload, bool aligned = true);

} // namespace dsv4::test

#endif // DSV4_TEST_UNIT_LINK_LINKTESTSUPPORT_H
