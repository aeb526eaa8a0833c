// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See part_file.h.

#include "runtime/base/part_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace dsv4 {

Status PartFile::open(const char *name) {
  if (snprintf(path, sizeof(path), "%s", name) >= int(sizeof(path)) ||
      snprintf(temporary, sizeof(temporary), "%s.%d.part", name, getpid()) >=
          int(sizeof(temporary)))
    return makeError(Code::InvalidArgument, "output path is too long");
  handle = ::open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (handle < 0)
    return makeSystemError(Code::Io, errno, "%s: cannot be written", temporary);
  return okStatus();
}

Status PartFile::commit() {
  int closed = close(handle);
  handle = -1;
  if (closed == 0 && rename(temporary, path) == 0)
    return okStatus();
  Status status =
      makeSystemError(Code::Io, errno, "%s: cannot be written", path);
  unlink(temporary);
  return status;
}

void PartFile::discard() {
  if (handle < 0)
    return;
  close(handle);
  unlink(temporary);
  handle = -1;
}

} // namespace dsv4
