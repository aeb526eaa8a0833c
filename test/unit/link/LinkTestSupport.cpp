// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Helpers of the link tests.

#include "test/unit/link/LinkTestSupport.h"

#include "compiler/link/ExecutableLinker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/wait.h>

namespace fs = std::filesystem;

namespace dsv4::test {

void FolderTest::SetUp() {
  std::string name = (fs::temp_directory_path() / "dsv4-test-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  folder = name;
}

void FolderTest::TearDown() { fs::remove_all(folder); }

std::vector<std::string> FolderTest::contents() const {
  std::vector<std::string> names;
  for (const auto &entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  EXPECT_TRUE(out.good()) << path;
  fs::permissions(path, fs::perms::owner_all);
}

RunResult run(const std::string &command) {
  RunResult result;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe)
    return result;
  char buffer[4096];
  while (size_t got = fread(buffer, 1, sizeof(buffer), pipe))
    result.output.append(buffer, got);
  int status = pclose(pipe);
  result.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return result;
}

std::string fixtureObject(const std::string &identity) {
  std::string object = readFile(FIXTURE_OBJECT);
  const std::string mark = "0123456789abcdef0123456789abcdef";
  size_t at = object.find(mark);
  EXPECT_NE(at, std::string::npos);
  if (!identity.empty())
    object.replace(at, mark.size(), identity);
  return object;
}

std::string fixtureRuntime() { return readFile(FIXTURE_RUNTIME); }

std::string linkFixture(const std::string &identity) {
  std::string object = fixtureObject(identity);
  llvm::Expected<std::string> linked =
      linkExecutable({llvm::StringRef(object)}, fixtureRuntime());
  if (!linked) {
    ADD_FAILURE() << llvm::toString(linked.takeError());
    return "";
  }
  return *linked;
}

std::string payload(size_t bytes, unsigned seed) {
  std::string out(bytes, 0);
  uint32_t state = seed * 2654435761u + 1;
  for (char &byte : out) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return out;
}

std::string expectedOutput(const std::string &payload, bool aligned) {
  uint64_t sum = 0;
  for (unsigned char byte : payload)
    sum += byte;
  size_t chunk = 4 << 20;
  return "bytes " + std::to_string(payload.size()) + " chunks " +
         std::to_string((payload.size() + chunk - 1) / chunk) + " sum " +
         std::to_string(sum) + " aligned " + (aligned ? "1" : "0") + "\n";
}

} // namespace dsv4::test
