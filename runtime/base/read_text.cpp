// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See read_text.h.

#include "runtime/base/read_text.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace dsv4 {

bool readText(const char *root, const char *path, char *text, size_t size) {
  char full[1024];
  if (snprintf(full, sizeof(full), "%s%s", root, path) >=
      static_cast<int>(sizeof(full)))
    return false;
  int fd = open(full, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  size_t used = 0;
  ssize_t n;
  while (used + 1 < size && (n = read(fd, text + used, size - 1 - used)) > 0)
    used += static_cast<size_t>(n);
  close(fd);
  text[used] = 0;
  return used > 0;
}

} // namespace dsv4
