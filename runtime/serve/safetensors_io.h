// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two safetensors files of the logits command: I32 `tokens` in, F32
// `logits` out. Input is hostile: every number is checked against the file's
// size; output appears under its name complete or not at all.

#ifndef DSV4_RUNTIME_SERVE_SAFETENSORS_IO_H
#define DSV4_RUNTIME_SERVE_SAFETENSORS_IO_H

#include "runtime/base/part_file.h"

#include <stddef.h>
#include <stdint.h>

namespace dsv4::serve {

/// A mapped token file; valid until the process ends.
struct TokenFile {
  const int32_t *tokens = nullptr;
  int64_t count = 0;
};

Status openTokens(const char *path, TokenFile &file);

/// Writes the logits row by row.
class LogitsWriter {
public:
  Status open(const char *path, int64_t rows, int64_t columns);
  Status append(const float *values, int64_t count);
  Status commit() { return part.commit(); }
  void discard() { part.discard(); }

private:
  PartFile part;
};

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_SAFETENSORS_IO_H
