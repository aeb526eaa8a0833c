// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte by byte: the tail grows until it is a character or cannot become one.

#include "runtime/text/utf8_stream.h"

#include <cstring>

#include "runtime/text/utf8.h"

namespace dsv4::text {

static size_t put(std::span<char> out, size_t at, const unsigned char *bytes,
                  size_t count) {
  std::memcpy(out.data() + at, bytes, count);
  return at + count;
}

size_t Utf8Stream::push(std::string_view bytes, std::span<char> out) {
  size_t written = 0;
  for (char byte : bytes) {
    tail[heldBytes++] = static_cast<unsigned char>(byte);
    while (heldBytes > 0) {
      Utf8Char c = decodeUtf8(tail, tail + heldBytes);
      if (c.truncated)
        break;
      written = c.valid ? put(out, written, tail, c.size)
                        : put(out, written, replacementBytes, 3);
      heldBytes -= c.size;
      std::memmove(tail, tail + c.size, heldBytes);
    }
  }
  return written;
}

size_t Utf8Stream::finish(std::span<char> out) {
  if (heldBytes == 0)
    return 0;
  heldBytes = 0; // what is held is one maximal subpart
  return put(out, 0, replacementBytes, 3);
}

} // namespace dsv4::text
