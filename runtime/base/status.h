// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The result of a runtime function: a code by what the caller can do, and one
// line for the user. Fixed size, because the runtime neither throws nor
// allocates. Nothing below the command line prints or exits.

#ifndef DSV4_RUNTIME_BASE_STATUS_H
#define DSV4_RUNTIME_BASE_STATUS_H

#include <stdint.h>

namespace dsv4 {

enum class Code : int32_t {
  Ok = 0,
  InvalidArgument, // the user asked for something that cannot be
  NotFound,        // a file is not there
  Io,              // the system refused to open, read, map or write
  Corrupt,         // data that does not fit its hash, size or format
  Mismatch,        // two sound things that do not belong together
  OutOfMemory,     // not enough memory for the requested sizes
  Unsupported,     // this machine cannot do it
  Interrupted,     // Ctrl-C
};

/// Code::Ok, or an error with a message: lower case, no final period, saying
/// what was expected, what was found, where, and what to do.
struct [[nodiscard]] Status {
  Code code = Code::Ok;
  char message[508] = {};

  bool isOk() const { return code == Code::Ok; }
};

/// An error with a printf-style message, cut at the size of the field.
__attribute__((format(printf, 2, 3))) Status makeError(Code code,
                                                       const char *format, ...);

/// The same with strerror(`error`) appended: "MESSAGE: No such file".
__attribute__((format(printf, 3, 4))) Status makeSystemError(Code code,
                                                             int error,
                                                             const char *format,
                                                             ...);

inline Status okStatus() { return {}; }

} // namespace dsv4

/// Returns from the calling function with the error, if there is one.
#define DSV4_RETURN_IF_ERROR(expr)                                             \
  do {                                                                         \
    if (::dsv4::Status status_ = (expr); !status_.isOk())                      \
      return status_;                                                          \
  } while (false)

#endif // DSV4_RUNTIME_BASE_STATUS_H
