// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Formats the messages of runtime errors.

#include "runtime/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

namespace dsv4 {

static void formatMessage(Status &status, const char *format, va_list args) {
  vsnprintf(status.message, sizeof(status.message), format, args);
}

Status makeError(Code code, const char *format, ...) {
  Status status;
  status.code = code;
  va_list args;
  va_start(args, format);
  formatMessage(status, format, args);
  va_end(args);
  return status;
}

Status makeSystemError(Code code, int error, const char *format, ...) {
  Status status;
  status.code = code;
  va_list args;
  va_start(args, format);
  formatMessage(status, format, args);
  va_end(args);
  size_t used = strlen(status.message);
  snprintf(status.message + used, sizeof(status.message) - used, ": %s",
           strerror(error));
  return status;
}

} // namespace dsv4
