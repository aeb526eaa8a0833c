// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Temporary name, write, fsync, rename.

#include "targets/common/AtomicFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace dsv4 {

AtomicFile &AtomicFile::operator=(AtomicFile &&other) {
  if (this == &other)
    return *this;
  discard();
  finalPath = std::move(other.finalPath);
  tempPath = std::move(other.tempPath);
  fd = other.fd;
  written = other.written;
  synced = other.synced;
  other.fd = -1;
  other.tempPath.clear();
  return *this;
}

Error AtomicFile::fail(StringRef doing, int error) const {
  std::string text =
      "cannot " + doing.str() + " '" + finalPath + "': " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT)
    text += " after " + std::to_string(written) +
            " bytes; free space or choose another output path";
  return createStringError(std::error_code(error, std::generic_category()),
                           text);
}

Expected<AtomicFile> AtomicFile::create(StringRef path) {
  AtomicFile file;
  file.finalPath = path.str();
  if (sys::fs::is_directory(path))
    return file.fail("write", EISDIR);
  // Devices cannot be replaced by renaming; refuse instead of removing them.
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path))
    return createStringError("cannot write '" + path +
                             "': expected a regular file or a new name");
  if (std::error_code error = file.open())
    return file.fail("write", error.value());
  return std::move(file);
}

std::error_code AtomicFile::open() {
  const int mostTries = 64;
  for (int i = 0; i != mostTries; ++i) {
    SmallString<256> temp;
    sys::fs::createUniquePath(finalPath + ".tmp-%%%%%%", temp, false);
    // Named to the signal handler before it exists: a signal during open(2) is
    // handled right behind it.
    sys::RemoveFileOnSignal(temp);
    fd = ::open(temp.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
      tempPath = std::string(temp);
      return {};
    }
    int error = errno;
    sys::DontRemoveFileOnSignal(temp);
    if (error != EEXIST && error != EINTR)
      return {error, std::generic_category()};
  }
  return std::make_error_code(std::errc::file_exists);
}

Error AtomicFile::write(StringRef bytes) {
  synced = false;
  while (!bytes.empty()) {
    // Linux writes at most 2 GiB a call.
    ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return fail("write", errno);
    written += done;
    bytes = bytes.drop_front(done);
  }
  return Error::success();
}

Error AtomicFile::overwrite(uint64_t offset, StringRef bytes) {
  synced = false;
  while (!bytes.empty()) {
    ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return fail("write", errno);
    offset += done;
    bytes = bytes.drop_front(done);
  }
  return Error::success();
}

Error AtomicFile::padTo(uint64_t align) {
  uint64_t target = (written + align - 1) / align * align;
  if (target == written)
    return Error::success();
  synced = false;
  if (::ftruncate(fd, target) != 0 || ::lseek(fd, target, SEEK_SET) < 0)
    return fail("write", errno);
  written = target;
  return Error::success();
}

Error AtomicFile::sync() {
  if (synced)
    return Error::success();
  if (::fsync(fd) != 0)
    return fail("write", errno);
  synced = true;
  return Error::success();
}

Error AtomicFile::commit(unsigned mode) {
  if (::fchmod(fd, mode) != 0)
    return fail("set permissions of", errno);
  if (Error error = sync())
    return error;
  if (::close(fd) != 0) {
    fd = -1;
    return fail("close", errno);
  }
  fd = -1;
  if (std::error_code error = sys::fs::rename(tempPath, finalPath))
    return fail("rename to", error.value());
  sys::DontRemoveFileOnSignal(tempPath);
  tempPath.clear();
  return Error::success();
}

void AtomicFile::discard() {
  if (fd >= 0)
    ::close(fd);
  fd = -1;
  if (tempPath.empty())
    return;
  sys::fs::remove(tempPath);
  sys::DontRemoveFileOnSignal(tempPath);
  tempPath.clear();
}

} // namespace dsv4
