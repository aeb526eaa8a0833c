// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file appears whole or not at all, whatever goes wrong.

#include "targets/common/AtomicFile.h"

#include "compiler/link/WeightsSection.h"
#include "test/unit/link/LinkTestSupport.h"

#include <csignal>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace dsv4;
using namespace dsv4::test;

namespace {

using AtomicFileTest = FolderTest;
using Names = std::vector<std::string>;

std::string errorOf(llvm::Error error) {
  return llvm::toString(std::move(error));
}

std::string createError(const std::string &path) {
  auto file = AtomicFile::create(path);
  return file ? "" : errorOf(file.takeError());
}

TEST_F(AtomicFileTest, AppearsOnCommitWithItsMode) {
  {
    auto file = llvm::cantFail(AtomicFile::create(path("out")));
    llvm::cantFail(file.write("abc"));
    llvm::cantFail(file.padTo(8));
    llvm::cantFail(file.write("xyz"));
    llvm::cantFail(file.overwrite(1, "B"));
    EXPECT_EQ(file.position(), 11u);
    Names before = contents();
    ASSERT_EQ(before.size(), 1u);
    EXPECT_NE(before[0], "out");
    llvm::cantFail(file.commit(0755));
  }
  EXPECT_EQ(contents(), Names{"out"});
  EXPECT_EQ(readFile(path("out")), std::string("aBc\0\0\0\0\0xyz", 11));
  struct stat info;
  ASSERT_EQ(stat(path("out").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0755u);
}

TEST_F(AtomicFileTest, ReplacesAnOldFileOnlyOnCommit) {
  writeFile(path("out"), "old");
  {
    auto file = llvm::cantFail(AtomicFile::create(path("out")));
    llvm::cantFail(file.write("new"));
  }
  EXPECT_EQ(readFile(path("out")), "old");
  EXPECT_EQ(contents(), Names{"out"});
}

TEST_F(AtomicFileTest, UnwritablePaths) {
  std::string missing = path("none/out");
  EXPECT_EQ(createError(missing),
            "cannot write '" + missing + "': No such file or directory");
  EXPECT_EQ(createError(folder),
            "cannot write '" + folder.string() + "': Is a directory");
  EXPECT_EQ(createError("/dev/full"),
            "cannot write '/dev/full': expected a regular file or a new name");
  EXPECT_EQ(contents(), Names{});
}

TEST_F(AtomicFileTest, ReadOnlyFolder) {
  // Root may write everywhere, so act as nobody for the moment.
  bool wasRoot = geteuid() == 0;
  chmod(folder.c_str(), 0555);
  if (wasRoot) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  std::string error = createError(path("out"));
  if (wasRoot) {
    ASSERT_EQ(seteuid(0), 0);
  }
  chmod(folder.c_str(), 0700);
  EXPECT_EQ(error, "cannot write '" + path("out") + "': Permission denied");
}

TEST_F(AtomicFileTest, FullDiskLeavesNothing) {
  if (mount("none", folder.c_str(), "tmpfs", 0, "size=8m") != 0)
    GTEST_SKIP() << "needs the right to mount a small tmpfs";
  std::string error;
  {
    auto writer = PayloadWriter::sidecar(path("out"));
    ASSERT_TRUE(bool(writer)) << errorOf(writer.takeError());
    std::string bytes = payload(1 << 20);
    for (int i = 0; i < 64 && error.empty(); ++i)
      error = errorOf(writer->append(bytes));
  }
  Names left = contents();
  umount(folder.c_str());
  EXPECT_NE(error.find("No space left on device after "), std::string::npos)
      << error;
  EXPECT_NE(error.find(path("out")), std::string::npos) << error;
  EXPECT_EQ(left, Names{});
}

// Ctrl-C, and the signals by which a machine or a supervisor ends a process.
TEST_F(AtomicFileTest, SignalsLeaveNothing) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto file = llvm::cantFail(AtomicFile::create(path("out")));
      llvm::cantFail(file.write("half"));
      raise(signal);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_EQ(contents(), Names{});
  }
}

/// Begins files until a signal ends it.
[[noreturn]] void beginForEver(const std::string &path) {
  for (;;)
    llvm::consumeError(AtomicFile::create(path).takeError());
}

// A signal that comes while open(2) makes the file is handled right behind it,
// before anything else of the program runs.
TEST_F(AtomicFileTest, SignalsWhileFilesBegin) {
  for (int i = 0; i != 200; ++i) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      beginForEver(path("out"));
    usleep(1000 + 37 * i); // the program is anywhere in its loop
    kill(child, SIGTERM);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    ASSERT_EQ(contents(), Names{}) << "round " << i;
  }
}

} // namespace
